"""The leaves of a JSON or XML body, with their places and with what stands around them.

What a value belongs to is told by its neighbours: the `LastModified` of an object by the `Key` beside it, the
`SentTimestamp` of a message by the `MessageId` one level up. Bodies are scanned, and not parsed and written again, as in `spans`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

import orjson

from replay_proxy.identifiers.payload import Spelling
from replay_proxy.identifiers.spans import JSON_TOKEN

Neighbours = list[tuple[str, str]]
"""The texts of one structure, each with the name of its member."""


@dataclass(slots=True)
class Leaf:
    """A value that was sought: the bytes `start:end` of the body (in JSON without quotation marks).

    around: what stands beside it, then one level up, and so on. listed: it stands somewhere in a list of JSON, so that what is
    said of the whole is not said of it.
    """

    start: int
    end: int
    name: str
    text: str
    around: list[Neighbours] = field(default_factory=list)
    listed: bool = False


Sought = Callable[[str, str], bool]
"""Given the name of a member and its text; is it sought?"""


@dataclass(slots=True)
class _Frame:
    """A structure that is open."""

    name: str = ""
    texts: Neighbours = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)


def leaves_of(body: bytes, spelling: Spelling, sought: Sought) -> list[Leaf]:
    """The leaves that are sought, in the order of the body; none where the body is not what it should be."""
    scan = {"json": _in_json, "xml": _in_xml}.get(spelling)
    if scan is None:
        return []
    try:
        return sorted(scan(body, sought), key=lambda leaf: leaf.start)
    except (ValueError, IndexError, expat.ExpatError):
        return []


def _close(frames: list[_Frame], frame: _Frame) -> None:
    """A structure has ended, and its neighbours are known; the next ones are those of the structure that holds it."""
    for leaf in frame.leaves:
        leaf.around.append(frame.texts)
    frames[-1].leaves += frame.leaves


def _in_json(body: bytes, sought: Sought) -> Iterator[Leaf]:
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
            if sought(name, text):
                listed = not all(is_object for is_object, _ in containers)
                frame.leaves.append(Leaf(start + quoted, end - quoted, name, text, listed=listed))
            elif quoted:
                frame.texts.append((name, text))
    (root,) = frames
    return iter(root.leaves)


_END_OF_TAG = re.compile(rb">")


def _in_xml(body: bytes, sought: Sought) -> Iterator[Leaf]:
    frames = [_Frame()]
    parser = expat.ParserCreate()
    parser.buffer_text = True
    begun, text, is_leaf = 0, "", False

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal begun, text, is_leaf
        frames.append(_Frame(name.rpartition(":")[2]))
        begun, text, is_leaf = parser.CurrentByteIndex, "", True

    def data(piece: str) -> None:
        nonlocal text
        text += piece

    def end(_name: str) -> None:
        nonlocal is_leaf
        frame = frames.pop()
        if is_leaf:
            if sought(frame.name, text):
                tag = _END_OF_TAG.search(body, begun)
                assert tag is not None
                frames[-1].leaves.append(Leaf(tag.end(), parser.CurrentByteIndex, frame.name, text))
            elif text:
                frames[-1].texts.append((frame.name, text))
        else:
            _close(frames, frame)
        is_leaf = False

    parser.StartElementHandler = start
    parser.CharacterDataHandler = data
    parser.EndElementHandler = end
    parser.Parse(body, True)
    (root,) = frames
    return iter(root.leaves)
