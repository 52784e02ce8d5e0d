"""The identifiers in an answer: the values of those members by which later calls can name something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from replay_proxy.exchange import Answer, CallHead, Headers
from replay_proxy.footprint.members.member_roles import (
    Role,
    is_label_to_name,
    member_in_map,
    names_by_key,
    role_of,
)
from replay_proxy.footprint.members.naming_members import labels, names_account, names_range, names_something
from replay_proxy.footprint.members.payload_members import NAME, OBJECT, payload_rules
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.codecs.streamed_values import streamed_texts
from replay_proxy.wire.models.models import protocol_model

_ARN = "arn:"
_DEPTH = 64
_OPERATIONS = 32768
"""What is worked out of operations is remembered for so many."""


@dataclass(slots=True)
class AnswerTexts:
    """The texts of an answer by what they are.

    identifiers, listed: values of members that name something, at the top or in the structures there; in lists.
    accounts: values of members that hold accounts, which are no resources.
    texts: values of members of which nothing is known; names: those of them that are in members that name a resource,
    and those that are ARNs (what an alarm does is called `AlarmActions`, and says whom it tells).
    beside: values of members that are labels or secrets. They name nothing, but an emulator may have drawn them, and a client
    may call something after one.
    ranges: blocks of addresses.
    counted: numbers and versions, as texts; a part of an ARN that is one of them is a revision, and no name.
    paths: names with slashes, without the first and the last one.
    """

    identifiers: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    beside: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    counted: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)


def output_shape(head: CallHead) -> Any:
    """Return the shape of what the call returns; None where no model describes it."""
    try:
        return protocol_model(head.service, head.operation, head.protocol).output_shape
    except LookupError:
        return None


def may_show_identifiers(head: CallHead, answer: Answer) -> bool:
    """Return whether an answer may show identifiers, by its model, its header fields, and whether it has a body."""
    in_body, fields = _places_of_identifiers(head.service, head.operation, head.protocol)
    return (in_body and answer.body not in (b"", b"{}")) or not fields.isdisjoint(answer.headers.lowers)


@lru_cache(maxsize=_OPERATIONS)
def _places_of_identifiers(service: str, operation: str, protocol: str) -> tuple[bool, frozenset[str]]:
    """Return whether the body of an answer has members that are identifiers, and the header fields that are."""
    waiting: list[tuple[str, Any]] = [("", protocol_model(service, operation, protocol).output_shape)]
    seen, fields, in_body = set(), set(), False
    while waiting:
        member, shape = waiting.pop()
        if shape is None or (member, shape.name) in seen:
            continue
        seen.add((member, shape.name))
        if shape.type_name == "structure":
            waiting += shape.members.items()
        elif shape.type_name in ("list", "map"):
            waiting.append((member, shape.member if shape.type_name == "list" else shape.value))
        elif role_of(service, operation, member, shape) is Role.IDENTIFIER:
            if shape.serialization.get("location") == "header":
                fields.add(shape.serialization["name"].lower())
            else:
                in_body = True
    return in_body, frozenset(fields)


def identifier_values(head: CallHead, outcome: Outcome) -> Iterator[str]:
    """Return the values of those members of an outcome that are identifiers."""
    found = answer_texts(head, outcome)
    yield from found.identifiers
    yield from found.listed
    yield from found.accounts


def answer_texts(head: CallHead, outcome: Outcome) -> AnswerTexts:
    """Return the texts of an outcome by what they are; none of an outcome that cannot be read."""
    found = AnswerTexts()
    _take(head, "", output_shape(head), outcome.parsed, found, False, 0)
    return found


def names_shown(head: CallHead, outcome: Outcome) -> set[str]:
    """Return the names in an outcome that are no identifiers by their member: in members that name a resource, and ARNs."""
    found = AnswerTexts()
    _take(head, "", output_shape(head), outcome.parsed, found, False, 0)
    return found.names


def identifiers_in_chunks(head: CallHead, headers: Headers, chunks: Iterable[bytes]) -> Iterator[set[str]]:
    """Yield the identifiers and names in the body of an answer that is read in chunks, payload aside, as they come.

    Raises MalformedMessage where it cannot be read further; none are found where no model describes the call.
    """
    try:
        operation = protocol_model(head.service, head.operation, head.protocol)
    except LookupError:
        return
    rules = payload_rules(head.service)

    def is_payload(shape: Any, member: str, part: Any) -> bool:
        return rules.mark_of(shape, member, part) not in (None, NAME, OBJECT)

    for texts in streamed_texts(operation, headers, chunks, is_payload):
        yield {each.text for each in texts if _names(head, each.member, each.shape, each.text)}


def _names(head: CallHead, member: str, shape: Any, text: str) -> bool:
    """Return whether a text in a member names something: by its role, as an account or a token, by a name, or as an ARN."""
    if names_range(member):
        return False
    if names_account(member, getattr(shape, "name", "")):
        return True
    role = role_of(head.service, head.operation, member, shape)
    if is_label_to_name(head.service, head.operation, member, shape):
        return True
    return role is Role.IDENTIFIER or (role is Role.TEXT and _is_name(member, text))


def _is_name(member: str, text: str) -> bool:
    """Return whether a text whose role its member does not tell names a resource: by its member, or because it is an ARN."""
    return names_something(member) or text.startswith(_ARN)


def all_texts(value: Any, depth: int = _DEPTH) -> Iterator[str]:
    """Return all texts in parameters or in an answer, keys of maps included, but for labels."""
    if isinstance(value, str):
        yield value
    elif depth <= 0:
        return
    elif isinstance(value, Mapping):
        for member, below in value.items():
            if member not in labels():
                yield str(member)
                yield from all_texts(below, depth - 1)
    elif isinstance(value, list):
        for each in value:
            yield from all_texts(each, depth - 1)


def _take(head: CallHead, member: str, shape: Any, value: Any, found: AnswerTexts, listed: bool, depth: int) -> None:
    if depth > _DEPTH:
        return
    if isinstance(value, dict):
        parts = shape.members if shape is not None and shape.type_name == "structure" else {}
        inner = shape.value if shape is not None and shape.type_name == "map" else None
        for key, each in value.items():
            if inner is not None and names_by_key(shape):
                found.listed.append(key)
            _take(head, member_in_map(member, shape, key), parts.get(key, inner), each, found, listed, depth + 1)
    elif isinstance(value, list):
        inner = shape.member if shape is not None and shape.type_name == "list" else None
        for each in value:
            _take(head, member, inner, each, found, True, depth + 1)
    elif isinstance(value, str) and names_account(member, getattr(shape, "name", "")):
        found.accounts.append(value)
    elif isinstance(value, str):
        if names_range(member):
            found.ranges.append(value)
            return
        if "/" in value and not value.startswith(("arn:", "http:", "https:")):
            parts_of_path = value.strip("/").split("/")
            found.paths.update("/".join(parts_of_path[start:]) for start in (0, 1) if len(parts_of_path) > start + 1)
        match role_of(head.service, head.operation, member, shape):
            case Role.IDENTIFIER:
                (found.listed if listed else found.identifiers).append(value)
            case Role.TEXT if shape is None or shape.type_name == "string":
                found.texts.append(value)
                if _is_name(member, value):
                    found.names.add(value)
            case Role.LABEL | Role.SECRET:
                found.beside += value.split("\n")
            case Role.CONTENT if member.endswith("ersion"):
                found.counted.add(value)
    elif isinstance(value, int):
        found.counted.add(str(value))
