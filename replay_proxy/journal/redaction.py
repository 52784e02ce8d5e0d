"""Recorded calls without their secrets, for recordings that leave the machine.

Secret is what `wire.secrets` says. Every secret value becomes a placeholder (`Redacted-0000001`), the same one wherever
it occurs in a secret member, so that calls that belong together still do. The numbers are those of first occurrence:
the same recording gives the same export, and a placeholder says nothing about what it stands for (a hash of a password
could be guessed). It has letters of both cases, digits and a sign, because password policies ask for them.

A message that was changed is parsed again, and must hold placeholders alone; a call for which that cannot be achieved is
left out of the export, and counted. Checksums of changed bodies are removed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import quote_plus

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers, Request
from replay_proxy.journal.leaves import form, with_leaves
from replay_proxy.journal.records import Record
from replay_proxy.wire.answers import parse_answer
from replay_proxy.wire.bodies import answer_body, request_body
from replay_proxy.wire.models import UnknownModelError, protocol_model
from replay_proxy.wire.parameters import parse_parameters
from replay_proxy.wire.secrets import is_secret, may_hold_secrets, secrets_in

_Message = TypeVar("_Message", Request, Answer)
_CHECKSUMS = ("content-md5", "content-length", "content-encoding", "x-amz-content-sha256", "digest", "content-digest")
MOST_TELLING = 1000
"""Values that `leaks` looks for: each is looked for in every message."""
_TELLING = 8
"""Bytes. Shorter values stand in other members by chance."""
_CUSTOMER_KEY = "customer-key"


class CannotRedactError(Exception):
    """A call whose secrets cannot be taken out; the text says why."""


@dataclass
class Redactor:
    """counts: how often a member was redacted, by `service:operation:member`."""

    counts: Counter[str] = field(default_factory=Counter)
    _placeholders: dict[bytes, str] = field(default_factory=dict)
    _telling: list[bytes] = field(default_factory=list)
    _made: set[bytes] = field(default_factory=set)

    def redacted(self, record: Record) -> Record:
        """`record` without secrets; the same object where it has none.

        Bodies of messages that may hold secrets must be in memory (`looks_into`). Raises CannotRedactError.
        """
        head = record.head
        operation = _model(head)
        if head is None or operation is None:
            return record
        request, answer = record.request, record.answer
        if may_hold_secrets(operation.input_shape):
            request = self._message(head, operation, request, lambda each: _parameters(head, each))
        if may_hold_secrets(operation.output_shape):
            asked = record.request
            answer = self._message(head, operation, answer, lambda each: _parsed(head, each, asked))
        if request is record.request and answer is record.answer:
            return record
        return replace(record, request=request, answer=answer)

    @property
    def looked_for_all(self) -> bool:
        """False where there are more values than `leaks` looks for."""
        return len(self._telling) < 3 * MOST_TELLING

    def leaks(self, record: Record) -> bool:
        """Does a value that was redacted elsewhere still stand in a message of this call, in a member that is not secret?"""
        for message in (record.request, record.answer):
            texts = [value.encode("latin-1") for _name, value in message.headers]
            if isinstance(message, Request):
                texts.append(message.target.encode("latin-1"))
            if isinstance(message.body, bytes):
                texts.append(message.body)
            if any(value in text for text in texts for value in self._telling):
                return True
        return False

    def _message(self, head: CallHead, operation: Any, message: _Message, parse: Any) -> _Message:
        is_answer = isinstance(message, Answer)
        if _is_secret_payload(operation, is_answer) and message.body:
            self._count(head, "the body")
            text = self._placeholder(b"body of " + _identity(message.body))
            return replace(message, body=f'"{text}"'.encode(), headers=_bare(message.headers))
        if isinstance(message.body, BlobRef):
            return message
        found = self._secrets(operation, parse(message), answer=is_answer)
        if not found:
            return message
        for path, _value in found:
            self._count(head, path)
        for strict in (True, False):
            changed = self._changed(operation, message, found, strict=strict)
            if not self._secrets(operation, parse(changed), answer=is_answer):
                return changed
        raise CannotRedactError(f"a secret of {head.service}:{head.operation} could not be taken out")

    def _secrets(self, operation: Any, parsed: dict[str, Any], *, answer: bool) -> list[tuple[str, str | bytes]]:
        found = secrets_in(operation, parsed, answer=answer)
        return [(path, value) for path, value in found if _as_bytes(value) not in self._made]

    def _changed(
        self, operation: Any, message: _Message, found: list[tuple[str, str | bytes]], *, strict: bool
    ) -> _Message:
        """`message` with the secrets replaced: where their names lead to them, or (not `strict`) wherever they stand."""
        new: dict[str, str] = {}
        names: dict[str, set[str]] = {}
        for path, value in found:
            placeholder = self._placeholder(_as_bytes(value))
            member = next((part for part in reversed(path.lower().split(".")) if part != "*"), "")
            for old, stand_in in _spellings(value, placeholder):
                new[old] = stand_in
                names.setdefault(old, set()).add(member)

        def swap(leading: tuple[str, ...], text: str) -> str | None:
            if text not in new or (strict and names[text].isdisjoint(leading)):
                return None
            return new[text]

        headers = Headers(self._fields(message.headers, new))
        shape = operation.output_shape if isinstance(message, Answer) else operation.input_shape
        whole = answer_body if isinstance(message, Answer) else request_body
        body = message.body
        try:
            plain = whole(message.headers, body, shape)
            assert isinstance(plain, bytes)
            body = (
                plain
                if operation.has_streaming_input
                else with_leaves(plain, message.headers.get("content-type"), swap)
            )
        except (ValueError, MalformedMessage) as error:
            raise CannotRedactError(f"its body cannot be read: {error}") from error
        if body is plain:
            body = message.body
        else:
            headers = _bare(headers)
        if isinstance(message, Request) and message.query:
            query = form(message.query.encode("latin-1"), swap).decode("latin-1")
            return replace(message, target=f"{message.path}?{query}", headers=headers, body=body)
        return replace(message, headers=headers, body=body)

    def _fields(self, headers: Headers, new: dict[str, str]) -> Iterator[tuple[str, str]]:
        key = ""
        for name, value in headers:
            lower = name.lower()
            if lower.endswith(_CUSTOMER_KEY) and value in new:
                key = base64.b64encode((new[value] * 2)[:32].encode()).decode()
                self._made.add(key.encode())
                yield name, key
            elif lower.endswith(f"{_CUSTOMER_KEY}-md5"):
                continue
            else:
                yield name, new.get(value, value)
        if key:
            digest = hashlib.md5(base64.b64decode(key), usedforsecurity=False).digest()
            yield "x-amz-server-side-encryption-customer-key-MD5", base64.b64encode(digest).decode()

    def _placeholder(self, value: bytes) -> str:
        placeholder = self._placeholders.get(value)
        if placeholder is None:
            placeholder = self._placeholders[value] = f"Redacted-{len(self._placeholders) + 1:07d}"
            if len(value) >= _TELLING and len(self._telling) < 3 * MOST_TELLING:
                self._telling += {value, quote_plus(value).encode(), json.dumps(value.decode("latin-1"))[1:-1].encode()}
            self._made.add(placeholder.encode())
        return placeholder

    def _count(self, head: CallHead, path: str) -> None:
        self.counts[f"{head.service}:{head.operation}:{path}"] += 1


def looks_into(record: Record) -> tuple[bool, bool]:
    """Must the body of the request, and of the answer, be in memory to be redacted?"""
    operation = _model(record.head)
    if operation is None:
        return False, False
    return (
        may_hold_secrets(operation.input_shape) and not operation.has_streaming_input,
        may_hold_secrets(operation.output_shape) and not operation.has_streaming_output,
    )


def _model(head: CallHead | None) -> Any:
    if head is None:
        return None
    try:
        return protocol_model(head.service, head.operation, head.protocol)
    except (UnknownModelError, LookupError):
        return None


def _parameters(head: CallHead, request: Request) -> dict[str, Any]:
    try:
        return parse_parameters(head, request)
    except MalformedMessage as error:
        raise CannotRedactError(f"its request cannot be read: {error.message}") from error


def _parsed(head: CallHead, answer: Answer, request: Request) -> dict[str, Any]:
    try:
        return parse_answer(head, answer, request).parsed
    except MalformedMessage as error:
        raise CannotRedactError(f"its answer cannot be read: {error.message}") from error


def _is_secret_payload(operation: Any, answer: bool) -> bool:
    """Is the body as a whole one secret member, as the payload of a Lambda invocation?"""
    shape = operation.output_shape if answer else operation.input_shape
    payload = shape.serialization.get("payload") if shape is not None else None
    if payload is None:
        return False
    member = shape.members[payload]
    return member.type_name == "blob" and is_secret(shape, payload, member)


def _as_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def _identity(body: bytes | BlobRef) -> bytes:
    digest = body.sha256 if isinstance(body, BlobRef) else hashlib.sha256(body).hexdigest()
    return digest.encode()


def _spellings(value: str | bytes, placeholder: str) -> Iterator[tuple[str, str]]:
    """How a value stands in messages, and what stands there instead: text, or bytes in base64."""
    if isinstance(value, str):
        yield value, placeholder
        return
    yield base64.b64encode(value).decode(), base64.b64encode(placeholder.encode()).decode()


def _bare(headers: Headers) -> Headers:
    """Without what describes the old body."""
    return Headers(
        pair
        for pair in headers
        if pair[0].lower() not in _CHECKSUMS
        and not pair[0].lower().startswith(("x-amz-checksum-", "x-amz-sdk-checksum"))
    )
