"""The frozen records that travel between all parts of the program.

Text here is *wire text*: a header value or a request target is the received bytes decoded as ISO 8859-1, which
maps every byte to one character and back (RFC 9110, section 5.5, "field values ... obs-text"). Nothing is lost,
and nothing is interpreted, before somebody who knows the context (a percent-encoded path, a UTF-8 form) decodes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass


class Headers:
    """Header fields in the order and spelling of the wire, duplicates kept; looked up without regard to case."""

    __slots__ = ("_index", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: tuple[tuple[str, str], ...] = tuple(pairs)
        self._index: dict[str, str] | None = None

    @classmethod
    def from_raw(cls, raw: Iterable[tuple[bytes, bytes]]) -> Headers:
        """The fields of a received message, as bytes."""
        return cls((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)

    def to_raw(self) -> list[tuple[bytes, bytes]]:
        """The same fields as bytes."""
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.pairs]

    def get(self, name: str, default: str = "") -> str:
        """The first value of the field called `name` (lower case), or `default`."""
        index = self._index
        if index is None:
            index = self._index = {}
            for key, value in self.pairs:
                index.setdefault(key.lower(), value)
        return index.get(name, default)

    def get_all(self, name: str) -> list[str]:
        """All values of the field called `name` (lower case), in order."""
        return [value for key, value in self.pairs if key.lower() == name]

    def without(self, *names: str) -> Headers:
        """These fields less every field called one of `names` (lower case)."""
        return Headers(pair for pair in self.pairs if pair[0].lower() not in names)

    def replaced(self, name: str, value: str) -> Headers:
        """These fields with `name` set once to `value`: in the place of its first occurrence, else at the end."""
        lower, out, done = name.lower(), [], False
        for key, old in self.pairs:
            if key.lower() != lower:
                out.append((key, old))
            elif not done:
                out.append((key, value))
                done = True
        if not done:
            out.append((name, value))
        return Headers(out)

    @property
    def names(self) -> Set[str]:
        """The names of all fields, in lower case."""
        self.get("")
        assert self._index is not None
        return self._index.keys()

    def __contains__(self, name: str) -> bool:
        return name in self.names

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
