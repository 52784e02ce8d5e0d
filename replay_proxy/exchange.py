"""The frozen records that travel between all parts of the program.

Text here is *wire text*: a header value or a request target is the received bytes decoded as ISO 8859-1, which
maps every byte to one character and back (RFC 9110, section 5.5, "field values ... obs-text"). Nothing is lost,
and nothing is interpreted, before somebody who knows the context (a percent-encoded path, a UTF-8 form) decodes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeVar

_Result = TypeVar("_Result")

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Names, in lower case, of the fields that belong to a connection and not to a message (RFC 9110, sections 7.6.1 and 11.7)."""


class _FieldNames:
    """The names of a message's fields, with what follows from them alone.

    Clients send the same names again and again, so this is worked out once for each list of names: the names in lower
    case (`lowers`), where a name stands first (`positions`), and which fields are left without some of them.
    """

    __slots__ = ("_less", "_results", "lowers", "names", "positions")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.lowers = tuple([name.lower() for name in names])
        # Backwards, so that of several fields of one name the first is left.
        self.positions = {self.lowers[at]: at for at in range(len(names) - 1, -1, -1)}
        self._less: dict[frozenset[str], tuple[_FieldNames, Callable[[Any], Any]] | None] = {}
        self._results: dict[Callable[[tuple[str, ...]], Any], Any] = {}

    def less(self, names: frozenset[str]) -> tuple[_FieldNames, Callable[[Any], Any]] | None:
        """Return the names without `names`, and a function that picks their fields; None where nothing goes."""
        try:
            return self._less[names]
        except KeyError:
            pass
        kept = [at for at, lower in enumerate(self.lowers) if lower not in names]
        found = None
        if len(kept) != len(self.lowers):
            found = _field_names(tuple([self.names[at] for at in kept])), _picker(kept)
        if len(self._less) < _SUBSETS_MAX and len(names) <= _NAMES_MAX:
            self._less[names] = found
            if self.names in _known_names:
                size = sum(_NAME_BYTES + len(name) for name in names)
                _known_names.grow(size + (found[0].size if found is not None else 0))
        return found

    def result(self, function: Callable[[tuple[str, ...]], _Result]) -> _Result:
        """Return what `function` returns for the names in lower case; remembered."""
        try:
            known: _Result = self._results[function]
        except KeyError:
            known = self._results[function] = function(self.lowers)
        return known

    @property
    def size(self) -> int:
        """Return about how many bytes this object takes."""
        return _SET_BYTES + sum(_NAME_BYTES + 2 * len(name) for name in self.names)


def _picker(positions: list[int]) -> Callable[[Any], Any]:
    """Return a function from a tuple to the tuple of its items at `positions`."""
    if len(positions) > 1:
        return itemgetter(*positions)
    return lambda items: tuple([items[at] for at in positions])


FIELD_NAMES_BYTES_MAX = 8 << 20
"""When more names than this are remembered, all are forgotten: a client that sends new ones each time must not fill memory."""
_SETS_MAX, _SUBSETS_MAX, _NAMES_MAX = 1024, 16, 64
_SET_BYTES, _NAME_BYTES = 1024, 256
"""What a list of names takes, and what each name in it takes beside its characters; rounded up."""


class _KnownNames(dict[tuple[str, ...] | tuple[bytes, ...], _FieldNames]):
    """The lists of names that are remembered. size: about, in bytes."""

    size = 0

    def keep(self, key: tuple[str, ...] | tuple[bytes, ...], field_names: _FieldNames) -> None:
        """Remember a list of names, unless it is unusually long."""
        if len(key) <= _NAMES_MAX and max(map(len, key), default=0) <= _NAMES_MAX:
            self[key] = field_names
            self.grow(field_names.size)

    def grow(self, size: int) -> None:
        """Count so many more bytes, and forget everything where that is too much."""
        self.size += size
        if self.size > FIELD_NAMES_BYTES_MAX or len(self) > _SETS_MAX:
            self.clear()
            self.size = 0


_known_names = _KnownNames()


