"""What lists of runs show without a parameter: which defaults an emulator applies, and whether it lists all.

`ListQueryExecutions` without a work group lists those of the work group `primary`; some emulators list all. What a client was
shown has to be shown again, so an emulator is asked once: when a run has ended that the default leaves out, the list is read
without that parameter. Where the run is in it, the read is recorded, and the default is not applied to what was recorded either.

Other lists are of one thing, as `ListExecutions` is of a state machine. Without that parameter some emulators refuse, some list
nothing, some list all. Of these an emulator is asked in the same way, by the first run that is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.replay.runs.families import Family, values_at

Question = tuple[str, str, dict[str, Any]]
"""A list (the operation), a parameter with a default, and what the list is to be asked with: not with that parameter."""


def questions(family: Family, run: Mapping[str, Any]) -> Iterator[Question]:
    """Yield what tells whether defaults are applied: the reads of lists that would leave out this run.

    run: its members, as a read showed them.
    """
    for operation, read in family.lists.items():
        for parameter in _leaving_out(read, run):
            others = (other for other in read.get("defaults", {}) if other != parameter)
            asked = {other: next(values_at(run, read["where"][other]), None) for other in others}
            yield operation, parameter, {other: value for other, value in asked.items() if value is not None}


def not_applied(read: Mapping[str, Any], params: Mapping[str, Any], run: Mapping[str, Any]) -> list[str]:
    """Return the parameters without which the emulator lists more, as a list with `params` tells that has shown this run."""
    return [
        parameter
        for parameter in _leaving_out(read, run)
        if params.get(parameter) is None and (parameter != read.get("of") or is_of_all(read, params))
    ]


def is_of_all(read: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    """Return whether a list of one thing is asked for with none: neither with its own nor with another, as a map run is."""
    known = {*read["where"], read.get("limit"), read.get("token")}
    return not params.get(read["of"]) and params.keys() <= known


def is_same(value: Any, wanted: Any) -> bool:
    """Return whether a member of a run is what a list is restricted to; one may be the ARN of the other."""
    return bool(value == wanted or short_name(str(value)) == short_name(str(wanted)))


def _leaving_out(read: Mapping[str, Any], run: Mapping[str, Any]) -> Iterator[str]:
    if "of" in read:
        yield read["of"]
    for parameter, default in read.get("defaults", {}).items():
        values = list(values_at(run, read["where"][parameter]))
        if values and not any(is_same(value, default) for value in values):
            yield parameter
