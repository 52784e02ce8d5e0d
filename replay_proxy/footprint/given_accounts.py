"""For which account a call gave an access key, and which calls make accounts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.answer_identifiers import all_texts
from replay_proxy.wire.codecs.answers import Outcome

_PRINCIPAL = re.compile(r"arn:[a-z0-9-]+:(?:iam|sts)::(\d{12}):")
_ACCOUNT = re.compile(r"\d{12}")
_MEMBERS: Final = ("accountId", "AccountId", "TargetPrincipal")
"""Members of the parameters of a call that gives a key to say for which account: SSO's, STS's AssumeRoot."""


_MAKING: Final = re.compile(r"(?:Describe)?Create(?:GovCloud)?Account(?:Status)?")


def tells_made_account(head: CallHead) -> bool:
    """Return whether a call makes an account for its caller, or tells which was made: of Organizations."""
    return head.service == "organizations" and _MAKING.fullmatch(head.operation) is not None


def account_given(params: Mapping[str, Any], outcome: Outcome) -> str:
    """Return the account of the key that a call gave, of its role or user. Empty where nothing in it names one."""
    for text in (*all_texts(outcome.parsed), *all_texts(params)):
        if principal := _PRINCIPAL.match(text):
            return principal[1]
    for member in _MEMBERS:
        value = params.get(member)
        if isinstance(value, str) and _ACCOUNT.fullmatch(value):
            return value
    return ""
