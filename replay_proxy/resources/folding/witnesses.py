"""Resources that reads showed and no recorded call made: what a stack made, the default network, its security group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from replay_proxy.footprint.members.answer_identifiers import output_shape
from replay_proxy.footprint.names.resource_names import own_name
from replay_proxy.replay.recorded_call import Call
from replay_proxy.resources.kinds import Kind, kind_named
from replay_proxy.resources.resource_types import names_in_arn, service_and_noun

_DEPTH = 8
_LATEST = "$LATEST"
"""What Lambda calls a function that has no version: the function itself."""
_GONE = ("DELETE_COMPLETE", "CREATE_FAILED", "DELETE_SKIPPED")


@dataclass(frozen=True, slots=True)
class Shown:
    """A resource that an answer describes.

    names: as its kind names it. structure: the description. stack: the stack that made it, by name or id; "" for none.
    gone: the stack says that it was deleted. logical_id: its name in the stack's template.
    shape: of the structure, where a model describes it.
    """

    service: str
    noun: str
    names: tuple[str, ...]
    structure: Mapping[str, Any]
    identifier: str
    stack: str = ""
    gone: bool = False
    logical_id: str = ""
    shape: Any = None


def shown_in(call: Call) -> Iterator[Shown]:
    """Return the resources that the answer to a read describes."""
    yield from _walk(call, output_shape(call.head), call.result, "", 0)


def _walk(call: Call, shape: Any, value: Any, member: str, depth: int) -> Iterator[Shown]:
    if depth > _DEPTH:
        return
    if isinstance(value, Mapping):
        found = _of_stack(call, value) or _of_kind(call, shape, value, member)
        if found is not None:
            yield found
        parts = shape.members if shape is not None and shape.type_name == "structure" else {}
        for name, below in value.items():
            if isinstance(below, Mapping | list):
                yield from _walk(call, parts.get(name), below, name, depth + 1)
    elif isinstance(value, list):
        inner = shape.member if shape is not None and shape.type_name == "list" else None
        for below in value:
            if isinstance(below, Mapping):
                yield from _walk(call, inner, below, member, depth + 1)


def _of_stack(call: Call, structure: Mapping[str, Any]) -> Shown | None:
    kind, physical = structure.get("ResourceType"), structure.get("PhysicalResourceId")
    if not (isinstance(kind, str) and isinstance(physical, str) and physical) or "::" not in kind:
        return None
    service, noun = service_and_noun(kind)
    if (service, noun) == ("cloudformation", "Stack") and physical == structure.get("StackId"):
        return None
    stack = structure.get("StackId") or structure.get("StackName") or call.params.get("StackName") or ""
    status = str(structure.get("ResourceStatus", ""))
    known = kind_named(service, noun)
    name = own_name(physical)
    names: tuple[str, ...] = (name,)
    told = names_in_arn(known.service, known.name, physical) if known is not None else {}
    if known is not None and told:
        names = tuple(told[each] for each in known.named)
    elif known is not None and len(known.named) > 1 and "|" in physical:
        names = tuple(physical.split("|"))
    elif known is not None and all(each in known.defaults for each in known.named[:-1]):
        names = (*(known.defaults[each] for each in known.named[:-1]), name)
    logical = structure.get("LogicalResourceId")
    return Shown(
        service,
        known.name if known is not None else noun,
        names,
        {},
        physical,
        str(stack),
        status in _GONE,
        logical if isinstance(logical, str) else "",
    )


def _of_kind(call: Call, shape: Any, structure: Mapping[str, Any], member: str) -> Shown | None:
    """Return what a structure describes: its shape or the list that holds it is called like a kind, and it has its identifier."""
    for noun in (getattr(shape, "name", ""), member):
        kind = kind_named(call.service, noun) if noun else None
        if kind is None:
            continue
        names = _names(kind, structure, call.params)
        if names is not None:
            return Shown(call.service, kind.name, names[0], structure, names[1], shape=shape)
    return None


def described_in(call: Call) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return noun and structure of what an answer describes under a noun that no kind has by itself (`Namespace`)."""
    shape = output_shape(call.head)
    for member, value in call.result.items():
        part = shape.members.get(member) if shape is not None else None
        for noun in (getattr(part, "name", ""), member):
            if isinstance(value, Mapping) and noun and kind_named(call.service, noun) is None:
                yield noun, value
                break


def _names(kind: Kind, structure: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[tuple[str, ...], str] | None:
    own = kind.named[-1]
    for member in (own, own.removesuffix("s"), f"{kind.name}Id", f"{kind.name}Arn", f"{kind.name}Name"):
        value = structure.get(member)
        if isinstance(value, str) and value and value != _LATEST:
            whole = [structure.get(each) or params.get(each) or kind.defaults.get(each) for each in kind.named[:-1]]
            if not all(isinstance(each, str) for each in whole):
                return None
            return (*(own_name(str(each)) for each in whole), own_name(value)), value
    return None
