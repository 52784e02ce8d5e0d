"""Scalar values in a JSON or XML body, with their places and their neighbours.

Neighbours tell what a value belongs to: the `Key` beside it the object of a `LastModified`, the `MessageId` one level up
the message of a `SentTimestamp`. Bodies are scanned and not parsed and written again, as in `payload_spans`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

import orjson

from replay_proxy.identifiers.rewriting.body.payload import BodyFormat
from replay_proxy.identifiers.rewriting.body.payload_spans import JSON_TOKEN

Neighbours = list[tuple[str, str]]
"""The texts of one structure, each with the name of its member."""


@dataclass(slots=True)
class BodyValue:
    """A wanted value: the bytes `start:end` of the body (in JSON without quotation marks).

    name: of its member. text: decoded. around: the neighbours beside it, then one level up, and so on. within: the names of
    these structures, empty for the whole. numbers: the whole numbers in these, of JSON. listed: it stands in a JSON list, so that
    parameters of the whole call do not describe it.
    """

    start: int
    end: int
    name: str
    text: str
    around: list[Neighbours] = field(default_factory=list)
    within: list[str] = field(default_factory=list)
    numbers: list[Neighbours] = field(default_factory=list)
    listed: bool = False


Predicate = Callable[[str, str], bool]
"""From the name of a member and its text to whether the value is wanted."""


@dataclass(slots=True)
class _Frame:
    """A structure that has begun and not ended yet. texts, numbers: its own so far. values: the wanted values in it."""

    name: str = ""
    texts: Neighbours = field(default_factory=list)
    numbers: Neighbours = field(default_factory=list)
    values: list[BodyValue] = field(default_factory=list)


def body_values(body: bytes, body_format: BodyFormat, is_wanted: Predicate) -> list[BodyValue]:
    """Return the wanted values in the order of the body; none where the body is not in its format."""
    scan = {"json": _in_json, "xml": _in_xml}.get(body_format)
    if scan is None:
        return []
    try:
        return sorted(scan(body, is_wanted), key=lambda body_value: body_value.start)
    except (ValueError, IndexError, expat.ExpatError):
        return []


def _close(frames: list[_Frame], frame: _Frame) -> None:
    """End a structure: its texts are neighbours of the wanted values in it, which move to the structure around it."""
    for body_value in frame.values:
        body_value.around.append(frame.texts)
        body_value.within.append(frame.name)
        body_value.numbers.append(frame.numbers)
    frames[-1].values += frame.values


def _in_json(body: bytes, is_wanted: Predicate) -> Iterator[BodyValue]:
    frames = [_Frame()]
    containers: list[tuple[bool, str]] = []  # is it an object, and under which name
    name, key_next = "", False
    for match in JSON_TOKEN.finditer(body):
        start, end = match.span()
        first = body[start]
        if first in b"{[":
            containers.append((first == ord("{"), name))
            key_next = first == ord("{")
            if key_next:
                frames.append(_Frame(name))
        elif first in b"}]":
            is_object, name = containers.pop()
            key_next = False
            if is_object:
                _close(frames, frames.pop())
        elif first == ord(","):
            key_next, outer = containers[-1]
            name = name if key_next else outer
        elif first == ord(":"):
            key_next = False
        elif key_next:
            name = orjson.loads(body[start:end])
        else:
            quoted = first == ord('"')
            text = orjson.loads(body[start:end]) if quoted else body[start:end].decode("ascii", "replace")
            frame = frames[-1]
            if is_wanted(name, text):
                listed = not all(is_object for is_object, _ in containers)
                frame.values.append(BodyValue(start + quoted, end - quoted, name, text, listed=listed))
            elif quoted:
                frame.texts.append((name, text))
            elif text.isdecimal():
                frame.numbers.append((name, text))
    (root,) = frames
    return iter(root.values)


_END_OF_TAG = re.compile(rb">")


def _in_xml(body: bytes, is_wanted: Predicate) -> Iterator[BodyValue]:
    frames = [_Frame()]
    parser = expat.ParserCreate()
    parser.buffer_text = True
    begun, text, has_no_child = 0, "", False

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal begun, text, has_no_child
        frames.append(_Frame(name.rpartition(":")[2]))
        begun, text, has_no_child = parser.CurrentByteIndex, "", True

    def data(piece: str) -> None:
        nonlocal text
        text += piece

    def end(_name: str) -> None:
        nonlocal has_no_child
        frame = frames.pop()
        if has_no_child:
            if is_wanted(frame.name, text):
                tag = _END_OF_TAG.search(body, begun)
                assert tag is not None
                frames[-1].values.append(BodyValue(tag.end(), parser.CurrentByteIndex, frame.name, text))
            elif text:
                frames[-1].texts.append((frame.name, text))
        else:
            _close(frames, frame)
        has_no_child = False

    parser.StartElementHandler = start
    parser.CharacterDataHandler = data
    parser.EndElementHandler = end
    parser.Parse(body, True)
    (root,) = frames
    return iter(root.values)
