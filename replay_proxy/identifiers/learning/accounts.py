"""Whether what was in several accounts is in one now.

An account of the clients and an account of the emulator are a pair, and one to one (`AliasTable.note_accounts`). Where an
answer shows a thing in an account of the emulator that is the pair of another account, both have been put into one: the
credentials of one of them were not known to the emulator, which took the calls for its default account's. That is a
divergence, and never an alias.

Accounts are compared where both answers show the same thing: in ARNs that are the same but for their account, in URLs of
queues, in members that hold an account. Elements of lists are not, because emulators give lists in any order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from replay_proxy.exchange import Answer, Request
from replay_proxy.identifiers.learning.compare import Difference
from replay_proxy.identifiers.learning.shown_accounts import account_pairs
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.wire.codecs.answers import Outcome

_DEPTH = 16
_ANY = re.compile(rb"arn:[a-z0-9-]+:[a-z0-9-]*:[a-z0-9-]*:(\d{12}):")


def note_same_accounts(request: Request, answer: Answer, table: AliasTable) -> None:
    """Note the account in an answer that was the same, to the byte, when it was recorded."""
    if isinstance(answer.body, bytes) and (found := _ANY.search(answer.body)) is not None:
        account = found[1].decode()
        table.note_accounts(account, account)
        _keep(account, request, table)


def mixed_accounts(request: Request, recorded: Outcome, replayed: Outcome, table: AliasTable) -> list[Difference]:
    """Note the pairs of accounts that two outcomes of a call show; return the places where accounts were put into one."""
    found: dict[str, Difference] = {}
    for path, client, emulator in _pairs("", "", recorded.parsed, replayed.parsed, _DEPTH):
        if client == emulator:
            _keep(client, request, table)
        other = table.note_accounts(client, emulator)
        if other:
            actual = f"account {emulator}, in which what was in account {other} is as well"
            found.setdefault(client, Difference(path, f"account {client}", actual, misplaced=True))
    return list(found.values())


def _keep(account: str, request: Request, table: AliasTable) -> None:
    """Note that the emulator calls an account as clients do, unless it may have repeated what the request says."""
    body = request.body if isinstance(request.body, bytes) else b""
    if account.encode() not in body and account not in request.target:
        table.keep_account(account)


def _pairs(path: str, member: str, recorded: Any, replayed: Any, depth: int) -> Iterator[tuple[str, str, str]]:
    """Yield the places of two outcomes in which the same thing is shown in an account: path, and both accounts."""
    if isinstance(recorded, dict) and isinstance(replayed, dict) and depth > 0:
        for key in recorded.keys() & replayed.keys():
            yield from _pairs(f"{path}.{key}" if path else key, key, recorded[key], replayed[key], depth - 1)
    elif isinstance(recorded, str) and isinstance(replayed, str):
        for client, emulator in account_pairs(member, recorded, replayed):
            yield path, client, emulator
