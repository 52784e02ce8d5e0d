"""Do two outcomes of a call say the same, once identifiers are the clients'?

Used to decide whether a call of a restore counts as restored, and to measure what diverged. Both outcomes are walked
together as for learning; a replayed string is first translated to client ids. Points in time, names of exchanges and
measured numbers are no difference, and a member that is missing is the same as one that is empty, false or zero.
Secrets, key material, labels, states on the way (`creating` for `available`) and members that only the replayed
outcome has are *noted*: they cannot be, or need not yet be, the same. Everything else that differs is a *divergence*.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from replay_proxy.exchange import BlobRef, CallHead
from replay_proxy.identifiers.aliases import AliasTable
from replay_proxy.identifiers.align import MISSING, Doubt, Known, Leaf, walk
from replay_proxy.identifiers.forms import without_authority
from replay_proxy.identifiers.learn import known_from, output_shape
from replay_proxy.identifiers.members import Role
from replay_proxy.identifiers.rewrite import scope_of
from replay_proxy.wire.answers import Outcome

_LONGEST_SHOWN = 200
# States that are no matter of time: something was set, or went wrong.
_SETTLED = re.compile(
    r"enabl|disabl|suspend|inactive|fail|error|rollback|delet|stop|terminat|reject|expire|cancel|abort"
)
_PORT = re.compile(r":\d{1,5}(?=/|$)")


class Severity(StrEnum):
    """What a difference means."""

    NOTE = "note"
    DIVERGED = "diverged"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place in which two outcomes differ. `expected` is recorded, `actual` replayed, in client ids, as text."""

    path: str
    expected: str
    actual: str
    severity: Severity = Severity.DIVERGED

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.actual}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether two outcomes are equivalent (nothing diverged), and every difference, notes included."""

    equivalent: bool
    differences: tuple[Difference, ...] = ()


def equivalent(head: CallHead, recorded: Outcome, replayed: Outcome, table: AliasTable) -> Verdict:
    """Judge the replayed outcome of the call `head` by the recorded one."""
    found = tuple(differences(head, recorded, replayed, table))
    return Verdict(all(each.severity is Severity.NOTE for each in found), found)


def differences(head: CallHead, recorded: Outcome, replayed: Outcome, table: AliasTable) -> list[Difference]:
    """What differs between two outcomes of the call `head` after aliasing, in the order of the recorded one."""
    if recorded.ok != replayed.ok:
        return [Difference("outcome", _brief(recorded), _brief(replayed))]
    if not recorded.ok:
        if recorded.error_code == replayed.error_code and recorded.status // 100 == replayed.status // 100:
            return []
        return [Difference("error", _brief(recorded), _brief(replayed))]
    known = known_from(table, scope_of(head))
    found = []
    for place in walk(head, output_shape(head), recorded.parsed, replayed.parsed, known):
        if isinstance(place, Doubt):
            continue
        severity = _severity(place, known)
        if severity is not None:
            actual = known.to_client(place.replayed) if isinstance(place.replayed, str) else place.replayed
            found.append(Difference(place.path, _shown(place.recorded), _shown(actual), severity))
    return found


def _severity(leaf: Leaf, known: Known) -> Severity | None:
    """How bad it is; None where it is no difference."""
    if leaf.role is Role.VOLATILE or _same(leaf.recorded, leaf.replayed, known):
        return None
    if _is_time(leaf.recorded) and _is_time(leaf.replayed):
        return None
    if leaf.role in (Role.SECRET, Role.LABEL):
        return Severity.NOTE
    if leaf.role is Role.STATE and not any(_is_settled(value) for value in (leaf.recorded, leaf.replayed)):
        return Severity.NOTE
    if leaf.recorded is MISSING and not leaf.path.endswith("[+]"):
        return Severity.NOTE  # the emulator says more than it said then, which contradicts nothing
    return Severity.DIVERGED


def _is_settled(value: Any) -> bool:
    return isinstance(value, str) and _SETTLED.search(value.lower()) is not None


def _same(recorded: Any, replayed: Any, known: Known) -> bool:
    if recorded is MISSING or replayed is MISSING:
        return _is_empty(recorded) and _is_empty(replayed)
    if isinstance(recorded, str) and isinstance(replayed, str):
        actual = known.to_client(replayed)
        return recorded == actual or _pointless(recorded) == _pointless(actual)
    if isinstance(recorded, BlobRef) or isinstance(replayed, BlobRef):
        return isinstance(recorded, BlobRef) and isinstance(replayed, BlobRef) and recorded == replayed
    return bool(recorded == replayed)


def _pointless(text: str) -> str:
    """A URL, or a host with its port, less what it points to."""
    return _PORT.sub("", without_authority(text))


def _is_time(value: Any) -> bool:
    if isinstance(value, datetime.datetime):
        return True
    return isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", value) is not None


def _is_empty(value: Any) -> bool:
    return value is MISSING or not value


def _brief(outcome: Outcome) -> str:
    return f"status {outcome.status}" + (f" ({outcome.error_code})" if outcome.error_code else "")


def _shown(value: Any) -> str:
    text = "nothing" if value is MISSING else value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
