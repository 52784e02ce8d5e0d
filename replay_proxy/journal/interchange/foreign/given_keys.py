"""Calls with credentials that an earlier call of the same file gave: for which account they were, as far as the file tells.

The proxy notes that as it records; other tools do not. Neither are secrets and session tokens of temporary credentials kept,
which no restore needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from replay_proxy.errors import MalformedMessage
from replay_proxy.footprint.given_accounts import account_given
from replay_proxy.footprint.members.answer_identifiers import all_texts
from replay_proxy.journal.format.records import Record
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.mutability.judge import gives_credentials
from replay_proxy.wire.signing.issued_keys import issued_keys, without_temporary_secrets

KEYS_MAX = 10_000
"""Keys that are remembered; when there are more, the first are forgotten."""
_ARN = re.compile(r"arn:[a-z0-9-]+:[a-z0-9-]*:[a-z0-9-]*:(\d{12}):")


@dataclass(slots=True)
class GivenKeys:
    """The access keys that the calls of a file gave so far, by their accounts."""

    _accounts: dict[str, str] = field(default_factory=dict)
    _default_account: str = ""

    def taken(self, record: Record) -> Record:
        """Return the next record with its account, and without the secrets of what it gave. Never raises."""
        head = record.head
        if head is None:
            return record
        account = self._accounts.get(head.access_key)
        if account is None and self._accounts and not head.account and not self._default_account:
            self._default_account = self._shown(record)
        if account and account != self._default_account and not head.account:
            record = replace(record, head=(head := replace(head, account=account)))
        return self._after_giving(record) if gives_credentials(head.service, head.operation) else record

    @staticmethod
    def _shown(record: Record) -> str:
        """Return the account of what the answer to a call shows; empty where it shows none."""
        assert record.head is not None
        try:
            texts = all_texts(parse_answer(record.head, record.answer, record.request).parsed)
        except MalformedMessage:
            return ""
        return next((match[1] for text in texts if (match := _ARN.match(text)) is not None), "")

    def _after_giving(self, record: Record) -> Record:
        head, answer = record.head, record.answer
        assert head is not None
        try:
            outcome = parse_answer(head, answer, record.request)
            keys = issued_keys(outcome.parsed)
            account = account_given(parse_parameters(head, record.request), outcome) or head.account
        except MalformedMessage:
            return record
        for key in keys:
            self._accounts[key.access_key] = account
            if len(self._accounts) > KEYS_MAX:
                del self._accounts[next(iter(self._accounts))]
        if not isinstance(answer.body, bytes):
            return record
        body = without_temporary_secrets(answer.body, keys)
        return record if body is answer.body else replace(record, answer=replace(answer, body=body))
