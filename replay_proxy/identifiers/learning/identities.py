"""Whether credentials are still those of the same identity, in the same account.

STS answers about nothing but credentials: whose they are (`GetCallerIdentity`), and for whom they were given (`AssumeRole` and
its kin). What these answers name nobody draws but for the unique id of a role or user: names of roles, users and sessions were
chosen by clients, and accounts are those of a role that the client named, or one for a whole answer. So both answers are
compared with what was known before them, and not with what they teach.

Left to `compare` is who asks with no credentials of anybody: to one emulator that is a user, to another one the root.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from replay_proxy.exchange import CallHead, Request
from replay_proxy.footprint.members.member_roles import Role, role_by_name
from replay_proxy.identifiers.learning.compare import Difference
from replay_proxy.identifiers.learning.shown_accounts import is_account
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.identifiers.table.scope import Scope, scope_of
from replay_proxy.wire.codecs.answers import Outcome

_DEPTH = 4
_DELIMITER = re.compile(r"[:/]")
_ARN = "arn"
_TYPED_FROM = 6
"""With more pieces than these, an ARN says which type of resource it names: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`."""
_OF_CREDENTIALS = frozenset({("iam", "user"), ("sts", "assumed-role"), ("sts", "federated-user")})
"""Whose credentials can be, but for the root of an account: services and types of ARNs in the answers of `GetCallerIdentity`, by
AWS's documentation of it. An emulator's default caller may be of any other."""


def other_identities(
    head: CallHead, request: Request, recorded: Outcome, replayed: Outcome, table: AliasTable
) -> list[Difference]:
    """Return where two answers of STS tell of different identities.

    request: the recorded one. table: before it learns of these answers.
    """
    if head.service != "sts" or not recorded.ok or not replayed.ok:
        return []
    return list(_Identities(head, request, table).differences(recorded.parsed, replayed.parsed))


class _Identities:
    def __init__(self, head: CallHead, request: Request, table: AliasTable) -> None:
        self._head = head
        self._table = table
        self._scope = scope_of(head)
        self._sent = request.target.encode("latin-1", "replace") + (
            request.body if isinstance(request.body, bytes) else b""
        )
        self._accounts: dict[str, str] = {}
        """Which account of the emulator the answer shows for which of clients."""
        self._contradiction = ""

    def differences(self, recorded: Any, replayed: Any) -> Iterator[Difference]:
        texts = list(self._texts("", recorded, replayed, _DEPTH))
        split = [(_DELIMITER.split(client), _DELIMITER.split(emulator)) for _, client, emulator in texts]
        is_default_caller = any(
            one[0] == two[0] == _ARN and _kind(one) != _kind(two) and _kind(one) not in _OF_CREDENTIALS
            for one, two in split
        )
        for (path, client, emulator), (one, two) in zip(texts, split, strict=True):
            self._contradiction = ""
            is_pair = len(one) == len(two) and all(
                self._agree(one[0], at, *pair) for at, pair in enumerate(zip(one, two, strict=True))
            )
            if not is_pair and not is_default_caller:
                yield Difference(path, client, f"{emulator}{self._contradiction}", misplaced=True)

    def _texts(self, path: str, recorded: Any, replayed: Any, depth: int) -> Iterator[tuple[str, str, str]]:
        """Yield the places of both answers with what names an identity. Credentials are drawn, and told to nobody."""
        if isinstance(recorded, dict) and isinstance(replayed, dict) and depth:
            for member in recorded:
                if member in replayed and member not in ("Credentials", "ResponseMetadata"):
                    inner = f"{path}.{member}" if path else member
                    yield from self._texts(inner, recorded[member], replayed[member], depth - 1)
        elif isinstance(recorded, str) and isinstance(replayed, str):
            member = path.rpartition(".")[2]
            if role_by_name("sts", self._head.operation, member) is Role.IDENTIFIER:
                yield path, recorded, replayed

    def _agree(self, first: str, at: int, client: str, emulator: str) -> bool:
        """Return whether two pieces of a text tell the same. first: its first piece. at: the position of these."""
        if is_account(client) or is_account(emulator):
            return is_account(client) and is_account(emulator) and self._is_same_account(client, emulator)
        if at == 0 and first != _ARN:
            return self._is_same_unique_id(client, emulator)
        return client == self._table.to_client(emulator, self._scope)

    def _is_same_account(self, client: str, emulator: str) -> bool:
        known = self._table.account_of_emulator(client, self._scope)
        shown = self._accounts.setdefault(client, emulator)
        for other in (known, shown):
            if other not in ("", emulator):
                self._contradiction = f", and elsewhere account {client} is shown as {other}"
                return False
        # The emulator was told this account: by the request, or by whoever gave the key that it was signed with.
        was_told = client == self._head.account or client.encode() in self._sent
        return bool(known) or client == emulator or not was_told

    def _is_same_unique_id(self, client: str, emulator: str) -> bool:
        """Return whether two unique ids can be of one role or user. An emulator may draw it for each answer of a call."""
        call = f"{self._head.service}:{self._head.operation}"
        rivals = self._table.contradicted_by(client, emulator, Scope(self._head.account, self._head.region))
        return all(each.learned_from.call == call for each in rivals)


def _kind(pieces: list[str]) -> tuple[str, str]:
    """Return the service of an ARN, and the type of its resource, which the root of an account has not."""
    return "".join(pieces[2:3]), pieces[5] if len(pieces) > _TYPED_FROM else ""
