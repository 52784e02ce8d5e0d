"""Elements of lists: how they are called, and whether they belong to another account than that of anybody who called.

The latter is what an emulator has by itself: images of vendors, policies and baselines of AWS. Each emulator has some of its own,
and lists them to everybody. An element says whose it is by a member for accounts (`OwnerId`), or by the account in its own ARN.
Whether any recorded call was about that account, or about the element, the words of its names tell (`Owned.names`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.member_roles import Role, role_by_name
from replay_proxy.footprint.members.naming_members import names_account
from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.identifiers.table import tokens

_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:(\d{12}|aws):.+")
_ACCOUNT = re.compile(r"\d{12}")
_AWS = "aws"


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose an element is that belongs to another account, and what it is called.

    account: a number, or `aws`. names: the words of each name by which a request or an answer would name that account, or the
    element.
    """

    account: str
    names: frozenset[frozenset[bytes]]


def names_of(
    head: CallHead, member: str, element: Any, to_client: Callable[[str, bool], str]
) -> frozenset[frozenset[bytes]]:
    """Return the words of each name of an element of a replayed list, as clients know it; none of the accounts."""
    texts = [(name, value) for name, value in _texts(member, element) if _names(head, name) and not names_account(name)]
    return _words(short_name(to_client(value, True)) for _, value in texts)


def owned_by_other(head: CallHead, member: str, element: Any) -> Owned | None:
    """Return whose an element of a list is; None where it does not say, or belongs to the account of the call.

    member: the name of the list.
    """
    texts = list(_texts(member, element))
    accounts = {value for name, value in texts if names_account(name) and _ACCOUNT.fullmatch(value)}
    if not accounts:
        accounts = {found[1] for name, value in texts if _names(head, name) and (found := _ARN.fullmatch(value))}
    if len(accounts) != 1 or head.account in accounts:
        return None
    (account,) = accounts
    names = _words(short_name(value) for name, value in texts if _names(head, name) and not names_account(name))
    if not names:
        return None
    return Owned(account, frozenset(names if account == _AWS else {*names, frozenset((account.encode(),))}))


def _words(names: Iterable[str]) -> frozenset[frozenset[bytes]]:
    return frozenset(frozenset(tokens.words(each.encode("ascii", "replace"))) for each in names) - {frozenset()}


def _names(head: CallHead, member: str) -> bool:
    return role_by_name(head.service, head.operation, member) is Role.IDENTIFIER


def _texts(member: str, element: Any) -> Iterator[tuple[str, str]]:
    """Yield the texts of an element, not those of what is inside of it, each with its member."""
    if isinstance(element, str):
        yield member, element
    elif isinstance(element, dict):
        yield from ((name, value) for name, value in element.items() if isinstance(value, str) and value)
