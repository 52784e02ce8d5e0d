"""The table of aliases: which identifier clients know, and which one the emulator uses today.

Clients live in a stable namespace. They know a resource by the identifier they were shown first, the *client id*; the
journal holds nothing else. The emulator knows it by the *emulator id* of this boot. An alias is such a pair, with the
account and the region of the call that taught it. Identifiers that both sides spell the same way need no alias.

Within one scope the pairs are one to one, both ways, and `add` keeps it so: when a new pair contradicts an older one,
the newer wins (the resource was deleted and made again, or its name was reused), the older is forgotten, and is
returned to be reported; `learn` asks first, and only lets the operation that taught the older pair replace it. Two
rules decide what the pairs do not say:

* *Client to emulator.* A token that is a client id becomes its emulator id. Everything else passes untouched, also a
  token that is the emulator's id of a resource that clients know by another: messages whose payload is never
  rewritten (an S3 event in a queue, a function that talks to the emulator directly) carry emulator ids, and they
  must work when a client uses them.
* *Emulator to client.* A token that is an emulator id becomes its client id. A token that is no known emulator id but
  equals a client id is a *collision*: a counter or a deterministic generator gave a new resource an identifier under
  which clients know another one. `answer_to_client` gives it a fresh client id (`mint`) and adds the pair, which the
  next boot learns anew from the journal, as any other.

IP addresses come from small spaces, where chance collisions are common and clients choose values themselves. There
the partial mapping is completed to a permutation instead: an emulator's address that no client was shown stands for
the address at the other end of its chain of pairs, so that an address that looks free to a client is free.

Scopes: most identifiers are random, so a pair is found from any scope as long as it is the only one for its token.
Where several scopes know a token (two regions with counters), the caller's scope decides, and the table remembers in
which scopes a token stands for itself. Regions belong strictly to the scope of their caller.
"""

from __future__ import annotations

from collections.abc import Iterator

from replay_proxy.identifiers import mint, tokens
from replay_proxy.identifiers.pairs import ANYWHERE, NO_ORIGIN, Alias, Direction, Kind, Origin, Scope

__all__ = ["ANYWHERE", "Alias", "AliasTable", "Direction", "Kind", "Origin", "Scope"]


