"""The frozen records that travel between all parts of the program.

Text here is *wire text*: a header value or a request target is the received bytes decoded as ISO 8859-1, which
maps every byte to one character and back (RFC 9110, section 5.5, "field values ... obs-text"). Nothing is lost,
and nothing is interpreted, before somebody who knows the context (a percent-encoded path, a UTF-8 form) decodes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any


class _Shape:
    """The names of a message's fields. Clients send the same ones again and again, so what follows from them alone is
    worked out once: the spelling in lower case, where a name stands, and what is left when some names go.
    """

    __slots__ = ("_less", "lowers", "names", "positions")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.lowers = tuple([name.lower() for name in names])
        # Backwards, so that of several fields of one name the first is left.
        self.positions = {self.lowers[at]: at for at in range(len(names) - 1, -1, -1)}
        self._less: dict[frozenset[str], tuple[_Shape, Callable[[Any], Any]] | None] = {}

    def less(self, names: frozenset[str]) -> tuple[_Shape, Callable[[Any], Any]] | None:
        """The shape without `names`, and what picks its fields; None where nothing goes."""
        try:
            return self._less[names]
        except KeyError:
            pass
        kept = [at for at, lower in enumerate(self.lowers) if lower not in names]
        found = None
        if len(kept) != len(self.lowers):
            found = _shape_of(tuple([self.names[at] for at in kept])), _picker(kept)
        if len(self._less) < _MOST_SUBSETS:
            self._less[names] = found
        return found


def _picker(positions: list[int]) -> Callable[[Any], Any]:
    """From a tuple to the tuple of its items at `positions`."""
    if len(positions) > 1:
        return itemgetter(*positions)
    return lambda items: tuple([items[at] for at in positions])


_shapes: dict[tuple[str, ...] | tuple[bytes, ...], _Shape] = {}
_MOST_SHAPES, _MOST_SUBSETS, _MOST_NAMES = 1024, 16, 64
"""Whoever sends a new set of names each time shall not fill the memory with them."""


def _shape_of(names: tuple[str, ...]) -> _Shape:
    shape = _shapes.get(names)
    if shape is None:
        shape = _remembered(names, _Shape(names))
    return shape


def _remembered(key: tuple[str, ...] | tuple[bytes, ...], shape: _Shape) -> _Shape:
    if len(key) <= _MOST_NAMES and max(map(len, key), default=0) <= _MOST_NAMES:
        if len(_shapes) >= _MOST_SHAPES:
            _shapes.clear()
        _shapes[key] = shape
    return shape


class Headers:
    """Header fields in the order and spelling of the wire, duplicates kept; looked up without regard to case."""

    __slots__ = ("_known_shape", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: tuple[tuple[str, str], ...] = tuple(pairs)
        self._known_shape: _Shape | None = None

    @classmethod
    def _of(cls, pairs: tuple[tuple[str, str], ...], shape: _Shape) -> Headers:
        made = cls.__new__(cls)
        made.pairs = pairs
        made._known_shape = shape
        return made

    @classmethod
    def named(cls, pairs: tuple[tuple[str, str], ...], names: tuple[str, ...]) -> Headers:
        """These fields, of which `names` are the names."""
        return cls._of(pairs, _shapes.get(names) or _shape_of(names))

    @classmethod
    def from_raw(cls, raw: Iterable[tuple[bytes, bytes]]) -> Headers:
        """The fields of a received message, as bytes."""
        raw = tuple(raw)
        names = tuple([name for name, _ in raw])
        shape = _shapes.get(names)
        if shape is None:
            shape = _remembered(names, _shape_of(tuple([name.decode("latin-1") for name in names])))
        values = [value.decode("latin-1") for _, value in raw]
        return cls._of(tuple(zip(shape.names, values, strict=True)), shape)

    def to_raw(self) -> list[tuple[bytes, bytes]]:
        """The same fields as bytes."""
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.pairs]

    @property
    def _shape(self) -> _Shape:
        shape = self._known_shape
        if shape is None:
            shape = self._known_shape = _shape_of(tuple([name for name, _ in self.pairs]))
        return shape

    def get(self, name: str, default: str = "") -> str:
        """The first value of the field called `name` (lower case), or `default`."""
        at = (self._known_shape or self._shape).positions.get(name)
        return default if at is None else self.pairs[at][1]

    def get_all(self, name: str) -> list[str]:
        """All values of the field called `name` (lower case), in order."""
        return [value for key, value in self.pairs if key.lower() == name]

    @property
    def lowers(self) -> tuple[str, ...]:
        """The names in lower case, in order."""
        return (self._known_shape or self._shape).lowers

    @property
    def has_duplicates(self) -> bool:
        """Whether a name stands more than once."""
        shape = self._shape
        return len(shape.positions) != len(shape.names)

    def without(self, *names: str) -> Headers:
        """These fields less every field called one of `names` (lower case); the same object where there is none."""
        return self.less(frozenset(names))

    def less(self, names: frozenset[str]) -> Headers:
        """As `without`; fast for a set that is used again and again."""
        found = (self._known_shape or self._shape).less(names)
        return self if found is None else Headers._of(found[1](self.pairs), found[0])

    def replaced(self, name: str, value: str) -> Headers:
        """These fields with `name` set once to `value`: in the place of its first occurrence, else at the end."""
        shape = self._known_shape or self._shape
        lower = name.lower()
        at = shape.positions.get(lower)
        if at is not None and len(shape.positions) == len(shape.names):
            fields = list(self.pairs)
            fields[at] = (shape.names[at], value)
            return Headers._of(tuple(fields), shape)
        out, done = [], False
        for key, old in self.pairs:
            if key.lower() != lower:
                out.append((key, old))
            elif not done:
                out.append((key, value))
                done = True
        if not done:
            out.append((name, value))
        return Headers(out)

    def __contains__(self, name: str) -> bool:
        return name in (self._known_shape or self._shape).positions

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)!r})"


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A body too large for memory: it lies in `blobs/` of the recording under its SHA-256 (hex); size in bytes."""

    sha256: str
    size: int


Body = bytes | BlobRef


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `target` is the request target exactly as received (path and query, never decoded)."""

    method: str
    target: str
    headers: Headers
    body: Body = b""

    @property
    def path(self) -> str:
        """The raw path, percent-encoding and double slashes included."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The raw query string without its question mark; empty where there is none."""
        return self.target.partition("?")[2]


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Headers
    body: Body = b""
    reason: str = ""


Unread = Callable[[], Answer]
"""An answer that is split when somebody wants to look into it."""


@dataclass(frozen=True, slots=True)
class CallHead:
    """What can be said of a request cheaply, without parsing its parameters.

    service: botocore's name of the service (`sqs`, `apigatewayv2`, `s3control`).
    operation: the operation as the model spells it (`CreateQueue`).
    protocol: of this request, one of `query`, `ec2`, `json`, `rest-json`, `rest-xml`, `smithy-rpc-v2-cbor`.
    account: 12 digits where the access key id names an account, else empty (the emulator's default).
    region: from the credential scope or the host; empty where the request does not say.
    access_key: the access key id that signed, empty for unsigned requests.
    """

    service: str
    operation: str
    protocol: str
    account: str = ""
    region: str = ""
    access_key: str = ""
