"""One learned pair, and one way through all of them.

`aliases` has the table, and tells what pairs are for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from replay_proxy.identifiers import tokens


class Scope(NamedTuple):
    """Whose identifiers: 12 digits (empty: the emulator's default account) and a region (empty: none named)."""

    account: str = ""
    region: str = ""


ANYWHERE = Scope()


class Kind(StrEnum):
    """What an alias stands for. It decides where its token is looked for."""

    IDENTIFIER = "identifier"
    ADDRESS = "address"
    ACCOUNT = "account"
    REGION = "region"


@dataclass(frozen=True, slots=True)
class Origin:
    """The call that taught an alias: its sequence number in the journal (0 for a live one), operation and member."""

    seq: int = 0
    call: str = ""
    member: str = ""


NO_ORIGIN = Origin()


@dataclass(frozen=True, slots=True)
class Alias:
    """One learned pair."""

    client: str
    emulator: str
    scope: Scope = ANYWHERE
    kind: Kind = Kind.IDENTIFIER
    learned_from: Origin = NO_ORIGIN
    minted: bool = False

    def as_json(self) -> dict[str, object]:
        """The pair as the listing of `replay-proxy aliases` shows it."""
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
            },
            "minted": self.minted,
        }


class Swap(NamedTuple):
    """What becomes of a token that a first look found, where nothing but its scope has to be asked.

    old: the identifier that it names: itself, or the one compound that it is the anchor of.
    """

    old: bytes
    new: bytes
    scope: Scope


class _Swaps(dict[bytes, Swap | None]):
    """What is known of each token by `find`, so that it is worked out once: to look it up costs no call."""

    def __init__(self, find: Callable[[bytes], Swap | None]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, token: bytes) -> Swap | None:
        swap = self[token] = self._find(token)
        return swap


class Direction:
    """One way through the table: the pairs by the token that is looked for."""

    __slots__ = ("addresses", "anchors", "pairs", "reverse", "size", "sought", "swaps")

    def __init__(self, *, reverse: bool) -> None:
        self.reverse = reverse
        self.pairs: dict[bytes, list[Alias]] = {}
        self.anchors: dict[bytes, set[bytes]] = {}
        self.addresses = 0
        self.size = 0
        # All that a first look has to look for. It is never made smaller, which does no harm.
        self.sought: set[bytes] = set()
        # What becomes of a token that a first look found; None where only `scan.find` can tell.
        self.swaps = _Swaps(self._swap)

    def source(self, alias: Alias) -> bytes:
        """The token of `alias` that this direction looks for."""
        return (alias.emulator if self.reverse else alias.client).encode()

    def target(self, alias: Alias) -> str:
        """What this direction makes of it."""
        return alias.client if self.reverse else alias.emulator

    def insert(self, alias: Alias) -> None:
        """Make `alias` findable."""
        token = self.source(alias)
        self.size += 1
        self.swaps.clear()
        known = self.pairs.get(token)
        if known is not None:
            known.append(alias)
            return
        self.pairs[token] = [alias]
        if tokens.is_run(token):
            return
        if tokens.is_address(token):
            self.addresses += 1
            return
        self.anchors.setdefault(tokens.anchor(token), set()).add(token)

    def remove(self, alias: Alias) -> None:
        """Make `alias` unfindable."""
        token = self.source(alias)
        self.size -= 1
        self.swaps.clear()
        known = self.pairs[token]
        known.remove(alias)
        if known:
            return
        del self.pairs[token]
        if tokens.is_run(token):
            return
        if tokens.is_address(token):
            self.addresses -= 1
            return
        run = tokens.anchor(token)
        self.anchors[run].discard(token)
        if not self.anchors[run]:
            del self.anchors[run]

    def sole(self, token: bytes) -> Alias | None:
        """The pair of `token` where there is one only, of a kind that holds everywhere."""
        known = self.pairs.get(token)
        if known is None or len(known) != 1 or known[0].kind is not Kind.IDENTIFIER:
            return None
        return known[0]

    def _swap(self, token: bytes) -> Swap | None:
        wholes = self.anchors.get(token)
        if wholes is None:
            old = token
        elif len(wholes) == 1 and token not in self.pairs:
            (old,) = wholes
        else:
            return None
        pair = self.sole(old)
        if pair is None or tokens.is_address(old) or tokens.has_escapes(old):
            return None
        return Swap(old, self.target(pair).encode(), pair.scope)

    def find(self, token: bytes, scope: Scope) -> Alias | None:
        """The pair of `token` for a caller in `scope`: of its scope, else of its account, else the newest anywhere."""
        known = self.pairs.get(token)
        if known is None:
            return None
        if len(known) == 1 and known[0].kind not in (Kind.ACCOUNT, Kind.REGION):
            return known[0]
        best, rank = None, -1
        for alias in known:
            fit = 2 * (alias.scope.account == scope.account) + (alias.scope.region in (scope.region, ""))
            if alias.kind is Kind.REGION and alias.scope.region != scope.region:
                continue
            if fit >= rank:
                best, rank = alias, fit
        return best
