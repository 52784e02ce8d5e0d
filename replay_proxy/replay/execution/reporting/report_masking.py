"""Hiding secrets in what a report says of a call, since that is shown in logs, in `/_replay/status`, and in `--json`."""

from __future__ import annotations

from dataclasses import replace

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Request
from replay_proxy.identifiers.learning.compare import Comparison, shown
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models import models
from replay_proxy.wire.sensitive.secrets import secrets_in, with_values_hidden


class ReportMasking:
    """Knows what is secret in one call: in its parameters, and in its outcomes."""

    def __init__(self, head: CallHead, request: Request, *outcomes: Outcome) -> None:
        self._values: list[str | bytes] = []
        try:
            operation = models.operation_model(head.service, head.operation)
            for outcome in outcomes:
                self._values += (value for _path, value in secrets_in(operation, outcome.parsed, answer=True))
            found = secrets_in(operation, parse_parameters(head, request), answer=False)
            self._values += (value for _path, value in found)
        except (LookupError, MalformedMessage):
            pass
        # Of a long secret a difference shows the beginning.
        self._values += [shown(each).removesuffix("…") for each in self._values]

    def of(self, text: str) -> str:
        """Return `text` without the secrets."""
        return with_values_hidden(text, self._values)

    def of_verdict(self, verdict: Comparison) -> Comparison:
        """Return the same verdict, with differences that do not show the secrets."""
        differences = tuple(
            replace(each, expected=self.of(each.expected), actual=self.of(each.actual)) for each in verdict.differences
        )
        return replace(verdict, differences=differences)
