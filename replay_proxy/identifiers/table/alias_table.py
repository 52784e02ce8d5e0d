"""The table of aliases: which identifier clients know, and which one the emulator uses today.

Clients live in a stable namespace. They know a resource by the identifier they were shown first, the *client id*; the
journal holds nothing else. The emulator knows it by the *emulator id* of this session. An alias is such a pair, with the
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
  next session learns anew from the journal, as any other.

IP addresses come from small spaces, where chance collisions are common and clients choose values themselves. There
the partial mapping is completed to a permutation instead: an emulator's address that no client was shown stands for
the address at the other end of its chain of pairs, so that an address that looks free to a client is free. A block of
IPv6 addresses stands for all that lies inside it, subnets and single addresses (`networks`).

Scopes: most identifiers are random, so a pair is found from any scope as long as it is the only one for its token.
Where several scopes know a token (two regions with counters), the caller's scope decides, and the table remembers in
which scopes a token stands for itself. Regions belong strictly to the scope of their caller.
"""

from __future__ import annotations

from collections.abc import Iterator

from replay_proxy.identifiers.table import mint, tokens
from replay_proxy.identifiers.table.alias import NO_ORIGIN, Alias, AliasIndex, AliasKind, Origin
from replay_proxy.identifiers.table.drawn_forms import DrawnForms
from replay_proxy.identifiers.table.networks import search_words
from replay_proxy.identifiers.table.scope import ANYWHERE, Scope

__all__ = ["ANYWHERE", "Alias", "AliasKind", "AliasTable", "Origin", "Scope"]


