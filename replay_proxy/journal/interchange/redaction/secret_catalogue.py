"""Learn the secrets of a recording: what the models mark, and what the names beside a value say is one.

`SecretCatalogue.learn` is shown every record before anything is redacted. It finds secrets in whatever document they stand
(`wire.sensitive`), numbers them in order of appearance, and knows which words must not be looked for elsewhere, because the
messages themselves are made of them.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, BlobRef, CallHead, Request
from replay_proxy.journal.format.records import Record
from replay_proxy.journal.interchange.redaction.messages import (
    address_members,
    as_bytes,
    is_secret_payload,
    is_text,
    last_name,
    model_of,
    name_of,
)
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.content_coding import answer_body, request_body
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.codecs.protocols.limits import PARSED_BYTES_MAX
from replay_proxy.wire.sensitive.named_secrets import SecretReader
from replay_proxy.wire.sensitive.secret_names import names_attribute, names_secret
from replay_proxy.wire.sensitive.secrets import model_names, secrets_in, texts_in
from replay_proxy.wire.sensitive.spellings import BYTES_MIN

Load = Callable[[BlobRef], bytes]
"""Reads a large body."""

_PLACEHOLDER = re.compile(rb"Redacted-([0-9]{7})")
_NAMES_MAX = 100_000
_NOT_JUDGED_MAX = 500
"""Different entries of what could not be judged that are told one by one."""
_DEPTH_MAX = 16


class CannotRedactError(Exception):
    """A call whose secrets cannot be taken out; the text says why."""


@dataclass(slots=True)
class Secret:
    """One secret value. named: told by a name; else by a model alone. names: the last names that led to it."""

    number: int
    named: bool
    names: set[str] = field(default_factory=set)


@dataclass
class SecretCatalogue:
    """The secrets of a recording. load: reads a large body.

    by_value: the secrets that were found. placeholders: what stands, or is to stand, in the place of one. not_judged: how
    often something may hold secrets that nobody can see, by reason and member. replacing: secrets are being replaced, so
    whatever looks like a placeholder is one.
    """

    load: Load
    not_judged: Counter[str] = field(default_factory=Counter)
    by_value: dict[bytes, Secret] = field(default_factory=dict)
    placeholders: set[bytes] = field(default_factory=set)
    replacing: bool = False
    _names: set[str] = field(default_factory=set)
    _no_echo: set[str] = field(default_factory=set)
    _earlier: int = 0

    def learn(self, record: Record) -> None:
        """Take in the secrets of a record."""
        head = record.head
        self._words(head)
        operation = model_of(head)
        if operation is None:
            self._count_not_judged("no model of the call (names and values were judged)", name_of(record), "")
        for message in (record.request, record.answer):
            if operation is not None:
                self._note_blobs(record, operation, message)
            for path, value, named in self.found_in(record, message, operation, note=True):
                data = as_bytes(value)
                if earlier := _PLACEHOLDER.fullmatch(data):  # the recording is a redacted copy itself
                    self._earlier = max(self._earlier, int(earlier[1]))
                    continue
                secret = self.by_value.get(data)
                if secret is None:
                    secret = self.by_value[data] = Secret(len(self.by_value) + 1, named)
                secret.named |= named
                secret.names.add(last_name(path))

    @property
    def wants_names(self) -> bool:
        """Whether every record must be shown to `spare` before anything is redacted."""
        return any(not secret.named for secret in self.by_value.values())

    def spare(self, record: Record) -> None:
        """Replace values that only a model marks, and that name something in this record, only where they are marked."""
        operation = model_of(record.head)
        if operation is None or record.head is None:
            return
        for message in (record.request, record.answer):
            answer = isinstance(message, Answer)
            addressed = frozenset[str]() if answer else address_members(operation)
            with suppress(CannotRedactError):
                parsed = self.parsed(record, message)
                for path, value, told in texts_in(operation, parsed, answer=answer):
                    if told or not isinstance(value, str) or len(value) < BYTES_MIN:
                        continue
                    if path in addressed or names_attribute(path.rpartition(".")[2]):
                        secret = self.by_value.get(as_bytes(value))
                        if secret is not None and not secret.named:
                            self._word(value)

    def _words(self, head: CallHead | None) -> None:
        if head is not None:
            for word in (head.service, head.operation, head.region, head.account, head.access_key):
                self._word(word)

    def _word(self, word: str) -> None:
        if len(self._names) < _NAMES_MAX:
            self._names.add(word)

    def found_in(
        self, record: Record, message: Request | Answer, operation: Any, *, note: bool = False
    ) -> list[tuple[str, str | bytes, bool]]:
        """Return path and value of each secret of a message, and whether its name tells it. note: count what cannot be judged."""
        head = record.head
        answer = isinstance(message, Answer)
        found: list[tuple[str, str | bytes, bool]] = []
        seen: set[bytes] = set()
        if operation is not None and not (is_secret_payload(operation, answer) and message.body):
            with suppress(CannotRedactError):
                for path, value in secrets_in(operation, self.parsed(record, message), answer=answer):
                    found.append((path, value, any(names_secret(part) for part in path.split("."))))
                    data = as_bytes(value)
                    seen |= {data, base64.b64encode(data), base64.urlsafe_b64encode(data)}
        reader = SecretReader(() if operation is None else model_names(operation), self._no_echo)
        named = [each for name, value in message.headers for each in reader.field(name, value)]
        if isinstance(message, Request) and message.query:
            named += reader.form(message.query.encode("latin-1"))
        body = self.plain_body(message, operation)
        if body is None:
            if note:
                self._count_not_judged(f"a body of more than {PARSED_BYTES_MAX} bytes", name_of(record), "the body")
        elif not is_secret_payload(operation, answer):
            named += reader.body(body, message.headers.get("content-type").lower())
            if note:
                for where in reader.unread:
                    self._count_not_judged("no text", name_of(record), where or "the body")
                if head is not None:
                    self._learn_names(body)
        for each in named:
            data = as_bytes(each.value)
            if data not in seen:
                found.append((each.path, each.value, True))
        return [each for each in found if not self._is_placeholder(as_bytes(each[1]))]

    def _note_blobs(self, record: Record, operation: Any, message: Request | Answer) -> None:
        """Count members of bytes that are no text (an archive of code): nobody can say what is in them."""
        answer = isinstance(message, Answer)
        with suppress(CannotRedactError):
            for path, value, _told in texts_in(operation, self.parsed(record, message), answer=answer):
                if isinstance(value, bytes) and value is not message.body and not is_text(value):
                    self._count_not_judged("no text", name_of(record), path)

    def _learn_names(self, body: bytes) -> None:
        """Take in the keys of JSON, which are no secrets even where a secret is spelled like one (the password `password`)."""
        if body[:1] in (b"{", b"["):
            with suppress(orjson.JSONDecodeError):
                self._keys(orjson.loads(body))

    def _keys(self, value: Any, depth: int = 0) -> None:
        if depth < _DEPTH_MAX and isinstance(value, dict):
            for key, inner in value.items():
                self._word(key)
                self._keys(inner, depth + 1)
        elif depth < _DEPTH_MAX and isinstance(value, list):
            for inner in value:
                self._keys(inner, depth + 1)

    def _count_not_judged(self, reason: str, call: str, member: str) -> None:
        entry = f"{reason}: {call}{':' if member else ''}{member}"
        if entry not in self.not_judged and len(self.not_judged) >= _NOT_JUDGED_MAX:
            entry = f"{reason}: others"
        self.not_judged[entry] += 1

    def loaded(self, body: bytes | BlobRef) -> bytes | None:
        """Return the body in memory; None where it is too large."""
        if isinstance(body, BlobRef):
            return self.load(body) if body.size <= PARSED_BYTES_MAX else None
        return body

    def plain_body(self, message: Request | Answer, operation: Any) -> bytes | None:
        """Return the body, unframed and unpacked as far as it is no user's payload; None where it is too large to be read."""
        body = self.loaded(message.body)
        if not body:
            return body
        answer = isinstance(message, Answer)
        shape = None if operation is None else operation.output_shape if answer else operation.input_shape
        try:
            plain = (answer_body if answer else request_body)(message.headers, body, shape)
        except MalformedMessage:
            return body
        assert isinstance(plain, bytes)
        return plain

    def parsed(self, record: Record, message: Request | Answer) -> dict[str, Any]:
        """Return the members of a message by its model. Raises CannotRedactError."""
        head = record.head
        assert head is not None
        operation = model_of(head)
        answer = isinstance(message, Answer)
        streams = operation.has_streaming_output if answer else operation.has_streaming_input
        if isinstance(message.body, BlobRef) and not streams:
            loaded = self.loaded(message.body)
            message = message if loaded is None else replace(message, body=loaded)
        try:
            if isinstance(message, Answer):
                return parse_answer(head, message, record.request).parsed
            return parse_parameters(head, message)
        except MalformedMessage as error:
            what = "answer" if answer else "request"
            raise CannotRedactError(f"its {what} cannot be read: {error.message}") from error

    def _is_placeholder(self, data: bytes) -> bool:
        return data in self.placeholders or (self.replacing and (b"Redacted-0" in data or b"UmVkYWN0ZWQt" in data))

    def placeholder_of(self, secret: Secret) -> str:
        """Return the placeholder of a secret. Its number follows those of an earlier redaction."""
        return f"Redacted-{self._earlier + secret.number:07d}"

    def is_replaced_only_where_told(self, data: bytes) -> bool:
        """Whether this value is replaced only where a name or a model tells it."""
        return len(data) < BYTES_MIN or data.decode("utf-8", "replace") in self._names
