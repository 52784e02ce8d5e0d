"""The triggers that a stack makes by itself, and how each kind is put to rest and armed again: `of_stacks` in `data/order.json`.

No recorded call makes them, so no order of calls can keep data from setting them off. What is said here of each kind is how it is
found when its stack is there, and by which calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import orjson

from replay_proxy.footprint.names.resource_names import arn_service
from replay_proxy.replay.ordering.order_table import document, sender_services
from replay_proxy.replay.start_positions import stream_services

ANY: Final = "*"
"""As what sets a trigger off: data of any service."""
_SENDERS: Final = "senders"
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Step:
    """A call of the trigger's service.

    parameters: with `$` for what is known. each: the member with the list of what it shows.
    """

    operation: str
    parameters: Mapping[str, Any]
    each: str = ""

    def filled(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters, with what is known put in; what is not known is left out. None stands for a JSON null."""
        found = {name: _filled(value, known) for name, value in self.parameters.items()}
        return {name: value for name, value in found.items() if value is not _NOTHING}

    def shown(self, answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Return what an answer shows, one by one."""
        if not self.each:
            return [answer]
        return [each for each in answer.get(self.each) or () if isinstance(each, Mapping)]


@dataclass(frozen=True, slots=True)
class StackTrigger:
    """One kind of triggers. What the members mean, `data/order.json` says."""

    service: str
    types: frozenset[str]
    reads: tuple[Step, ...]
    on: tuple[str, tuple[str, ...]] | None
    reads_stream: bool | None
    set_off_by: str
    rest: tuple[Step, ...]
    arm: tuple[Step, ...]
    settles_s: float
    unmistakable: tuple[str, Any] | None

    def is_armed(self, known: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
        """Return whether a trigger of this kind, as it was shown, is one that would be set off."""
        if self.unmistakable is not None and member(known, self.unmistakable[0]) == self.unmistakable[1]:
            return False
        if (
            self.reads_stream is not None
            and (arn_service(self._source(known)) in stream_services()) != self.reads_stream
        ):
            return False
        if self.on is None:
            return bool(shown)
        return member(known, self.on[0]) in self.on[1]

    def sources(self, known: Mapping[str, Any]) -> frozenset[str]:
        """Return the services whose calls set it off."""
        if self.set_off_by == _SENDERS:
            return sender_services()
        source = self._source(known)
        return frozenset({arn_service(source) if source.startswith("arn:") else source})

    def _source(self, known: Mapping[str, Any]) -> str:
        found = _filled(self.set_off_by, known)
        return "" if found is _NOTHING else str(found)


def triggers_of(resource_type: str) -> Iterator[StackTrigger]:
    """Return the kinds of triggers that a resource of a type may be, or have."""
    return (each for each in _kinds() if resource_type in each.types)


def member(known: Mapping[str, Any], path: str) -> Any:
    """Return the member at a path (`A.B`, `A.0`); None where there is none."""
    value: Any = known
    for name in path.split("."):
        if isinstance(value, list):
            value = value[int(name)] if name.isdecimal() and int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(each, known) for name, each in value.items()}
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    path, has_other, other = value[1:].partition("|")
    found = dict(known.get("", {})) if not path else member(known, path)
    if found is not None:
        return found
    return orjson.loads(other) if has_other else _NOTHING


@cache
def _kinds() -> tuple[StackTrigger, ...]:
    return tuple(
        _kind(trigger["service"], kind) for trigger in document()["triggers"] for kind in trigger.get("of_stacks", ())
    )


def _kind(service: str, kind: Mapping[str, Any]) -> StackTrigger:
    on = next(((path, tuple(values)) for path, values in kind.get("on", {}).items()), None)
    unmistakable = kind.get("unmistakable")
    return StackTrigger(
        service,
        frozenset(kind["types"]),
        _steps(kind["reads"]),
        on,
        kind.get("reads_stream"),
        kind["set_off_by"],
        _steps(kind["rest"]),
        _steps(kind["arm"]),
        kind.get("settles_s", 0.0),
        None if unmistakable is None else (unmistakable[0], unmistakable[1]),
    )


def _steps(listed: list[dict[str, Any]]) -> tuple[Step, ...]:
    return tuple(Step(each["call"], each["with"], each.get("each", "")) for each in listed)