class AliasTable:
    """All aliases of this session. Not thread-safe; one task at a time adds to it."""

    def __init__(self) -> None:
        self._forms = DrawnForms()
        self.to_emulator_index = AliasIndex(self._forms, reverse=False)
        self.to_client_index = AliasIndex(self._forms, reverse=True)
        self._same: dict[str, set[Scope]] = {}
        self._minted: list[Alias] = []
        self._accounts: dict[str, str] = {}
        self._kept_accounts: set[str] = set()

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
        kind: AliasKind | None = None,
        learned_from: Origin = NO_ORIGIN,
        minted: bool = False,
    ) -> list[Alias]:
        """Add an alias, and return the older ones of the same scope that it contradicts; these are removed.

        client, emulator: what either side calls the resource. Equal strings are remembered as standing for themselves
        in `scope`, and contradict nothing. kind: None to tell by the text whether it is an address. An account that is
        the pair of another one already, or has kept its name, gets no alias.

        Raises:
            ValueError: a string that no scan could find: no word and no address in it, or not ASCII.
        """
        if client == emulator and kind is not AliasKind.NAME:
            self._same.setdefault(client, set()).add(scope)
            return []
        kind = kind or (AliasKind.ADDRESS if tokens.is_address(client.encode("ascii")) else AliasKind.IDENTIFIER)
        if kind is AliasKind.ACCOUNT and (client in self._kept_accounts or self.note_accounts(client, emulator)):
            return []
        alias = Alias(client, emulator, scope, kind, learned_from, minted)
        client_tokens, emulator_tokens = _search_tokens(client, kind), _search_tokens(emulator, kind)
        known = [a for a in self.to_emulator_index.pairs.get(client.encode(), ()) if a.scope == scope]
        same = next((a for a in known if a.emulator == emulator), None)
        if same is not None and same.kind is not AliasKind.HOST:
            return []
        others = [a for a in self.to_client_index.pairs.get(emulator.encode(), ()) if a.scope == scope]
        displaced = known + [a for a in others if a is not same]
        for old in displaced:
            self.to_emulator_index.remove(old)
            self.to_client_index.remove(old)
        is_new_form = kind is AliasKind.IDENTIFIER and self._forms.learn(
            learned_from.service, learned_from.member, (client, emulator)
        )
        self.to_emulator_index.insert(alias)
        self.to_client_index.insert(alias)
        if is_new_form:
            self.to_emulator_index.release()
            self.to_client_index.release()
        # Towards clients their ids are collisions; towards the emulator its addresses are the ends of chains.
        self.to_emulator_index.search_tokens |= client_tokens
        self.to_client_index.search_tokens |= emulator_tokens
        if kind is AliasKind.NETWORK:
            return [old for old in displaced if old is not same]
        self.to_client_index.search_tokens.add(client.encode())
        if tokens.is_address(emulator.encode()):
            self.to_emulator_index.search_tokens.add(emulator.encode())
        return [old for old in displaced if old is not same]

    def keep_account(self, account: str) -> None:
        """Note that the emulator calls an account as clients do: it showed that without having been told.

        Where it has another name for that account, it has repeated what it was told before.
        """
        if not any(alias.kind is AliasKind.ACCOUNT for alias in self.to_emulator_index.pairs.get(account.encode(), ())):
            self._kept_accounts.add(account)

    def note_accounts(self, client: str, emulator: str) -> str:
        """Note that clients call `client` the account that the emulator calls `emulator`.

        Returns the account of clients for which the emulator's was noted before; empty where it was none, or the same. Two
        accounts never become one by an alias: the one that has the same name on both sides keeps it, else the first.
        """
        known = self._accounts.setdefault(emulator, client)
        if known == client:
            return ""
        if client == emulator:
            self._accounts[emulator] = client
            for old in [*self.to_emulator_index.pairs.get(known.encode(), ())]:
                if old.kind is AliasKind.ACCOUNT and old.emulator == emulator:
                    self.to_emulator_index.remove(old)
                    self.to_client_index.remove(old)
        return known

    def account_of_emulator(self, client: str, scope: Scope) -> str:
        """Return what the emulator is known to call an account of clients; empty where nothing showed it."""
        emulator = self.to_emulator(client, scope)
        return emulator if emulator != client or client in self._kept_accounts else ""

    def contradicted_by(self, client: str, emulator: str, scope: Scope) -> list[Alias]:
        """Return the aliases of exactly this scope that pair one of the two ids with another one."""
        rivals = self._of_scope(self.to_emulator_index, client, scope)
        rivals += self._of_scope(self.to_client_index, emulator, scope)
        return [alias for alias in rivals if (alias.client, alias.emulator) != (client, emulator)]

    @staticmethod
    def _of_scope(index: AliasIndex, token: str, scope: Scope) -> list[Alias]:
        return [alias for alias in index.pairs.get(token.encode("latin-1", "replace"), ()) if alias.scope == scope]

    def knows(self, client: str, emulator: str, scope: Scope, kind: AliasKind = AliasKind.IDENTIFIER) -> bool:
        """Return whether a caller in `scope` finds this very pair, whatever the scope in which it was learned.

        As a label of a host it is not known for what is not only one (`kind`).
        """
        alias = self.to_emulator_index.find(client.encode("latin-1", "replace"), scope)
        return (
            alias is not None
            and alias.emulator == emulator
            and (alias.kind is not AliasKind.HOST or kind is AliasKind.HOST)
        )

    def has_pair(self, token: str, scope: Scope) -> bool:
        """Return whether `token` is on either side of an alias of exactly this scope."""
        return any(self._of_scope(index, token, scope) for index in (self.to_emulator_index, self.to_client_index))

    def stands_for_itself(self, token: str, scope: Scope) -> bool:
        """Return whether `token` was seen to be the same on both sides in exactly this scope."""
        return scope in self._same.get(token, ())

    def to_emulator(self, token: str, scope: Scope = ANYWHERE) -> str:
        """Return what the emulator calls what clients call `token`; `token` itself where there is no alias."""
        return self._through(self.to_emulator_index, self.to_client_index, token, scope)

    def to_client(self, token: str, scope: Scope = ANYWHERE) -> str:
        """Return what clients call what the emulator calls `token`; `token` itself where there is no alias."""
        return self._through(self.to_client_index, self.to_emulator_index, token, scope)

    def _through(self, way: AliasIndex, back: AliasIndex, token: str, scope: Scope) -> str:
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
    def _end_of_chain(back: AliasIndex, token: str, scope: Scope) -> str:
        end, seen = token, {token}
        while (alias := back.find(end.encode(), scope)) is not None:
            end = back.target(alias)
            if end in seen:
                break
            seen.add(end)
        return end

    def collides(self, token: str, scope: Scope) -> bool:
        """Return whether an emulator's `token`, which is no known emulator id, is the client id of another resource."""
        key = token.encode("latin-1", "replace")
        if self.to_client_index.find(key, scope) is not None:
            return False
        rival = self.to_emulator_index.find(key, scope)
        return rival is not None and rival.kind is AliasKind.IDENTIFIER and not self.stands_for_itself(token, scope)

    def mint(self, emulator: str, *, scope: Scope, learned_from: Origin = NO_ORIGIN) -> Alias:
        """Give the emulator's id a fresh client id of the same look, add the alias, and return it."""
        client = mint.fresh(emulator, self._is_used)
        alias = Alias(client, emulator, scope, AliasKind.IDENTIFIER, learned_from, minted=True)
        self.add(client, emulator, scope=scope, learned_from=learned_from, minted=True)
        self._minted.append(alias)
        return alias

    def keep_name(self, name: str, scope: Scope) -> bool:
        """Note a name that a client chose: no part of it is an identifier (`chosen_names`). Return whether it is a new one.

        A name that is an identifier as a whole is not noted, nor one that no scan could find.
        """
        key = name.encode("latin-1", "replace")
        if not name.isascii() or tokens.WORD.search(key) is None or tokens.is_word(key) or tokens.is_address(key):
            return False
        if key in self.to_emulator_index.pairs or key in self.to_client_index.pairs:
            return False
        self.add(name, name, scope=scope, kind=AliasKind.NAME)
        self._minted.append(self.to_emulator_index.pairs[key][-1])
        return True

    def _is_used(self, token: str) -> bool:
        key = token.encode()
        return key in self.to_emulator_index.pairs or key in self.to_client_index.pairs or token in self._same

    def take_minted(self) -> list[Alias]:
        """Return the aliases that were minted, and the names that were kept, since the last call of this method."""
        minted, self._minted = self._minted, []
        return minted

    def listing(self) -> list[dict[str, object]]:
        """Return all aliases as JSON, in the order in which they were learned."""
        return [alias.as_json() for alias in sorted(self, key=lambda a: (a.learned_from.seq, a.client))]


def _search_tokens(identifier: str, kind: AliasKind) -> set[bytes]:
    """Return the tokens by which a prescan finds `identifier`.

    Raises:
        ValueError: there is none, or the identifier is not ASCII.
    """
    if kind is AliasKind.NETWORK:
        return search_words(identifier)
    token = identifier.encode("ascii")
    return {token} if tokens.is_address(token) else {token, tokens.index_word(token)}
