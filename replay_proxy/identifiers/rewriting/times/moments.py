"""When calls were made at first, and when they were made again; which of these moments a time belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import floor
from typing import Any, NamedTuple

from replay_proxy.footprint.additions import makes
from replay_proxy.identifiers.rewriting.times.time_places import FAR, TimePlace

CLOCK_SLACK_S = 1.0
"""Emulators cut times to whole seconds, and some read the clock before they carry out a call."""

_MILLISECONDS, _EXACTNESS = 1000, 0.001
"""Of a second; and how exactly a number tells them: a double has a quarter of a microsecond today."""


_CHANCE_S = 0.5
"""In a shorter call, a whole second lies less often than not."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a call was made at first, and between which times it was made again: seconds since the epoch.

    creates: whether it made something, or changed it. guessed: no answer showed the original time, so that it is that of the
    call's end. operation: what was called. of_part: what was made has no name, and is a part of what is named. took: how long
    the call took at first, in seconds. within: the short names of what the call named beside what it made or changed: two parents
    may have children of one name. aside: whether the name of the call does not say that it has changed what it names: it may have
    (`ExecuteChangeSet`), or not (`TagResource`). ruled_out: whether another call of the same name made the thing that is there
    now: one before it, whose thing it found (a second `CreateBucket`), or one after what it had made was deleted.
    """

    original: float
    begun: float
    ended: float
    creates: bool
    guessed: bool = False
    operation: str = ""
    of_part: bool = False
    took: float = 0.5
    within: tuple[str, ...] = ()
    aside: bool = False
    ruled_out: bool = False

    @property
    def beginning(self) -> tuple[float, float, str]:
        """The call, whatever was noted of what it named."""
        return self.original, self.begun, self.operation

    def covers(self, seconds: float) -> bool:
        """Return whether this time (seconds since the epoch) lies in the moment in which the call was made again."""
        return self.begun - CLOCK_SLACK_S < seconds <= self.ended + CLOCK_SLACK_S

    def surely_covers(self, seconds: float) -> bool:
        """Return whether this time, which tells parts of seconds, lies between the beginning and the end of the call."""
        return bool(seconds % 1) and self.holds(seconds)

    def holds(self, seconds: float) -> bool:
        """Return whether this time lies between the beginning and the end of the call, where it may be cut to milliseconds."""
        return _cut_like(self.begun, seconds) <= seconds <= self.ended

    def holds_by_chance(self, seconds: float) -> bool:
        """Return whether a time that is cut to whole seconds may lie in the call: not so where that is short."""
        return not self.holds(seconds) or self.ended - self.begun >= _CHANCE_S

    def original_of(self, seconds: float, *, is_cut: bool = True) -> float:
        """Return the original of a time in this moment: as long before the end of the call, where only that is known.

        is_cut: whether a time without parts of seconds is cut to whole ones.

        The end tells it better than the beginning: a call that takes long is mostly one for which an emulator loads something
        first.
        """
        if self.guessed and self.holds(seconds) and (seconds % 1 or not is_cut):
            return self.original - min(self.ended - seconds, self.took)
        return self.original

    def listing(self) -> list[Any]:
        """Return everything as JSON; `of_listing` reads it."""
        flags = self.creates + 2 * self.guessed + 4 * self.of_part + 8 * self.aside + 16 * self.ruled_out
        return [self.original, self.begun, self.ended, flags, self.operation, self.took, *self.within]

    @classmethod
    def of_listing(cls, listing: Sequence[Any]) -> Moment:
        """Return the moment that `listing` gave."""
        original, begun, ended, flags, *rest = listing
        operation, took, *within = rest or ("", 0.5)  # of sessions that began with an earlier version
        creates, guessed, of_part, aside, ruled_out = (bool(int(flags) & bit) for bit in (1, 2, 4, 8, 16))
        return cls(original, begun, ended, creates, guessed, operation, of_part, took, tuple(within), aside, ruled_out)


class Pair(NamedTuple):
    """A time that the emulator shows in a member, and the one that was shown there at first: seconds since the epoch.

    thing: what the member is of, as `TimePlace.words` calls it; empty where that is not known. names: stands for all names of
    that, empty where these are not known. seq: of the record that showed it.
    """

    member: str
    emulator: float
    client: float
    thing: str = ""
    names: str = ""
    seq: int = 0

    def replaces(self, other: Pair) -> bool:
        """Return whether a later answer shows by this pair what the same member of the same thing has become."""
        same = (self.member, self.thing, self.names) == (other.member, other.thing, other.names)
        return same and bool(self.names) and self.seq > other.seq

    def is_of_later(self, moment: Moment, seconds: float) -> bool:
        """Return whether this very time was shown for one that is later than the moment of a call, so that it is not of that."""
        return self.emulator == seconds and self.client > moment.original_of(seconds) + CLOCK_SLACK_S


class Named(NamedTuple):
    """The moments of a name, and the member in which it stands. near: those of what belongs to something named around it."""

    member: str
    moments: list[Moment]
    near: frozenset[Moment] = frozenset()


def named_in(member: str, moments: list[Moment], around: AbstractSet[str]) -> Named:
    """Return the moments of a name that stands among others: not those of the children of others, where it has some of its own.

    around: the short names around it, and those in the request. Names such as `v4` are unique within their parent only.
    """
    near = frozenset(each for each in moments if not around.isdisjoint(each.within))
    if not near:
        return Named(member, moments)
    return Named(member, [each for each in moments if each in near or not each.within], near)


def exactness(named: Named) -> tuple[int, float]:
    """Return a sort key of the moments of a name: the name of fewer calls is the more exact one.

    Of two such, it is that of what was made later: what is made names what it is made in, which was there before.
    """
    return len(named.moments), -named.moments[-1].original


def made(known: list[Named], seconds: float, place: TimePlace) -> Moment | None:
    """Return the moment in which something was made at this time; None where several could be.

    known: the moments of its names, the most exact one first. Most of the names beside a time are those of the thing itself (its
    name, its id, its ARN); others are of what it refers to. Of things that share a name, the words of the place tell one.
    """
    votes: dict[Moment, int] = {}
    ranks: dict[Moment, tuple[bool, int, bool, bool, bool]] = {}
    for named in _exact(known, seconds) or known:
        candidates = [
            each
            for each in covering(named.moments, seconds)
            if place.can_name(named.member, each.operation)
            and not _makes_something_else(each)
            and (each.creates or place.takes(each.operation))
        ]
        if place.tells_of_creation:
            candidates = [each for each in candidates if _fits(each, place)] or candidates
        else:
            candidates = _latest_begun(candidates, seconds)
        rank = {moment: (*_rank(moment, place), moment not in named.near) for moment in candidates}
        first = min(rank.values(), default=None)
        best = [moment for moment in candidates if rank[moment] == first]
        # A copy in another region was made by the call that copied, and not by the one that made the first thing.
        best = [moment for moment in best if moment.creates and not makes(moment.operation)] or best
        best = [moment for moment in best if not moment.ruled_out] or best
        if place.tells_of_creation and len({(moment.operation, moment.creates, moment.within) for moment in best}) == 1:
            # What is put was made when that was done for the first time. (A creation that is repeated is ruled out.)
            best = best if best[0].creates else [min(best, key=lambda moment: moment.original)]
        if len(best) == 1 and first is not None:
            votes[best[0]] = votes.get(best[0], 0) + 1
            # How exactly the words fit tells calls of one name apart, and not those of several names.
            ranks[best[0]] = (first[0], first[1] // 2, *first[2:])
    nearest = min(ranks.values(), default=None)
    left = {moment: count for moment, count in votes.items() if ranks[moment] == nearest}
    return max(left, key=lambda moment: left[moment], default=None)  # the first of equals


def _latest_begun(moments: list[Moment], seconds: float) -> list[Moment]:
    """Return the moments of the call that had begun last at a time that tells parts of seconds and lies in none of them.

    What a call has begun goes on after its answer, until the next one.
    """
    begun = [each for each in moments if _cut_like(each.begun, seconds) <= seconds]
    if not seconds % 1 or not begun or any(each.holds(seconds) for each in moments):
        return moments
    last = max(each.begun for each in begun)
    return [each for each in begun if each.begun == last]


def _makes_something_else(moment: Moment) -> bool:
    """Return whether a call changed the named thing by making something in it: a version of a policy."""
    return not moment.creates and makes(moment.operation)


def _rank(moment: Moment, place: TimePlace) -> tuple[bool, int, bool, bool]:
    """Return a sort key of a moment by how well it fits a place; what is put, and made nowhere else, was made by that."""
    distance, fits = place.distance(moment.operation), _fits(moment, place)
    return not (fits and distance < FAR), distance, not fits, not moment.creates or moment.of_part


def _fits(moment: Moment, place: TimePlace) -> bool:
    """Return whether the words of a place are those of what a call did: of all that made something, a time of creation."""
    return place.fits(moment.operation) or (moment.creates and place.tells_of_creation)


def _exact(known: list[Named], seconds: float) -> list[Named]:
    """Return those of several names that have a moment which this time lies in exactly, where it tells parts of seconds."""
    if not seconds % 1:
        return []
    return [named for named in known if any(each.holds(seconds) for each in named.moments)]


def latest(known: list[Named], seconds: float, place: TimePlace) -> Moment | None:
    """Return the latest moment in which something was made or changed at this time; None where none covers it.

    known: the moments of its names, the most exact one first. Of the others, those count that have the same beginning: a change
    names a thing by one of its names, and its creation showed all of them.
    """
    known = _exact(known, seconds) or known
    # A child that stands beside the time of its parent, as the version that counts, tells of it where nothing else does.
    return _latest(known, seconds, place, of_children=False) or _latest(known, seconds, place, of_children=True)


def or_aside(found: Moment | None, asides: list[Moment], seconds: float) -> Moment | None:
    """Return the moment of a change: `found`, or that of a call which may have made it, where this fits better.

    asides: the moments of such calls. They count where parts of seconds tell, or where nothing else was found.
    """
    if found is not None and (found.surely_covers(seconds) or not seconds % 1):
        return found
    fitting = [each for each in asides if each.surely_covers(seconds) or (not seconds % 1 and each.covers(seconds))]
    return max(fitting, key=lambda moment: moment.original, default=found)


def _latest(known: list[Named], seconds: float, place: TimePlace, of_children: bool) -> Moment | None:
    for index, (member, all_of_name, near) in enumerate(known):
        moments = [
            each
            for each in all_of_name
            if place.can_name(member, each.operation) and (each.creates or place.takes(each.operation))
        ]
        candidates = _of_place(covering(moments, seconds), place)
        if not of_children:
            candidates = [each for each in candidates if each not in near or place.distance(each.operation) < FAR]
        if not candidates:
            continue
        made = {moment.beginning for moment in moments if moment.creates}
        same = [each for each in known[index + 1 :] if any(moment.beginning in made for moment in each.moments)]
        others = [moment for each in same for moment in each.moments if moment.creates or place.takes(moment.operation)]
        candidates = _of_place(covering([*moments, *others], seconds), place)
        of_kind = [moment for moment in candidates if place.may_tell_of(moment.operation)]
        return max(of_kind or candidates, key=lambda moment: moment.original)
    return None


def _of_place(moments: list[Moment], place: TimePlace) -> list[Moment]:
    """Leave out the making of nameless parts where the time is not that of such a part."""
    return [each for each in moments if not each.of_part or place.distance(each.operation) < FAR]


def covering(moments: list[Moment], seconds: float) -> list[Moment]:
    """Return the moments that this time may lie in: those that it lies in exactly, where parts of seconds tell calls apart."""
    covering = [moment for moment in moments if moment.covers(seconds)]
    exactly = [moment for moment in covering if moment.holds(seconds)]
    return exactly if exactly and seconds % 1 else covering


def _cut_like(begun: float, seconds: float) -> float:
    """Return `begun`, cut to milliseconds where `seconds` is: calls can be shorter than that."""
    milliseconds = seconds * _MILLISECONDS
    whole = abs(milliseconds - round(milliseconds)) < _EXACTNESS
    return floor(begun * _MILLISECONDS) / _MILLISECONDS if whole else begun


def is_same(one: float, two: float) -> bool:
    """Return whether two times may be the same, where either may be cut to whole seconds or milliseconds."""
    if one % 1 and two % 1:
        return abs(one - two) < 0.002
    return abs(one - two) < 1
