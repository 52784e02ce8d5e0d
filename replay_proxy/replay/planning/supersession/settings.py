"""Values that are set again: policies, tags of a bucket, attributes.

A call that sets a whole value, such as a bucket policy, leaves nothing of what an earlier call of the same operation had set.
Which operations are of that kind was reviewed (`replaced` in `data/superseded.json`), with the members that say which value they
set. For `SetQueueAttributes` and the like these are the names of the attributes. Attributes may depend on each other, so only
calls that follow each other directly count, for one resource. If a call in between needs the value (`until`: a message that only
the attributes of that time allow), the value stays.

Tags do not depend on each other: a call that tags or untags leaves nothing of an earlier one with the same keys, whatever lies
between. `TagResource` and `UntagResource` are the same in all services; the others are in the table (`alone`).

Values with a history that clients can see (parameters, secrets, policy versions) are not looked at here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from replay_proxy.footprint.names.resource_names import own_name
from replay_proxy.footprint.resource_kinds import is_global
from replay_proxy.replay.planning.supersession.decisions import SupersessionDecisions
from replay_proxy.replay.planning.supersession.reviewed import table
from replay_proxy.replay.recorded_call import Call
from replay_proxy.wire.models import models


@dataclass(frozen=True, slots=True)
class _Value:
    """A value that an operation sets. group: what is set. of: the members that name the resource.

    which: the members that say which value of the resource it is. ends: the operation only needs the value, so an earlier one
    stays. alone: values do not depend on each other. unless: members with which a call does more than to set the value.
    """

    group: str
    of: tuple[str, ...]
    which: tuple[str, ...]
    ends: bool = False
    alone: bool = False
    unless: tuple[str, ...] = ()


@lru_cache(maxsize=32768)
def _values(service: str, operation: str) -> tuple[_Value, ...]:
    """Return the values that an operation sets, or (`ends`) needs."""
    if operation in _TAGGING:
        return _tags(service)
    return tuple(
        _Value(
            entry["operations"][0] if entry.get("together") or operation in entry.get("until", ()) else operation,
            tuple(entry["of"]),
            tuple(entry.get("which", ())),
            operation in entry.get("until", ()),
            bool(entry.get("alone")),
            tuple(entry.get("unless", ())),
        )
        for entry in table()["replaced"]
        if entry["service"] == service and operation in (*entry["operations"], *entry.get("until", ()))
    )


_TAGGING = frozenset({"TagResource", "UntagResource"})


@lru_cache(maxsize=1024)
def _tags(service: str) -> tuple[_Value, ...]:
    """Return the tags as a value, for a service whose two tagging operations name the resource, and the tags, in one way each."""
    try:
        shapes = [models.operation_model(service, operation).input_shape for operation in sorted(_TAGGING)]
    except LookupError:
        return ()
    members = [list(shape.members) for shape in shapes if shape is not None]
    if len(members) != 2 or any(len(each) != 2 for each in members):
        return ()
    shared = set(members[0]) & set(members[1])
    which = tuple(member for each in members for member in each if member not in shared)
    return (_Value("Tags", tuple(shared), which, alone=True),) if len(shared) == 1 else ()


class SettingsRule:
    """The rule for values that are set again. Memory: a key for each resource."""

    def __init__(self, decisions: SupersessionDecisions) -> None:
        self._decisions = decisions
        self._last: dict[tuple[str, ...], tuple[list[str], int]] = {}

    def see(self, call: Call) -> None:
        """Note a call; calls are shown in order."""
        for value in _values(call.service, call.operation):
            region = "" if is_global(call.service) else call.head.region
            # Tags are on resources of all kinds, which an ARN tells apart, and what is short for it does not.
            named = [call.params.get(member) for member in value.of]
            resource = [str(each) for each in named] if value.alone else [_one(each) for each in named]
            key = (call.service, call.head.account, region, value.group, *resource)
            if value.ends or any(call.params.get(member) for member in value.unless):
                self._last.pop(key, None)
                continue
            which = [_one(call.params[member]) for member in value.which if member in call.params]
            if value.alone:
                key = (*key, *which)
            earlier, seq = self._last.get(key, ([], 0))
            if seq and earlier == which:
                self._decisions.supersede(seq, "set again", call.seq)
            self._last[key] = (which, call.seq)


def _one(value: Any) -> str:
    if isinstance(value, dict):
        return "\0".join(sorted(value))
    if isinstance(value, list):
        # Tags, or their keys.
        return "\0".join(sorted(_key(each) for each in value))
    return own_name(value) if isinstance(value, str) else ""


def _key(tag: Any) -> str:
    """Return the key of a tag, however its member is called."""
    if isinstance(tag, dict):
        return next((str(value) for member, value in tag.items() if member.lower() in ("key", "tagkey")), "")
    return str(tag)