def _field_names(names: tuple[str, ...]) -> _FieldNames:
    field_names = _known_names.get(names)
    if field_names is None:
        field_names = _FieldNames(names)
        _known_names.keep(names, field_names)
    return field_names


class Headers:
    """Header fields in the order and spelling of the wire, duplicates kept; looked up without regard to case."""

    __slots__ = ("_known_field_names", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: tuple[tuple[str, str], ...] = tuple(pairs)
        self._known_field_names: _FieldNames | None = None

    @classmethod
    def _of(cls, pairs: tuple[tuple[str, str], ...], field_names: _FieldNames) -> Headers:
        made = cls.__new__(cls)
        made.pairs = pairs
        made._known_field_names = field_names
        return made

    @classmethod
    def named(cls, pairs: tuple[tuple[str, str], ...], names: tuple[str, ...]) -> Headers:
        """Return headers of the fields `pairs`, whose names are `names`."""
        return cls._of(pairs, _known_names.get(names) or _field_names(names))

    @classmethod
    def from_raw(cls, raw: Iterable[tuple[bytes, bytes]]) -> Headers:
        """Return headers of the fields of a received message."""
        raw = tuple(raw)
        names = tuple([name for name, _ in raw])
        field_names = _known_names.get(names)
        if field_names is None:
            field_names = _field_names(tuple([name.decode("latin-1") for name in names]))
            _known_names.keep(names, field_names)
        values = [value.decode("latin-1") for _, value in raw]
        return cls._of(tuple(zip(field_names.names, values, strict=True)), field_names)

    @property
    def _own_field_names(self) -> _FieldNames:
        field_names = self._known_field_names
        if field_names is None:
            field_names = self._known_field_names = _field_names(tuple([name for name, _ in self.pairs]))
        return field_names

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of the field called `name` (lower case), or `default`."""
        at = (self._known_field_names or self._own_field_names).positions.get(name)
        return default if at is None else self.pairs[at][1]

    def get_all(self, name: str) -> list[str]:
        """Return all values of the field called `name` (lower case), in order."""
        return [value for key, value in self.pairs if key.lower() == name]

    @property
    def lowers(self) -> tuple[str, ...]:
        """Return the names in lower case, in order."""
        return (self._known_field_names or self._own_field_names).lowers

    def of_names(self, function: Callable[[tuple[str, ...]], _Result]) -> _Result:
        """Return what `function` returns for the names in lower case; worked out once for each list of names."""
        return (self._known_field_names or self._own_field_names).result(function)

    @property
    def has_duplicates(self) -> bool:
        """Return whether two fields have the same name."""
        field_names = self._own_field_names
        return len(field_names.positions) != len(field_names.names)

    def without(self, *names: str) -> Headers:
        """Return these fields without those called one of `names` (lower case); the same object where there is none."""
        return self.less(frozenset(names))

    def less(self, names: frozenset[str]) -> Headers:
        """Return these fields without those called one of `names` (lower case); fast for a set that is used often."""
        found = (self._known_field_names or self._own_field_names).less(names)
        return self if found is None else Headers._of(found[1](self.pairs), found[0])

    def replaced(self, name: str, value: str) -> Headers:
        """Return these fields with `name` set once to `value`: in the place of its first occurrence, else at the end."""
        field_names = self._known_field_names or self._own_field_names
        lower = name.lower()
        at = field_names.positions.get(lower)
        if at is not None and len(field_names.positions) == len(field_names.names):
            fields = list(self.pairs)
            fields[at] = (field_names.names[at], value)
            return Headers._of(tuple(fields), field_names)
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
        return name in (self._known_field_names or self._own_field_names).positions

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
    """A body too large for memory, which is a file in `blobs/` of the recording.

    sha256: its name, the hexadecimal digest of its bytes. size: in bytes.
    """

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
        """Return the raw path, percent-encoding and double slashes included."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """Return the raw query string without its question mark; empty where there is none."""
        return self.target.partition("?")[2]


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. reason: the reason phrase; empty for the usual one."""

    status: int
    headers: Headers
    body: Body = b""
    reason: str = ""


DeferredAnswer = Callable[[], Answer]
"""Returns an answer, which is parsed when it is first asked for."""


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
