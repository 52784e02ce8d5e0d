"""Take the secrets out of recorded calls, for recordings that leave the machine.

A recording is gone through twice. First every secret is *learned* (`secret_catalogue`). Then every message is *redacted*:
each secret is replaced where a model or a name tells it, and wherever else it stands, in whatever spelling
(`wire.sensitive.spellings`).

The placeholder (`Redacted-0000001`) is the same for the same secret, so that calls that belong together still do. The
numbers are those of first occurrence: the same recording gives the same export, and a placeholder says nothing about what
it stands for (a hash of a password could be guessed). It has letters of both cases, digits and a sign, because password
policies ask for them.

Some values are of no use for being found elsewhere, and are replaced only where they were told: those of fewer than
`spellings.BYTES_MIN` bytes, and words that the messages are made of (names of members, regions, services). Values that a
model marks, while their name says nothing (the variables of a function), are looked for as whole words, and not at all
where they are names of things elsewhere: a table's name among a function's variables is still the table's name.

A message that was changed is read again, and must hold placeholders alone; a call for which that cannot be achieved is
left out of the export, and counted. Checksums of changed bodies are removed.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

import orjson

from replay_proxy.exchange import Answer, BlobRef, Headers, Request
from replay_proxy.journal.format.records import PLAINTEXT_NOTE, Record
from replay_proxy.journal.interchange.redaction.body_values import form, with_leaves
from replay_proxy.journal.interchange.redaction.messages import (
    as_bytes,
    bare,
    identity_of,
    is_json,
    is_secret_payload,
    is_text,
    keeps_encoding,
    last_name,
    made_of,
    model_of,
    name_of,
    unbased,
)
from replay_proxy.journal.interchange.redaction.secret_catalogue import (
    CannotRedactError,
    Secret,
    SecretCatalogue,
)
from replay_proxy.wire.codecs.aws_chunked import is_aws_chunked, without_aws_chunked
from replay_proxy.wire.sensitive.named_secrets import with_named_secrets_replaced
from replay_proxy.wire.sensitive.secret_names import names_secret
from replay_proxy.wire.sensitive.secrets import may_hold_secrets
from replay_proxy.wire.sensitive.spellings import Vocabulary

_Message = TypeVar("_Message", Request, Answer)
_CUSTOMER_KEY = "customer-key"


class Redactor:
    """Takes the secrets of a catalogue out of records.

    counts: how often a member was redacted, by `service:operation:member`. elsewhere: messages in which a secret stood in
    other members, too, by `service:operation`.
    """

    def __init__(self, catalogue: SecretCatalogue) -> None:
        self.counts: Counter[str] = Counter()
        self.elsewhere: Counter[str] = Counter()
        self.catalogue = catalogue
        self._vocabulary: Vocabulary | None = None

    def redacted(self, record: Record) -> Record:
        """Return `record` without secrets; the same object where it has none. Raises CannotRedactError."""
        self._looked_for()
        operation = model_of(record.head)
        request = self._message(record, operation, record.request)
        answer = self._message(record, operation, record.answer)
        notes = record.notes
        if PLAINTEXT_NOTE in notes:
            self.counts[f"{name_of(record)}:the plaintext"] += 1
            notes = {name: value for name, value in notes.items() if name != PLAINTEXT_NOTE}
        if notes:
            text = orjson.dumps(dict(notes))
            changed = self._looked_for().replaced(text)
            notes = notes if changed is text else orjson.loads(changed)
        if request is record.request and answer is record.answer and notes is record.notes:
            return record
        return replace(record, request=request, answer=answer, notes=notes)

    def _looked_for(self) -> Vocabulary:
        if self._vocabulary is None:
            self._vocabulary = Vocabulary()
            self.catalogue.replacing = True
            for data, secret in self.catalogue.by_value.items():
                self.catalogue.placeholders.add(self.catalogue.placeholder_of(secret).encode())
                if not self.catalogue.is_replaced_only_where_told(data):
                    self._vocabulary.add(data, self.catalogue.placeholder_of(secret), whole=not secret.named)
        return self._vocabulary

    def _message(self, record: Record, operation: Any, message: _Message) -> _Message:
        answer = isinstance(message, Answer)
        call = name_of(record)
        if operation is not None and is_secret_payload(operation, answer) and message.body:
            self.counts[f"{call}:the body"] += 1
            text = self._payload_placeholder(message.body)
            return replace(message, body=f'"{text}"'.encode(), headers=bare(message.headers))
        if operation is not None and self._may_hold(operation, answer=answer):
            self.catalogue.parsed(record, message)  # what cannot be read, may hold a secret that the model would tell
        found = self.catalogue.found_in(record, message, operation)
        values = [as_bytes(value) for _path, value, _named in found]
        for (path, _value, _named), data in zip(found, values, strict=True):
            if not any(data in other and data != other for other in values):
                self.counts[f"{call}:{path}"] += 1
        changed = self._changed(operation, message, found)
        if changed is not message:
            if self.catalogue.found_in(record, changed, operation):
                raise CannotRedactError(f"a secret of {call} could not be taken out")
            if not found:
                self.elsewhere[call] += 1
        return changed

    def _may_hold(self, operation: Any, *, answer: bool) -> bool:
        shape = operation.output_shape if answer else operation.input_shape
        streams = operation.has_streaming_output if answer else operation.has_streaming_input
        return may_hold_secrets(shape) and not streams

    def _changed(self, operation: Any, message: _Message, found: list[tuple[str, str | bytes, bool]]) -> _Message:
        vocabulary = self._looked_for()
        here: dict[str, set[str]] = {}
        for path, value, _named in found:
            if self.catalogue.is_replaced_only_where_told(as_bytes(value)):
                for text in (value,) if isinstance(value, str) else (base64.b64encode(value).decode(),):
                    here.setdefault(text, set()).add(last_name(path))
        headers = Headers(self._fields(message.headers, here))
        body = self._changed_body(operation, message, here)
        target = ""
        if isinstance(message, Request):
            target = message.target
            if here and message.query:
                query = form(message.query.encode("latin-1"), lambda names, text: self._told(names, text, here))
                target = f"{message.path}?{query.decode('latin-1')}"
            target = vocabulary.replaced(target.encode("latin-1")).decode("latin-1")
        if body is None:
            same = headers == message.headers and (not isinstance(message, Request) or target == message.target)
            return message if same else made_of(message, target, headers, message.body)
        if isinstance(message, Request) and is_aws_chunked(message.headers):
            headers = without_aws_chunked(replace(message, body=self.catalogue.loaded(message.body) or b"")).headers
            headers = Headers(self._fields(headers, here))
        headers = bare(headers, inflated=operation is None or not keeps_encoding(operation, message))
        return made_of(message, target, headers, body)

    def _changed_body(self, operation: Any, message: Request | Answer, here: dict[str, set[str]]) -> bytes | None:
        """Return the body without secrets; None where it has none."""
        plain = self.catalogue.plain_body(message, operation)
        if not plain:
            return None
        content_type = message.headers.get("content-type").lower()
        body = plain
        if here:
            try:
                body = with_leaves(plain, content_type, lambda names, text: self._told(names, text, here))
            except ValueError as error:
                raise CannotRedactError(f"its body cannot be read: {error}") from error
        body = self._looked_for().replaced(body)
        if body is plain or body == plain:
            return None
        if "cbor" in content_type:
            raise CannotRedactError("its body is CBOR, in which the lengths of texts are written")
        if not is_text(plain) and not plain.startswith(b"\x1f\x8b"):
            raise CannotRedactError("its body is no text")
        if is_json(plain) and not is_json(body):
            raise CannotRedactError("its body would be no JSON any more")
        return body

    def _told(self, names: tuple[str, ...], text: str, here: dict[str, set[str]]) -> str | None:
        """Return what is to stand at a place where a name or a model tells a secret that is not looked for elsewhere."""
        if text in here and (not here[text].isdisjoint(names) or any(names_secret(name) for name in here[text])):
            return self._placeholder(text)
        stripped = text.lstrip()
        if stripped[:1] in ("{", "[", "<"):
            with suppress(ValueError):
                data = text.encode("utf-8", "surrogatepass")
                new = with_leaves(data, "", lambda inner, leaf: self._told((*names, *inner), leaf, here))
                return None if new is data else new.decode("utf-8", "surrogatepass")
        changed = with_named_secrets_replaced(text, lambda value: self._placeholder(value) if value in here else None)
        if changed != text:
            return changed
        return self._told_in_base64(names, text, here)

    def _told_in_base64(self, names: tuple[str, ...], text: str, here: dict[str, set[str]]) -> str | None:
        try:
            plain = base64.b64decode(text, validate=True).decode()
        except (ValueError, UnicodeDecodeError):
            return None
        if len(plain) < 4:
            return None
        new = self._told(names, plain, here)
        return None if new is None else base64.b64encode(new.encode()).decode()

    def _placeholder(self, text: str) -> str:
        secret = self.catalogue.by_value.get(as_bytes(text))
        return self.catalogue.placeholder_of(
            secret if secret is not None else self.catalogue.by_value[base64.b64decode(text)]
        )

    def _payload_placeholder(self, body: bytes | BlobRef) -> str:
        data = b"body of " + identity_of(body)
        secret = self.catalogue.by_value.get(data)
        if secret is None:
            secret = self.catalogue.by_value[data] = Secret(len(self.catalogue.by_value) + 1, named=False)
        self.catalogue.placeholders.add(self.catalogue.placeholder_of(secret).encode())
        return self.catalogue.placeholder_of(secret)

    def _fields(self, headers: Headers, here: dict[str, set[str]]) -> Iterator[tuple[str, str]]:
        vocabulary = self._looked_for()
        key = ""
        for name, value in headers:
            lower = name.lower()
            if lower.endswith(_CUSTOMER_KEY):
                secret = self.catalogue.by_value.get(as_bytes(value)) or self.catalogue.by_value.get(unbased(value))
                if secret is not None:
                    key = base64.b64encode((self.catalogue.placeholder_of(secret) * 2)[:32].encode()).decode()
                    self.catalogue.placeholders |= {key.encode(), base64.b64decode(key)}
                    yield name, key
                    continue
            elif lower.endswith(f"{_CUSTOMER_KEY}-md5") and key:
                continue
            if value in here and names_secret(name):
                yield name, self._placeholder(value)
            else:
                yield name, vocabulary.replaced(value.encode("latin-1")).decode("latin-1")
        if key:
            digest = hashlib.md5(base64.b64decode(key), usedforsecurity=False).digest()
            yield "x-amz-server-side-encryption-customer-key-MD5", base64.b64encode(digest).decode()
