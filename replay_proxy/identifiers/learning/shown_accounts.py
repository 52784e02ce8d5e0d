"""In which account two answers show the same thing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from replay_proxy.footprint.members.naming_members import names_account

_ARN = re.compile(r"(arn:[a-z0-9-]+:[a-z0-9-]*:[a-z0-9-]*:)(\d{12})(:.+)", re.DOTALL)
_QUEUE_URL = re.compile(r"(https?://)[^/]+/(?:queue/[a-z0-9-]+/)?(\d{12})(/[A-Za-z0-9_.-]+)")
_ACCOUNT = re.compile(r"\d{12}")


def is_account(text: str) -> bool:
    """Tell whether a text is spelled like an account."""
    return _ACCOUNT.fullmatch(text) is not None


def account_pairs(member: str, recorded: str, replayed: str) -> Iterator[tuple[str, str]]:
    """Yield the accounts of two values of a member that show the same thing: ARNs and URLs of queues that are else equal.

    In a member that holds accounts, the values themselves.
    """
    for form in (_ARN, _QUEUE_URL):
        one, two = form.fullmatch(recorded), form.fullmatch(replayed)
        if one and two and (one[1], one[3]) == (two[1], two[3]):
            yield one[2], two[2]
    if names_account(member) and is_account(recorded) and is_account(replayed):
        yield recorded, replayed
