"""What a session remembers of times: when each thing was made or changed at first, and when again.

A time that the emulator shows beside the name of such a thing is looked up here (`original`). How such times are found in
answers and in requests is the subject of `rewrite` and `conditions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, Self

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.additions import makes
from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.identifiers.rewriting.body.body_values import Neighbours
from replay_proxy.identifiers.rewriting.times.moments import (
    CLOCK_SLACK_S,
    Moment,
    Named,
    Pair,
    exactness,
    is_same,
    latest,
    made,
    named_in,
    or_aside,
)
from replay_proxy.identifiers.rewriting.times.sought_times import SoughtTimes
from replay_proxy.identifiers.rewriting.times.time_members import tells_of_change
from replay_proxy.identifiers.rewriting.times.time_owners import PART, Scope, accounts_around, accounts_shown
from replay_proxy.identifiers.rewriting.times.time_places import TimePlace, bare_noun
from replay_proxy.identifiers.rewriting.times.time_texts import (
    format_like,
    parse_time,
    shows_zeros,
)

REMEMBERED_BYTES_MAX = 96 << 20
"""Of moments and the names of what was made in them. What is made again beyond that shows the time of the restore."""
MOMENT_BYTES, NAME_BYTES, WITHIN_BYTES = 264, 256, 64
"""What a moment takes, and what a name takes beside its characters, here and in a moment; rounded up."""
PAIRS_OF_NAME_MAX = 32
"""Of one name. What stands beside more times than that is no name of what they belong to: an owner, an image."""
PARTS_OF_NAME_MAX = 64
"""Of one name. All of its parts are looked through for each time beside it, and a table can have thousands of partitions."""
# Services whose names hold in all regions; those of buckets hold in all accounts, too.
_GLOBAL = frozenset({"iam", "route53", "cloudfront", "organizations"})
_OF_EVERYBODY = "s3"


class RememberedTimes:
    """The moments of one session, by what was made or changed in them; and the pairs of times that are known exactly."""

    def __init__(self) -> None:
        self._moments: dict[str, list[Moment]] = {}
        self._asides: dict[str, list[Moment]] = {}
        self._pairs: dict[str, list[Pair]] = {}
        self._owners: dict[str, tuple[str, ...]] = {}
        self._called: dict[str, tuple[str, ...]] = {}
        self._copies: dict[str, set[str]] = {}
        self._sought = SoughtTimes()
        self._size = 0

    def __len__(self) -> int:
        return len(self._moments.keys() | self._asides.keys() | self._pairs.keys())

    def __bool__(self) -> bool:
        return bool(self._moments or self._asides or self._pairs)

    def remember(
        self,
        head: CallHead,
        names: Iterable[str],
        moment: Moment,
        mentioned: Iterable[str] = (),
        inside: Iterable[str] = (),
    ) -> None:
        """Remember the moment of a call that was made again.

        names: of what it made or changed: names, ids, ARNs; of objects see `object_name`. mentioned: names that its answer shows
        beside these, which may be of something else, and count only where nothing is known of them. inside: names that are
        unique only within what is named, or within what the call names beside it.
        """
        names, mentioned = list(names), list(mentioned)
        # An emulator may take a key for one of another account than it is: it makes the thing where the ARN says.
        accounts = accounts_shown([*names, *mentioned])
        for account in {accounts.get(short_name(name), "") for name in names} - {"", head.account}:
            if head.account:
                self._remember(replace(head, account=account), names, moment, mentioned, inside)
        self._remember(head, names, moment, mentioned, inside)

    def _remember(
        self, head: CallHead, names: list[str], moment: Moment, mentioned: list[str], inside: Iterable[str]
    ) -> None:
        of = (*names, *moment.within)
        for region in {each for name in of if name for each in self._copies.get(_key(head, name), ())}:
            self._remember(replace(head, region=region), names, moment, mentioned, inside)
        parents = {*moment.within, *(short_name(name) for name in names if name)}
        own = {_key(head, name) for name in names if name}
        # (A path that ends with the name of the thing is the thing itself: the location of a bucket.)
        inside = [name for name in inside if name and (name == short_name(name) or _key(head, name) not in own)]
        within = {_key(head, name) for name in inside} if parents else set()
        own -= within
        for key in within:
            self._keep(key, replace(moment, within=tuple(sorted(parents))))
        # What the call had shown that made the thing known is another name of it.
        first = {self._moments[key][0].beginning for key in own if key in self._moments}
        if not within and self._is_repeated(head, own, mentioned, moment):
            moment = replace(moment, ruled_out=True)
        for key in own:
            self._keep(key, moment)
        for key in {_key(head, name) for name in mentioned if name} - own - within:
            if key not in self._moments or self._moments[key][0].beginning in first:
                self._keep(key, moment)

    def _is_repeated(self, head: CallHead, own: AbstractSet[str], mentioned: Iterable[str], moment: Moment) -> bool:
        """Return whether the same call had made the same thing before, not deleted since, and makes no new name known."""
        if not moment.creates or not makes(moment.operation) or not own:
            return False
        if any(name and _key(head, name) not in self._moments for name in mentioned):
            return False
        return all(
            any(
                each.creates
                and not each.ruled_out
                and (each.operation, each.within) == (moment.operation, moment.within)
                for each in self._moments.get(key, ())
            )
            for key in own
        )

    def remember_end(self, head: CallHead, names: Iterable[str]) -> None:
        """Remember that the things of these names, and of the kind that the call names, were deleted again."""
        ended = bare_noun(head.operation)
        for key in {_key(head, name) for name in names if name}:
            if moments := self._moments.get(key):
                self._moments[key] = [
                    replace(each, ruled_out=True) if each.creates and bare_noun(each.operation) == ended else each
                    for each in moments
                ]

    def remember_copies(self, head: CallHead, names: Iterable[str], regions: Iterable[str], moment: Moment) -> None:
        """Remember, until the restore is over, that the things of these names have copies in other regions.

        A copy has the name of the first one, and is made in `moment` and changed with it. It may show the times of the first one.
        """
        others = {region for region in regions if region != head.region}
        for key in self._names_of_same(head, names) if others else ():
            new = others - self._copies.get(key, set())
            size = NAME_BYTES + len(key) + WITHIN_BYTES * len(new)
            if not new or self._size + size > REMEMBERED_BYTES_MAX:
                continue
            self._size += size
            self._copies.setdefault(key, set()).update(new)
            for region in new:
                copy = _key(replace(head, region=region), key.removeprefix(_key(head, "")))
                # (That it was made, where the call makes something, is remembered with the call.)
                making = () if moment.creates else (replace(moment, creates=True),)
                for each in (*self._moments.get(key, ()), *making):
                    self._keep(copy, each)

    def _names_of_same(self, head: CallHead, names: Iterable[str]) -> set[str]:
        """Return the keys of these names, of the other names of the same things (one call made them), and of what is in them."""
        shorts = {short_name(name) for name in names if name}
        keys = {_key(head, name) for name in names if name}
        made = {each.beginning for key in keys for each in self._moments.get(key, ()) if each.creates}
        place = _key(head, "")
        same = {
            key
            for key, moments in self._moments.items()
            if key.startswith(place)
            and any(each.creates and (each.beginning in made or not shorts.isdisjoint(each.within)) for each in moments)
        }
        return keys | same

    def remember_owners(self, head: CallHead, names: Iterable[str], owners: Iterable[str]) -> None:
        """Remember what the things of these names were made for, until the restore is over: it is not written down."""
        kept = tuple(owners)
        for key in {_key(head, name) for name in names if name}:
            size = NAME_BYTES + len(key) + sum(WITHIN_BYTES + len(each) for each in kept)
            if kept and key not in self._owners and self._size + size <= REMEMBERED_BYTES_MAX:
                self._size += size
                self._owners[key] = kept

    def owners_of(self, head: CallHead, name: str) -> tuple[str, ...]:
        """Return the names of what the thing of this name was made for: of a change set, its stack."""
        return self._owners.get(_key(head, name), ())

    def remember_called(self, head: CallHead, names: Iterable[str], called: Iterable[str]) -> None:
        """Remember, until the restore is over, how answers call the things to which calls give these names."""
        for key in {_key(head, name) for name in names if name}:
            for each in called:
                known = self._called.get(key, ())
                size = WITHIN_BYTES + len(each) + (0 if known else NAME_BYTES + len(key))
                if each not in known and self._size + size <= REMEMBERED_BYTES_MAX:
                    self._size += size
                    self._called[key] = (*known, each)

    def called(self, head: CallHead, names: Iterable[str]) -> list[str]:
        """Return how answers call the things of these names, where otherwise; several, where each is in a parent of its own."""
        return list(dict.fromkeys(each for name in names for each in self._called.get(_key(head, name), ())))

    def pair(self, head: CallHead, names: Iterable[str], pair: Pair) -> None:
        """Remember that the emulator shows one time where another was shown, beside these names."""
        for key in {_key(head, name) for name in names if name}:
            self._keep_pair(key, pair)

    def _keep_pair(self, key: str, pair: Pair) -> None:
        known = self._pairs.get(key, [])
        left = [each for each in known if not pair.replaces(each)]
        size = MOMENT_BYTES * (1 + len(left) - len(known)) + (0 if known else NAME_BYTES + len(key))
        if pair in left or len(left) >= PAIRS_OF_NAME_MAX or self._size + size > REMEMBERED_BYTES_MAX:
            return
        self._size += size
        self._pairs[key] = [*left, pair]
        self._sought.add_pair(pair)

    def _keep(self, key: str, moment: Moment) -> None:
        moments = self._asides if moment.aside else self._moments
        known = moments.get(key)
        size = MOMENT_BYTES + (NAME_BYTES + len(key) if known is None else 0)
        size += sum(WITHIN_BYTES + len(each) for each in moment.within)
        if moment.of_part and known is not None and len(known) >= PARTS_OF_NAME_MAX:
            return
        if self._size + size > REMEMBERED_BYTES_MAX:
            return
        self._size += size
        if known is None:
            moments[key] = [moment]
        else:
            known.append(moment)
        self._sought.add_moment(moment)

    @property
    def bytes_held(self) -> int:
        """Return an upper estimate of what is remembered, in bytes."""
        return self._size

    def may_show(self, data: bytes) -> bool:
        """Return whether these bytes could hold a time of the restore: quick, not exact."""
        return self._sought.may_be_in(data)

    def is_in_window(self, seconds: float) -> bool:
        """Return whether a time, in seconds since 1970, lies in the moments in which things were made again."""
        return self._sought.is_in_window(seconds)

    def may_be_of_restore(self, text: str) -> bool:
        """Return whether a text is a time in the restore, whole hours away from it, or one that is paired."""
        return self._sought.may_be(text)

    def original(
        self,
        head: CallHead,
        names: Neighbours,
        place: TimePlace,
        text: str,
        now: float | None = None,
        scope: Scope = frozenset(),
    ) -> str:
        """Return the time to be shown for `text`, in its form; empty where it is not known.

        names: of what it may belong to, with their members. now: when the answer was given, by its `Date`; None where it has
        none. scope: all names that say where it stands, with their members.
        """
        seconds = parse_time(text)
        if seconds is None:
            return ""
        accounts = accounts_around(names, place)
        placed = [(member, name, self._placed(head, name, accounts)) for member, name in names if name]
        keys = [(member, _key(at, name)) for member, name, at in placed]
        known = [self._named(at, member, name, scope) for member, name, at in placed]
        known = [named for named in known if named.moments]
        known.sort(key=exactness)
        own = [key for member, key in keys if not place.refers(member)]
        pair = self._paired(own, place.member, seconds, frozenset(place.words()))
        found: Moment | None = None
        # Of a change the call tells more than what a read showed earlier, unless that was of this very moment.
        if tells_of_change(place.member) and not (seconds % 1 and pair):
            found = latest(known, seconds, place)
            if self._asides:
                beside = [(at, name) for member, name, at in placed if not place.refers(member)]
                found = or_aside(found, self._asides_of(beside), seconds)
        elif pair is None:
            found = made(known, seconds, place)
        if found is not None and not (pair is not None and pair.is_of_later(found, seconds)):
            is_cut = not shows_zeros(text) or found.holds_by_chance(seconds)
            return format_like(text, found.original_of(seconds, is_cut=is_cut), is_cut=is_cut)
        pair = pair or self._paired([key for _, key in keys], place.member, seconds)
        if pair is not None:
            # Of one record the same member tells; of other things another answer may have shown it, in another form.
            is_cut = bool(pair.member) and not (shows_zeros(text) and pair.member == place.member.lower())
            return format_like(text, pair.client, is_cut=is_cut)
        # What lies between the restore and now has happened then, and was not reckoned from a call.
        happened = seconds > self._sought.ended and (now is None or seconds <= now + CLOCK_SLACK_S)
        if happened or not (distance := self._sought.distance(seconds)):
            return ""
        found = latest(known, seconds - distance, place)
        return "" if found is None else format_like(text, found.original_of(seconds - distance) + distance)

    def lies_in_call(self, head: CallHead, names: Neighbours, place: TimePlace, text: str) -> bool:
        """Return whether a time surely lies in a call that made or changed what has one of these names."""
        seconds, accounts = parse_time(text), accounts_around(names, place)
        return seconds is not None and any(
            moment.surely_covers(seconds) and place.can_name(member, moment.operation)
            for member, name in names
            if name
            for moment in self.moments_of(self._placed(head, name, accounts), name)
        )

    def _placed(self, head: CallHead, name: str, accounts: Mapping[str, str]) -> CallHead:
        """Return a call that looks where a thing is: in the account that its ARN shows, where anything is known of it there.

        accounts: as `accounts_around` gives them. The emulator's default account has no name in calls.
        """
        account = accounts.get(short_name(name))
        if not account or account == head.account:
            return head
        places = (replace(head, account=account), replace(head, account=""))
        return next((at for at in places if self._knows(_key(at, name))), head)

    def _knows(self, key: str) -> bool:
        return key in self._moments or key in self._asides or key in self._pairs

    def _asides_of(self, named: Iterable[tuple[CallHead, str]]) -> list[Moment]:
        """Return the moments of calls that may have changed what has one of these names; unsigned ones say no region."""
        return [
            each
            for head, name in named
            for at in {head, replace(head, account="", region="")}
            for each in self._asides.get(_key(at, name), ())
        ]

    def _named(self, head: CallHead, member: str, name: str, scope: Scope) -> Named:
        moments = self._moments.get(_key(head, name), [])
        unsigned = (
            () if head.service in _GLOBAL else self._moments.get(_key(replace(head, account="", region=""), name))
        )
        if unsigned:
            # Such a call says neither account nor region: what it made or changed may be this.
            moments = sorted({*moments, *unsigned}, key=lambda each: each.original)
        if not any(each.within for each in moments):
            return Named(member, moments)
        own = (member.lower(), short_name(name))
        return named_in(member, moments, {each for at, each in scope if (at, each) != own})

    def _paired(
        self, keys: Iterable[str], member: str, seconds: float, things: frozenset[str] | None = None
    ) -> Pair | None:
        """Return the pair of a time that the emulator shows beside these names; None where what was shown at first is not known.

        things: what the time may be of; pairs of other things that have the name do not count. None: all count.
        """
        # The name of fewer pairs is the more exact one: an element's own, and not that of something that many belong to.
        for pairs in sorted((pairs for key in keys if (pairs := self._pairs.get(key))), key=len):
            found = [pair for pair in pairs if is_same(pair.emulator, seconds)]
            if things is not None:
                found = [pair for pair in found if not pair.thing or pair.thing in things]
            found = [pair for pair in found if pair.member == member.lower()] or found
            clients = [pair.client for pair in found]
            if clients and max(clients) - min(clients) < CLOCK_SLACK_S:
                return found[-1]
        return None

    def moments_of(self, head: CallHead, name: str) -> list[Moment]:
        """Return when what has this name was made or changed, in the order in which that became known."""
        return self._moments.get(_key(head, name), [])

    def forget(self, head: CallHead, name: str) -> None:
        """Forget when what has this name was made: it is no longer what was restored."""
        key = _key(head, name)
        gone = self._moments.pop(key, None)
        if gone is not None:
            self._size -= NAME_BYTES + len(key) + MOMENT_BYTES * len(gone)
            self._size -= sum(WITHIN_BYTES + len(each) for moment in gone for each in moment.within)

    @property
    def has_moments(self) -> bool:
        """Was anything made or changed again?"""
        return bool(self._moments)

    # To and from JSON.

    def listing(self) -> dict[str, list[Any]]:
        """Return everything as JSON; `of_listing` reads it."""
        listing: dict[str, list[Any]] = {
            key: [each.listing() for each in moments] for key, moments in self._moments.items()
        }
        for key, asides in self._asides.items():
            listing.setdefault(key, []).extend(each.listing() for each in asides)
        for key, pairs in self._pairs.items():
            listing.setdefault(key, []).extend(list(each) for each in pairs)
        return listing

    @classmethod
    def of_listing(cls, listing: Mapping[str, Iterable[Iterable[Any]]]) -> Self:
        """Return the times that `listing` gave."""
        times = cls()
        for key, entries in listing.items():
            for first, *rest in entries:
                if isinstance(first, str):
                    times._keep_pair(key, Pair(first, *rest))
                else:
                    times._keep(key, Moment.of_listing([first, *rest]))
        return times


def _key(head: CallHead, name: str) -> str:
    return f"{head.service}/{_where(head)}/{name if PART in name else short_name(name)}"


def _where(head: CallHead) -> str:
    if head.service == _OF_EVERYBODY:
        return ""
    return head.account if head.service in _GLOBAL else f"{head.account}/{head.region}"
