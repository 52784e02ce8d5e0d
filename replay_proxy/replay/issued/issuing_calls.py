"""Which calls give out values that a client presents later, and which take them.

What is known of them is data, `data/issuing_calls.json`, which says what its members mean. Everything here is pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.body import derived_headers
from replay_proxy.journal.format.records import Record

_DATA = Path(__file__).parent / "data" / "issuing_calls.json"
NOTE = "issued"
"""The note of a record that lists the digests of the values that the call gave out."""
_OF_THE_MESSAGE = frozenset(
    {"content-length", "content-md5", "x-amz-content-sha256", "x-amz-target", "content-encoding", "expect"}
)


@dataclass(frozen=True, slots=True)
class OtherCall:
    """Another call that is made for an issuing one. members: its parameters, by where they are taken from.

    gives: the member of its answer that is wanted. note: under which name that is noted.
    """

    operation: str
    gives: str
    members: Mapping[str, str]
    note: str = ""

    def request(self, request: Request, asked: Any, answered: Any, notes: Mapping[str, Any]) -> Request:
        """Return its request, like `request`, of which `asked` are the parameters, `answered` those of its answer."""
        sources = {"request": asked, "answer": answered, "notes": dict(notes)}
        parameters = {}
        for name, origin in self.members.items():
            side, _, path = origin.partition(".")
            value = next(_values_at(sources[side], path), None)
            if value is not None:
                parameters[name] = value
        body = orjson.dumps(parameters)
        target = request.headers.get("x-amz-target").partition(".")[0] + "." + self.operation
        kept = [(name, value) for name, value in request.headers if name.lower() not in _OF_THE_MESSAGE]
        headers = Headers((*kept, ("X-Amz-Target", target), ("Content-Length", str(len(body)))))
        return Request("POST", request.target, headers, body)


@dataclass(frozen=True, slots=True)
class IssuingCall:
    """A call that gives out values: where its answer has them, how they are made again, and what has to be learned first."""

    values: tuple[str, ...]
    again: OtherCall | None
    learns: OtherCall | None


@dataclass(frozen=True, slots=True)
class _Table:
    issues: Mapping[tuple[str, str], IssuingCall]
    takes: Mapping[str, tuple[str, ...]]
    identifiers: frozenset[str]
    revokes: frozenset[tuple[str, str]]
    sets_password: frozenset[tuple[str, str]]


@lru_cache(maxsize=1)
def _table() -> _Table:
    document = orjson.loads(_DATA.read_bytes())

    def other(entry: Mapping[str, Any] | None) -> OtherCall | None:
        return None if entry is None else OtherCall(**entry)

    return _Table(
        {
            (entry["service"], entry["operation"]): IssuingCall(
                tuple(entry["values"]), other(entry.get("again")), other(entry.get("learns"))
            )
            for entry in document["issues"]
        },
        {service: tuple(members) for service, members in document["takes"].items()},
        frozenset(document["identifiers"]),
        frozenset((entry["service"], entry["operation"]) for entry in document["revokes"]),
        frozenset((entry["service"], entry["operation"]) for entry in document["sets_password"]),
    )


def issuing_call(service: str, operation: str) -> IssuingCall | None:
    """Return what is known of an operation that gives out values; None for every other one."""
    return _table().issues.get((service, operation))


def needs_lesson(head: CallHead) -> bool:
    """Return whether something may have to be asked before the answer to a call is passed on: `learns`, or a token's key."""
    call = issuing_call(head.service, head.operation)
    return call is not None and (call.learns is not None or head.service == "cognito-idp")


def revokes(service: str, operation: str) -> bool:
    """Return whether tokens that were given out before are refused after such a call."""
    return (service, operation) in _table().revokes


def sets_password(service: str, operation: str) -> bool:
    """Return whether a call sets the password of a user."""
    return (service, operation) in _table().sets_password


def is_kept(service: str, operation: str) -> bool:
    """Return whether a call is recorded although it changes nothing: it gives out values, or revokes them."""
    return (service, operation) in _table().issues or (service, operation) in _table().revokes


def takes_issued(service: str) -> bool:
    """Return whether requests of a service may present a value that was given out."""
    return service in _table().takes


