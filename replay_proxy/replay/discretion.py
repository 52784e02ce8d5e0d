"""Secrets are not told: what a report says of a call is shown in logs, in `/_replay/status`, and in `--json`."""

from __future__ import annotations

from dataclasses import replace

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Request
from replay_proxy.identifiers.compare import Verdict
from replay_proxy.wire import models
from replay_proxy.wire.answers import Outcome
from replay_proxy.wire.parameters import parse_parameters
from replay_proxy.wire.secrets import hidden_in, secrets_in


class Discretion:
    """What is secret in one call: in its parameters, and in its outcomes."""

    def __init__(self, head: CallHead, request: Request, *outcomes: Outcome) -> None:
        self._values: list[str | bytes] = []
        try:
            operation = models.operation_model(head.service, head.operation)
            for outcome in outcomes:
                self._values += (value for _path, value in secrets_in(operation, outcome.parsed, answer=True))
            found = secrets_in(operation, parse_parameters(head, request), answer=False)
            self._values += (value for _path, value in found)
        except (LookupError, MalformedMessage):
            return

    def of(self, text: str) -> str:
        """`text` without the secrets."""
        return hidden_in(text, self._values)

    def of_verdict(self, verdict: Verdict) -> Verdict:
        """The same verdict, whose differences do not show them."""
        differences = tuple(
            replace(each, expected=self.of(each.expected), actual=self.of(each.actual)) for each in verdict.differences
        )
        return replace(verdict, differences=differences)
