"""One alias, and the index of all aliases in one direction.

`alias_table` has the table of both directions, and says what aliases are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from replay_proxy.footprint.additions import MAKING_OTHERS
from replay_proxy.footprint.names.resource_names import services_of_arn
from replay_proxy.identifiers.table import tokens
from replay_proxy.identifiers.table.drawn_forms import DrawnForms
from replay_proxy.identifiers.table.networks import Networks
from replay_proxy.identifiers.table.scope import ANYWHERE, Scope


class AliasKind(StrEnum):
    """What an alias stands for. It decides where its token is looked for.

    HOST: a label of a host that could be anything elsewhere. NETWORK: an IPv6 block or address; it stands for everything
    inside it (`networks`). SECRET: a secret that the emulator drew, shown to nobody but its clients. NAME: a name that a
    client chose, which both sides spell alike, whatever identifiers are in it (`chosen_names`).
    """

    IDENTIFIER = "identifier"
    ADDRESS = "address"
    NETWORK = "network"
    SECRET = "secret"  # noqa: S105 - the name of a kind
    ACCOUNT = "account"
    REGION = "region"
    HOST = "host"
    NAME = "name"


MASKED = "(secret)"
"""What listings for people show in the place of a secret."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The call that taught an alias: its sequence number in the journal (0 for a live one), operation and member.

    namespace: that of the ARN of which the identifier was a part; empty where it stood in none.
    """

    seq: int = 0
    call: str = ""
    member: str = ""
    namespace: str = ""

    @property
    def service(self) -> str:
        """The service whose call it was; empty where that is not known."""
        service, colon, _ = self.call.partition(":")
        return service if colon else ""

    @property
    def services(self) -> frozenset[str]:
        """The services of which the identifier is; empty where it may be of any, since others' things are shown there.

        An ARN says of whose service it is, in whichever call it stood.
        """
        if self.namespace:
            owners = services_of_arn(self.namespace)
            return frozenset({self.service}) if self.service in owners else owners
        return frozenset({self.service} - MAKING_OTHERS)


NO_ORIGIN = Origin()


@dataclass(frozen=True, slots=True)
class Alias:
    """A pair of identifiers of one resource: what clients call it, and what the emulator calls it.

    minted: the client id was made up because of a collision.
    """

    client: str
    emulator: str
    scope: Scope = ANYWHERE
    kind: AliasKind = AliasKind.IDENTIFIER
    learned_from: Origin = NO_ORIGIN
    minted: bool = False

    def as_json(self) -> dict[str, object]:
        """Return the alias as `replay-proxy aliases --json` lists it."""
        return {
            "client": self.client,
            "emulator": self.emulator,
            "kind": str(self.kind),
            "account": self.scope.account,
            "region": self.scope.region,
            "learned_from": {
                "seq": self.learned_from.seq,
                "call": self.learned_from.call,
                "member": self.learned_from.member,
                **({"namespace": self.learned_from.namespace} if self.learned_from.namespace else {}),
            },
            "minted": self.minted,
        }


def without_secrets(listing: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a listing of aliases (`AliasTable.listing`) as people may see it: the secrets masked, chosen names left out."""
    return [
        {**entry, "client": MASKED, "emulator": MASKED} if entry["kind"] == AliasKind.SECRET else dict(entry)
        for entry in listing
        if entry["kind"] != AliasKind.NAME
    ]


class Substitution(NamedTuple):
    """What a token that a prescan found is replaced by, if the caller's scope is `scope`.

    old: the identifier that the token names: itself, or the one compound whose index word it is.
    """

    old: bytes
    new: bytes
    scope: Scope


class _Substitutions(dict[bytes, Substitution | None]):
    """The substitution of each token, worked out once by `find`; after that a lookup costs no function call."""

    def __init__(self, find: Callable[[bytes], Substitution | None]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, token: bytes) -> Substitution | None:
        substitution = self[token] = self._find(token)
        return substitution