def are_identifiers(service: str) -> bool:
    """Return whether what a service gives out are identifiers, which its answers show."""
    return service in _table().identifiers


def digest(value: str) -> str:
    """Return the digest by which a value is found again: 16 hexadecimal characters."""
    return hashlib.blake2b(value.encode(), digest_size=8).hexdigest()


def document_of(message: Request | Answer) -> Any:
    """Return the JSON document in a body; None where there is none."""
    if not isinstance(message.body, bytes) or message.body[:1] != b"{":
        return None
    try:
        return orjson.loads(message.body)
    except orjson.JSONDecodeError:
        return None


def issued_values(head: CallHead, answer: Answer) -> dict[str, str]:
    """Return the values that an answer gives out, by their paths; empty for most calls."""
    call = issuing_call(head.service, head.operation)
    if call is None:
        return {}
    document = document_of(answer)
    found = {path: _value(answer, document, path) for path in call.values}
    return {path: value for path, value in found.items() if isinstance(value, str) and value}


def with_values(answer: Answer, values: Mapping[str, str]) -> Answer:
    """Return an issuing call's answer with other values, given by their paths."""
    document = document_of(answer)
    for path, value in values.items():
        *above, last = path.split(".")
        place = document
        for name in above:
            place = place[name]
        place[last] = value
    body = orjson.dumps(document)
    headers = derived_headers.for_body(answer.headers, body)
    return replace(answer, body=body, headers=headers)


def notes_of(head: CallHead, answer: Answer) -> dict[str, Any]:
    """Return the notes of a record of an issuing call; empty for every other one."""
    values = issued_values(head, answer)
    return {NOTE: [digest(value) for value in values.values()]} if values else {}


@dataclass(slots=True)
class Presentation:
    """What a request presents: its document, and each value with the map that holds it and its key there."""

    document: Any = None
    places: list[tuple[dict[str, Any], str]] = field(default_factory=list)

    def values(self) -> list[str]:
        """Return the values."""
        return [place[key] for place, key in self.places]

    def request(self, request: Request) -> Request:
        """Return `request` with the document as it is now."""
        body = orjson.dumps(self.document)
        return replace(request, body=body, headers=derived_headers.for_body(request.headers, body))


def presented(head: CallHead, request: Request) -> Presentation:
    """Return what a request presents of what may have been given out before."""
    members = _table().takes.get(head.service, ())
    document = document_of(request) if members else None
    found = Presentation(document)
    for path in members:
        *above, last = path.split(".")
        place = document
        for name in above:
            place = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, dict):
            keys = list(place) if last == "*" else [last]
            found.places += [(place, key) for key in keys if isinstance(place.get(key), str)]
    return found


def request_again(head: CallHead, record: Record) -> tuple[CallHead, Request]:
    """Return the request that makes again what the call of `record` gave out, in client ids."""
    call = issuing_call(head.service, head.operation)
    if call is None or call.again is None:
        return head, record.request
    made = call.again.request(record.request, document_of(record.request), document_of(record.answer), record.notes)
    return replace(head, operation=call.again.operation), made


def values_again(head: CallHead, record: Record, again: Answer) -> Iterator[tuple[str, str]]:
    """Yield each value that the call of `record` gave out, with the one in its place. again: the new answer."""
    call, document = issuing_call(head.service, head.operation), document_of(again)
    for path, value in issued_values(head, record.answer).items():
        other = _value(again, document, path if call is None or call.again is None else call.again.gives)
        if isinstance(other, str) and other:
            yield value, other


def _value(answer: Answer, document: Any, path: str) -> Any:
    """Return what an answer has at a path: in its document, or in a header field (`header:NAME`)."""
    kind, _, name = path.partition(":")
    return answer.headers.get(name) if kind == "header" else next(_values_at(document, path), None)


def value_at(document: Any, path: str) -> Any:
    """Return what a document has at a path (`Parameter.Value`); None where there is nothing."""
    return next(_values_at(document, path), None)


def _values_at(document: Any, path: str) -> Iterator[Any]:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    if document is not None:
        yield document
