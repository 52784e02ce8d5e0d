"""Which calls only make or set a trigger, so that nothing but such calls, and reads, has to come after them.

Where things of many services bear one name, a call after a trigger seems to touch much that others touch as well. Were these to
wait for it, the data behind them would be put after the trigger, and set it off once more. So what such a call says of anything
that was there before the trigger counts for other triggers alone. Such are the triggers themselves; and calls that make nothing,
and name what a trigger made or what it sets: `SetSubscriptionAttributes`, `DeleteEventSourceMapping`, `RemoveTargets`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from replay_proxy.replay.ordering.footprint import Footprint, for_triggers, is_for_triggers, is_service
from replay_proxy.replay.ordering.order_table import trigger_noun


class TriggerRoles:
    """Tells of each call of a recording whether it only makes or sets a trigger.

    armed: what such calls touch, by their numbers; each is said to be a call of the operation of its trigger.
    """

    def __init__(self) -> None:
        self.armed: dict[int, Footprint] = {}
        self._operations: dict[int, tuple[str, str]] = {}
        self._made: dict[str, int] = {}
        self._there: set[str] = set()

    def see(self, seq: int, footprint: Footprint, referring: Mapping[str, Iterable[int]]) -> Footprint:
        """Take in the next call, and return what later calls are to know of what it touches.

        referring: the calls that have referred to each thing.
        """
        if footprint.data or footprint.witness:
            return footprint
        trigger = footprint if footprint.trigger else self._trigger_of(footprint, referring)
        if trigger is None:
            self._there.update(footprint.writes)
            return footprint
        made = {each for each in footprint.writes if is_for_triggers(each) or self._is_made(each)}
        others = footprint.writes - made
        found = replace(
            footprint,
            writes=frozenset({*made, *map(for_triggers, others)}),
            refers=footprint.refers | others,
        )
        self._made.update(dict.fromkeys((each for each in made if not is_for_triggers(each)), seq))
        self.armed[seq] = replace(found, service=trigger.service, operation=trigger.operation)
        self._operations[seq] = (footprint.service, footprint.operation)
        return found

    def are_alike(self, footprint: Footprint, seq: int) -> bool:
        """Return whether a call is of the same operation as an earlier one that sets a trigger: of both, the later counts."""
        return self._operations.get(seq) == (footprint.service, footprint.operation)

    def _is_made(self, thing: str) -> bool:
        return thing in self._made or (thing not in self._there and not is_service(thing))

    def _trigger_of(self, footprint: Footprint, referring: Mapping[str, Iterable[int]]) -> Footprint | None:
        """Return the trigger that a call sets; None where it does anything else."""
        if footprint.creates or not self.armed:
            return None
        for thing in footprint.writes | footprint.refers:
            made_by = self._made.get(thing)
            if made_by is not None and self.armed[made_by].service == footprint.service:
                return self.armed[made_by]
        for thing in footprint.writes:
            for each in referring.get(thing, ()):
                trigger = self.armed.get(each)
                if (
                    trigger is not None
                    and trigger.service == footprint.service
                    and trigger_noun(trigger.operation) in footprint.operation
                ):
                    return trigger
        return None