class AliasTable:
    """All pairs of this boot. Not thread-safe; one task at a time adds to it."""

    def __init__(self) -> None:
        self.to_emulator_index = Direction(reverse=False)
        self.to_client_index = Direction(reverse=True)
        self._same: dict[str, set[Scope]] = {}
        self._minted: list[Alias] = []
        self._reserved: set[str] = set()

    def __len__(self) -> int:
        return self.to_emulator_index.size

    def __iter__(self) -> Iterator[Alias]:
        for aliases in self.to_emulator_index.pairs.values():
            yield from aliases

    def add(
        self,
        client: str,
        emulator: str,
        *,
        scope: Scope = ANYWHERE,
        kind: Kind | None = None,
        learned_from: Origin = NO_ORIGIN,
        minted: bool = False,
    ) -> list[Alias]:
        """Learn that clients call `client` what the emulator calls `emulator`.

        Returns the older pairs of the same scope that this one contradicts; they are forgotten. A pair of equal
        strings is remembered as standing for itself in `scope`, and contradicts nothing. Raises ValueError for a
        string that no scan could find: no run of four identifier characters and no address, or not ASCII.
        """
        if client == emulator:
            self._same.setdefault(client, set()).add(scope)
            return []
        kind = kind or (Kind.ADDRESS if tokens.is_address(client.encode("ascii")) else Kind.IDENTIFIER)
        alias = Alias(client, emulator, scope, kind, learned_from, minted)
        sought_out, sought_in = _sought(client), _sought(emulator)
        known = [a for a in self.to_emulator_index.pairs.get(client.encode(), ()) if a.scope == scope]
        if any(a.emulator == emulator for a in known):
            return []
        displaced = known + [a for a in self.to_client_index.pairs.get(emulator.encode(), ()) if a.scope == scope]
        for old in displaced:
            self.to_emulator_index.remove(old)
            self.to_client_index.remove(old)
        self.to_emulator_index.insert(alias)
        self.to_client_index.insert(alias)
        # Towards clients their ids are collisions; towards the emulator its addresses are the ends of chains.
        self.to_emulator_index.sought |= sought_out
        self.to_client_index.sought |= sought_in
        self.to_client_index.sought.add(client.encode())
        if tokens.is_address(emulator.encode()):
            self.to_emulator_index.sought.add(emulator.encode())
        return displaced

    def contradicted_by(self, client: str, emulator: str, scope: Scope) -> list[Alias]:
        """The pairs of this scope that say something else of either id."""
        rivals = self._of_scope(self.to_emulator_index, client, scope)
        rivals += self._of_scope(self.to_client_index, emulator, scope)
        return [alias for alias in rivals if (alias.client, alias.emulator) != (client, emulator)]

    @staticmethod
    def _of_scope(index: Direction, token: str, scope: Scope) -> list[Alias]:
        return [alias for alias in index.pairs.get(token.encode("latin-1", "replace"), ()) if alias.scope == scope]

    def knows(self, client: str, emulator: str, scope: Scope) -> bool:
        """Whether this very pair is in the table, from any scope that a caller in `scope` would find it from."""
        alias = self.to_emulator_index.find(client.encode("latin-1", "replace"), scope)
        return alias is not None and alias.emulator == emulator

    def has_pair(self, token: str, scope: Scope) -> bool:
        """Whether `token` is on either side of a pair of exactly this scope."""
        return any(self._of_scope(index, token, scope) for index in (self.to_emulator_index, self.to_client_index))

    def stands_for_itself(self, token: str, scope: Scope) -> bool:
        """Whether `token` was seen to be the same on both sides in exactly this scope."""
        return scope in self._same.get(token, ())

    def to_emulator(self, token: str, scope: Scope = ANYWHERE) -> str:
        """What the emulator calls what clients call `token`; `token` itself where there is no alias."""
        return self._through(self.to_emulator_index, self.to_client_index, token, scope)

    def to_client(self, token: str, scope: Scope = ANYWHERE) -> str:
        """What clients call what the emulator calls `token`; `token` itself where there is no alias."""
        return self._through(self.to_client_index, self.to_emulator_index, token, scope)

    def _through(self, way: Direction, back: Direction, token: str, scope: Scope) -> str:
        key = token.encode("latin-1", "replace")
        alias = way.find(key, scope)
        if alias is not None:
            if alias.scope != scope and self.stands_for_itself(token, scope):
                return token
            return way.target(alias)
        if back.addresses and tokens.is_address(key):
            return self._end_of_chain(back, token, scope)
        return token

    @staticmethod
    def _end_of_chain(back: Direction, token: str, scope: Scope) -> str:
        end, seen = token, {token}
        while (alias := back.find(end.encode(), scope)) is not None:
            end = back.target(alias)
            if end in seen:
                break
            seen.add(end)
        return end

    def collides(self, token: str, scope: Scope) -> bool:
        """Whether an emulator's `token`, itself no known emulator id, is another resource's client id."""
        key = token.encode("latin-1", "replace")
        if self.to_client_index.find(key, scope) is not None:
            return False
        rival = self.to_emulator_index.find(key, scope)
        return rival is not None and rival.kind is Kind.IDENTIFIER and not self.stands_for_itself(token, scope)

    def mint(self, emulator: str, *, scope: Scope, learned_from: Origin = NO_ORIGIN) -> Alias:
        """Give the emulator's id a fresh client id of its shape, remember the pair, and hand it out."""
        client = mint.fresh(emulator, self._is_used)
        alias = Alias(client, emulator, scope, Kind.IDENTIFIER, learned_from, minted=True)
        self.add(client, emulator, scope=scope, learned_from=learned_from, minted=True)
        self._minted.append(alias)
        return alias

    def reserve(self, client_ids: set[str]) -> None:
        """Client ids that exist but are not aliased yet (a restore that is still to come): never minted."""
        self._reserved |= client_ids

    def _is_used(self, token: str) -> bool:
        key = token.encode()
        return (
            key in self.to_emulator_index.pairs
            or key in self.to_client_index.pairs
            or token in self._same
            or token in self._reserved
        )

    def take_minted(self) -> list[Alias]:
        """The pairs minted since the last call of this method."""
        minted, self._minted = self._minted, []
        return minted

    def listing(self) -> list[dict[str, object]]:
        """All pairs for people and programs, in the order in which they were learned."""
        return [alias.as_json() for alias in sorted(self, key=lambda a: (a.learned_from.seq, a.client))]


def _sought(identifier: str) -> set[bytes]:
    """What a first look finds `identifier` by. Raises ValueError where there is nothing, or where it is not ASCII."""
    token = identifier.encode("ascii")
    return {token} if tokens.is_address(token) else {token, tokens.anchor(token)}
