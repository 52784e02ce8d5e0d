"""The texts in the body of an answer, one at a time, each with its member and shape: for bodies too large to be held as values.

Memory follows the nesting of the body and the size of a chunk, not the size of the body. The bodies of CBOR are the
exception: they are read as a whole, within the bound of all parsers. What the model does not know has no shape.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from xml.parsers import expat

import ijson
from botocore.model import OperationModel, Shape

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Headers
from replay_proxy.wire.codecs.protocols.cbor import load_cbor
from replay_proxy.wire.codecs.protocols.limits import DEPTH_MAX, PARSED_BYTES_MAX
from replay_proxy.wire.codecs.protocols.xml import element_names

_CBOR_MAPS = range(0xA0, 0xC0)

IsLeftOut = Callable[[Shape, str, Shape], bool]
"""From a structure, and a member of it with its shape, to whether that is passed over."""


class StreamedText(NamedTuple):
    """One text of a body. member: the name of its member; the items of a list and the values of a map have that of the whole."""

    member: str
    shape: Shape | None
    text: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands. is_entry: it is an entry of a map in XML. is_out: it is passed over.

    items: the list that it is an item of, where the list has no element of its own.
    """

    member: str = ""
    shape: Shape | None = None
    is_entry: bool = False
    is_out: bool = False
    items: Shape | None = None


_OUT = _Place(is_out=True)


def streamed_texts(
    operation: OperationModel, headers: Headers, chunks: Iterable[bytes], is_left_out: IsLeftOut
) -> Iterator[list[StreamedText]]:
    """Yield the texts in the body of an answer to `operation`, as many at a time as a chunk completes.

    chunks: of the body, as it is on the wire. Raises MalformedMessage where it is not in its format, after what came before.
    """
    shape = operation.output_shape
    payload = shape.serialization.get("payload") if shape is not None else None
    root = _Place(shape=shape.members[payload] if shape is not None and payload is not None else shape)
    pieces = _unpacked(headers, iter(chunks))
    first = next((piece for piece in pieces if piece.strip()), b"")
    if not first:
        return
    places = _Places(operation.name, is_left_out)
    whole = _chained(first, pieces)
    start = first.lstrip()
    if first[0] in _CBOR_MAPS:
        yield _of_value(_JsonWalk(places, root), load_cbor(_collected(whole)))
    elif start[:1] == b"<" or first.startswith(b"\xef\xbb\xbf<"):
        yield from _in_xml(places, root, whole)
    else:
        yield from _in_json(places, root, whole)


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _collected(chunks: Iterable[bytes]) -> bytes:
    held = bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) > PARSED_BYTES_MAX:
            raise MalformedMessage(f"the CBOR body has more than {PARSED_BYTES_MAX} bytes, which are not parsed")
    return bytes(held)


def _unpacked(headers: Headers, chunks: Iterator[bytes]) -> Iterator[bytes]:
    coding = headers.get("content-encoding").lower()
    if coding not in ("gzip", "x-gzip", "deflate"):
        yield from chunks
        return
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | (0 if coding == "deflate" else 16))
    for chunk in chunks:
        rest = chunk
        while rest:
            try:
                plain = unpacker.decompress(rest, len(chunk) * 8)
            except zlib.error as error:
                raise MalformedMessage(f"the compressed body is damaged: {error}") from None
            if plain:
                yield plain
            rest = unpacker.unconsumed_tail


class _Places:
    """Finds the place of a value from the place around it and its name on the wire."""

    def __init__(self, operation: str, is_left_out: IsLeftOut) -> None:
        self._is_left_out = is_left_out
        self._wrappers = (f"{operation}Response", f"{operation}Result")
        self._members: dict[tuple[str, bool], dict[str, tuple[str, Shape]]] = {}

    def in_structure(self, around: _Place, shape: Shape, name: str, *, xml: bool, at_root: bool = False) -> _Place:
        found = self._by_wire_name(shape, xml=xml).get(name)
        if found is None:
            wrapper = shape.serialization.get("resultWrapper", "")
            return around if at_root and name in (wrapper, *self._wrappers) else _Place(name)
        member, part = found
        return _OUT if self._is_left_out(shape, member, part) else _Place(member, part)

    def _by_wire_name(self, shape: Shape, *, xml: bool) -> dict[str, tuple[str, Shape]]:
        known = self._members.get((shape.name, xml))
        if known is None:
            known = {}
            for name, part in shape.members.items():
                own = part.serialization.get("name", name)
                for wire in element_names(part, name) if xml else (own, name):
                    if wire == own:
                        known[wire] = name, part
                    else:
                        known.setdefault(wire, (name, part))
            self._members[shape.name, xml] = known
        return known