class AliasIndex:
    """The aliases in one direction, by the token that is looked for.

    pairs: by whole identifier. bound: those of them that are replaced in places of identifiers only, because they could
    be anything elsewhere (`distinctive`). forms: what is drawn like one that could not. compounds: by index word, the
    compounds that it may belong to. networks: blocks of addresses. names: those of them that clients chose. addresses: how
    many of the identifiers are addresses. size: number of aliases.
    """

    __slots__ = (
        "addresses",
        "bound",
        "compounds",
        "forms",
        "names",
        "networks",
        "pairs",
        "reverse",
        "search_tokens",
        "size",
        "substitutions",
    )

    def __init__(self, forms: DrawnForms, *, reverse: bool) -> None:
        self.reverse = reverse
        self.forms = forms
        self.pairs: dict[bytes, list[Alias]] = {}
        self.bound: set[bytes] = set()
        self.compounds: dict[bytes, set[bytes]] = {}
        self.networks = Networks()
        self.names: set[bytes] = set()
        self.addresses = 0
        self.size = 0
        # Everything that a prescan must find. It never shrinks, which costs a scan at most.
        self.search_tokens: set[bytes] = set()
        # None for a token of which only `scan.find` can tell what it becomes.
        self.substitutions = _Substitutions(self._substitution)

    def source(self, alias: Alias) -> bytes:
        """Return the token of `alias` that this direction looks for."""
        return (alias.emulator if self.reverse else alias.client).encode()

    def target(self, alias: Alias) -> str:
        """Return what this direction replaces the token of `alias` by."""
        return alias.client if self.reverse else alias.emulator

    def insert(self, alias: Alias) -> None:
        """Add `alias`."""
        token = self.source(alias)
        self.size += 1
        self.substitutions.clear()
        known = self.pairs.get(token)
        if known is not None:
            known.append(alias)
            return
        self.pairs[token] = [alias]
        if alias.kind is AliasKind.NETWORK:
            self.networks.add(self.source(alias).decode(), self.target(alias))
            return
        if alias.kind is AliasKind.NAME:
            self.names.add(token)
        if self._is_bound(alias, token):
            self.bound.add(token)
        if tokens.is_word(token):
            return
        if tokens.is_address(token):
            self.addresses += 1
            return
        self.compounds.setdefault(tokens.index_word(token), set()).add(token)

    def _is_bound(self, alias: Alias, token: bytes) -> bool:
        origin = alias.learned_from
        return alias.kind is AliasKind.HOST or (
            bool(origin.service)
            and alias.kind is AliasKind.IDENTIFIER
            and not self.forms.is_distinctive(origin.service, origin.member, token.decode("latin-1"))
        )

    def release(self) -> None:
        """Bind no longer what has turned out to be drawn like distinctive identifiers."""
        released = {token for token in self.bound if not self._is_bound(self.pairs[token][0], token)}
        if released:
            self.bound -= released
            self.substitutions.clear()

    def remove(self, alias: Alias) -> None:
        """Remove `alias`."""
        token = self.source(alias)
        self.size -= 1
        self.substitutions.clear()
        known = self.pairs[token]
        known.remove(alias)
        if known:
            return
        del self.pairs[token]
        if alias.kind is AliasKind.NETWORK:
            self.networks.remove(token.decode())
            return
        self.bound.discard(token)
        self.names.discard(token)
        if tokens.is_word(token):
            return
        if tokens.is_address(token):
            self.addresses -= 1
            return
        word = tokens.index_word(token)
        self.compounds[word].discard(token)
        if not self.compounds[word]:
            del self.compounds[word]

    def sole(self, token: bytes) -> Alias | None:
        """Return the alias of `token` if it is the only one and holds everywhere; else None."""
        known = self.pairs.get(token)
        if known is None or len(known) != 1 or known[0].kind is not AliasKind.IDENTIFIER:
            return None
        return known[0]

    def _substitution(self, token: bytes) -> Substitution | None:
        if token in self.networks:
            return None
        wholes = self.compounds.get(token)
        if wholes is None:
            old = token
        elif len(wholes) == 1 and token not in self.pairs:
            (old,) = wholes
        else:
            return None
        pair = self.sole(old)
        if pair is None or old in self.bound or old.isdigit() or tokens.is_address(old) or tokens.has_escapes(old):
            return None
        return Substitution(old, self.target(pair).encode(), pair.scope)

    def find(self, token: bytes, scope: Scope) -> Alias | None:
        """Return the alias of `token` for a caller in `scope`: of its scope, else of its account, else the newest."""
        known = self.pairs.get(token)
        if known is None:
            return None
        if len(known) == 1 and known[0].kind not in (AliasKind.ACCOUNT, AliasKind.REGION):
            return known[0]
        best, rank = None, -1
        for alias in known:
            fit = 2 * (alias.scope.account == scope.account) + (alias.scope.region in (scope.region, ""))
            if alias.kind is AliasKind.REGION and alias.scope.region != scope.region:
                continue
            if fit >= rank:
                best, rank = alias, fit
        return best
