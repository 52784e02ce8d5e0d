"""The texts in parameters that may name or refer to something, each with the member that holds it.

Left out by their role: payload, blobs, labels for people, and members whose values are an enumeration of the model's. What a
label says that it is put on is no label. Keys of maps are texts that may refer, and no members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.naming_members import labels, names_attribute, names_something, names_subject
from replay_proxy.footprint.members.payload_members import ALL, payload_rules
from replay_proxy.footprint.resource_kinds import kind_names
from replay_proxy.wire.models.models import protocol_model

_DEPTH = 24


@dataclass(frozen=True, slots=True)
class ParameterText:
    """A text in parameters.

    member: that holds it, at whatever depth; of a list the one that holds the list. naming: the member names a resource.
    listed: it is a part of one of several things that a list holds. top: the member is one of the parameters themselves.
    """

    text: str
    member: str = ""
    naming: bool = False
    listed: bool = False
    top: bool = False


def parameter_texts(head: CallHead, params: Mapping[str, Any]) -> Iterator[ParameterText]:
    """Return the texts in the parameters of a call that may name or refer to something."""
    try:
        shape = protocol_model(head.service, head.operation, head.protocol).input_shape
    except LookupError:
        shape = None
    yield from _Walk(head.service).structure(shape, params, False, 0)


def label_texts(value: Any, *, inside: bool = False, depth: int = 0) -> Iterator[str]:
    """Return the texts in the labels among parameters: tags and descriptions, whose words refer to nothing."""
    if depth > _DEPTH:
        return
    if isinstance(value, str):
        if inside:
            yield value
    elif isinstance(value, Mapping):
        for member, below in value.items():
            if inside:
                yield str(member)
            yield from label_texts(below, inside=inside or member in labels(), depth=depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from label_texts(each, inside=inside, depth=depth + 1)


def is_reference_blob(service: str, shape: Any, member: str) -> bool:
    """Tell whether a blob is a document that the emulator resolves, such as an OpenAPI document."""
    return f"{shape.name}.{member}" in payload_rules(service).references


@lru_cache(maxsize=16384)
def _is_naming(service: str, member: str) -> bool:
    return names_something(member) or member.lower() in kind_names(service)


class _Walk:
    def __init__(self, service: str) -> None:
        self._service = service
        self._rules = payload_rules(service)

    def structure(self, shape: Any, value: Mapping[str, Any], listed: bool, depth: int) -> Iterator[ParameterText]:
        parts = shape.members if shape is not None and shape.type_name == "structure" else {}
        for member, below in value.items():
            part = parts.get(member)
            if member in labels():
                yield from self._labelled(part, below, depth + 1)
                continue
            if part is not None and names_attribute(shape.name, member):
                continue
            if part is not None and not isinstance(below, str | list | dict):
                if isinstance(below, bytes) and is_reference_blob(self._service, shape, member):
                    yield ParameterText(below.decode("utf-8", "replace"), member)
                continue
            if part is not None and self._rules.mark_of(shape, member, part) == ALL:
                continue
            yield from self._value(part, below, member, listed, depth, top=depth == 0)

    def _labelled(self, shape: Any, value: Any, depth: int) -> Iterator[ParameterText]:
        """Return what the labels in a list are put on, where each says that by itself (`Tags` of Auto Scaling)."""
        if shape is None or shape.type_name != "list" or shape.member.type_name != "structure":
            return
        subjects = [member for member in shape.member.members if names_subject(member)]
        for label in value if subjects and isinstance(value, list) else ():
            if isinstance(label, Mapping):
                for member in subjects:
                    yield from self._value(shape.member.members[member], label.get(member), member, True, depth)

    def _value(
        self, shape: Any, value: Any, member: str, listed: bool, depth: int, *, top: bool = False
    ) -> Iterator[ParameterText]:
        if depth > _DEPTH or (shape is not None and self._rules.shapes.get(shape.name) == ALL):
            return
        if isinstance(value, str):
            if shape is None or not getattr(shape, "enum", None):
                yield ParameterText(value, member, _is_naming(self._service, member), listed, top)
        elif isinstance(value, Mapping):
            if shape is not None and shape.type_name == "map":
                for key, below in value.items():
                    if not getattr(shape.key, "enum", None):
                        yield ParameterText(str(key), listed=True)
                    # A policy is a reference, whatever its key; the key says no more of the value than any other text.
                    yield from self._value(shape.value, below, "", True, depth + 1)
            else:
                yield from self.structure(shape, value, listed, depth + 1)
        elif isinstance(value, list):
            inner = shape.member if shape is not None and shape.type_name == "list" else None
            for each in value:
                inside = not isinstance(each, str)
                yield from self._value(inner, each, member, listed or inside, depth + 1, top=top and not inside)