def _in_xml(places: _Places, root: _Place, chunks: Iterable[bytes]) -> Iterator[list[StreamedText]]:
    found: list[StreamedText] = []
    stack: list[_Place] = []
    text: list[str] = []
    is_leaf = False

    def start(tag: str, _attributes: Any) -> None:
        nonlocal is_leaf
        if len(stack) > DEPTH_MAX:
            raise MalformedMessage(f"the XML body is nested more than {DEPTH_MAX} levels deep")
        name = tag.rpartition(":")[2]
        stack.append(_xml_child(places, stack[-1], name, at_root=stack[-1] is root) if stack else root)
        text.clear()
        is_leaf = True

    def end(_tag: str) -> None:
        nonlocal is_leaf
        place = stack.pop()
        if is_leaf and text and _is_text(place):
            found.append(StreamedText(place.member, place.shape, "".join(text)))
        is_leaf = False

    def refuse(*_words: Any) -> None:
        raise MalformedMessage("the XML body has a document type declaration")

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = refuse
    try:
        for chunk in chunks:
            parser.Parse(chunk, False)
            yield found
            found = []
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise MalformedMessage(f"the body is not XML: {error}") from None
    yield found


def _xml_child(places: _Places, around: _Place, name: str, *, at_root: bool) -> _Place:
    shape = around.shape
    if around.is_out:
        return _OUT
    if shape is None:
        return _Place(name)
    if around.is_entry:
        is_value = name in (shape.value.serialization.get("name", "value"), "value")
        return _Place(around.member, shape.value) if is_value else _OUT
    if around.items is not None and name in (around.items.member.serialization.get("name", "member"), "member"):
        # A list that is flat by its model and has an element of its own all the same.
        known = shape.type_name == "structure" and name in places._by_wire_name(shape, xml=True)
        if not known:
            return _Place(around.member, shape)
    match shape.type_name:
        case "structure":
            place = places.in_structure(around, shape, name, xml=True, at_root=at_root)
            part = place.shape
            if place is around or part is None or not part.serialization.get("flattened"):
                return place
            if part.type_name == "list":
                return _Place(place.member, part.member, items=part)
            return replace(place, is_entry=part.type_name == "map")
        case "list":
            return _Place(around.member, shape.member)
        case "map":
            return replace(around, is_entry=True)
    return _Place(name)


class _JsonWalk:
    """Follows the events of a JSON parser. texts: found so far."""

    def __init__(self, places: _Places, root: _Place) -> None:
        self._places = places
        self._root = root
        self._stack: list[tuple[bool, _Place]] = []  # whether it is an object
        self._key = ""
        self.texts: list[StreamedText] = []

    def event(self, event: str, value: Any) -> None:
        match event:
            case "map_key":
                self._key = value
            case "start_map" | "start_array":
                if len(self._stack) > DEPTH_MAX:
                    raise MalformedMessage(f"the JSON body is nested more than {DEPTH_MAX} levels deep")
                self._stack.append((event == "start_map", self._next()))
            case "end_map" | "end_array":
                self._stack.pop()
            case "string":
                place = self._next()
                if _is_text(place):
                    self.texts.append(StreamedText(place.member, place.shape, value))

    def _next(self) -> _Place:
        """Return the place of the value that comes next."""
        if not self._stack:
            return self._root
        is_object, around = self._stack[-1]
        shape = around.shape
        if around.is_out:
            return _OUT
        if not is_object:
            inner = shape.member if shape is not None and shape.type_name == "list" else None
            return _Place(around.member, inner)
        if shape is not None and shape.type_name == "structure" and not shape.is_document_type:
            at_root = around is self._root
            return self._places.in_structure(around, shape, self._key, xml=False, at_root=at_root)
        if shape is not None and shape.type_name == "map":
            return _Place(around.member, shape.value)
        return _Place(self._key)

    def taken(self) -> list[StreamedText]:
        found, self.texts = self.texts, []
        return found


def _in_json(places: _Places, root: _Place, chunks: Iterable[bytes]) -> Iterator[list[StreamedText]]:
    walk = _JsonWalk(places, root)
    events = ijson.sendable_list()
    parser = ijson.basic_parse_coro(events, use_float=True)
    try:
        for chunk in chunks:
            parser.send(chunk)
            for event, value in events:
                walk.event(event, value)
            del events[:]
            yield walk.taken()
        parser.close()
    except (ijson.JSONError, ValueError, OverflowError) as error:
        raise MalformedMessage(f"the body is not JSON: {error}") from None
    for event, value in events:
        walk.event(event, value)
    yield walk.taken()


def _of_value(walk: _JsonWalk, value: Any) -> list[StreamedText]:
    if isinstance(value, dict):
        walk.event("start_map", None)
        for key, each in value.items():
            walk.event("map_key", str(key))
            _of_value(walk, each)
        walk.event("end_map", None)
    elif isinstance(value, list):
        walk.event("start_array", None)
        for each in value:
            _of_value(walk, each)
        walk.event("end_array", None)
    elif isinstance(value, str):
        walk.event("string", value)
    return walk.texts


def _is_text(place: _Place) -> bool:
    return not place.is_out and (place.shape is None or place.shape.type_name == "string")
