"""Content that no read shows, such as code: its print tells whether it is the recorded one (`prints` in data/readings.json)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from replay_proxy.doctor.answers import table
from replay_proxy.doctor.asking import RecordedCall
from replay_proxy.doctor.diagnosis import Update
from replay_proxy.doctor.links import Description
from replay_proxy.doctor.readings import Names
from replay_proxy.doctor.updates import named_by_call
from replay_proxy.resources.resource import Resource, leaves
from replay_proxy.wire.models.models import operation_model


@dataclass(frozen=True, slots=True)
class Content:
    """The prints of what is in a resource.

    member: of the creation, that held it. operation: that gives it anew. recorded, shown: the prints. said: the second, in words.
    """

    member: str
    operation: str
    recorded: str
    shown: str
    said: str


def contents_of(
    resource: Resource, description: Description, answers: Sequence[Mapping[str, Any]]
) -> Iterator[Content]:
    """Return the contents of a resource whose prints are recorded and shown.

    answers: to the calls that changed it, the latest first.
    """
    for entry in table()["prints"]:
        if entry["kind"] != f"{resource.service}:{resource.key.noun}":
            continue
        name = entry["shown"]
        shown = next((value for path, value in leaves(description.shown) if path.rpartition(".")[2] == name), None)
        recorded = next((each[name] for each in answers if name in each), None)
        if shown is not None and recorded is not None:
            yield Content(entry["member"], entry["operation"], str(recorded), str(shown), f"{name} is {shown}")


def content_again(
    names: Names, content: Content, maker: str, recorded_call: Callable[[int], RecordedCall | None]
) -> Update | None:
    """Return the call that gives a resource the content that a recorded call gave it last. maker: the operation that made it."""
    resource = names.resource
    shape = operation_model(resource.service, content.operation).input_shape
    known = frozenset(shape.members) - frozenset(shape.required_members) if shape is not None else frozenset()
    for seq in (*reversed(resource.changed_by), resource.made_by):
        call = recorded_call(seq)
        if call is None or call.operation not in (content.operation, maker):
            continue
        given = call.parameters.get(content.member, {}) if call.operation == maker else call.parameters
        again = {name: value for name, value in given.items() if name in known}
        parameters = named_by_call(names, content.operation)
        return Update(content.operation, {**parameters, **again}) if parameters and again else None
    return None
