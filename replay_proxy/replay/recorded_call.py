"""A recorded call, read: who called, what, with which parameters, and what it was answered.

Planning and ordering look at calls in this form, one at a time. It holds the bodies in memory, so nobody keeps it for long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from replay_proxy.errors import MalformedMessage, RecordingError, StorageError
from replay_proxy.exchange import Answer, BlobRef, CallHead, Request
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models import models

BlobLoader = Callable[[BlobRef], bytes]
"""Reads a blob into memory. Raises `RecordingError` or `StorageError`."""
SEEN_BY: Final = "seen_by"
"""The note of an observation: the read that showed it."""


@dataclass(frozen=True)
class Call:
    """A record whose parameters could be read.

    seq, time: of the record. params: as boto3 takes them. request, answer: with their bodies in memory, but for streamed ones.
    notes: of the record. access_key: the id of the key that signed the request.
    """

    seq: int
    time: str
    head: CallHead
    params: dict[str, Any]
    request: Request
    answer: Answer
    notes: dict[str, Any]
    witness: bool
    access_key: str

    @property
    def service(self) -> str:
        """botocore's name of the service."""
        return self.head.service

    @property
    def operation(self) -> str:
        """The operation, as the model spells it."""
        return self.head.operation

    @property
    def can_be_split(self) -> bool:
        """Whether single entries can be taken out of it, if it is a batch (see `supersession.batches`)."""
        request_body, answer_body = self.request.body, self.answer.body
        if not isinstance(request_body, bytes) or not isinstance(answer_body, bytes):
            return False
        encoded = self.request.headers.get("content-encoding") or self.answer.headers.get("content-encoding")
        return not encoded and self.head.protocol in ("json", "query")

    @cached_property
    def result(self) -> dict[str, Any]:
        """What boto3 returned; empty where the answer cannot be read."""
        try:
            return parse_answer(self.head, self.answer, self.request).parsed
        except MalformedMessage:
            return {}


def call_of(record: Record, load: BlobLoader) -> Call | None:
    """Read a record; None where it cannot be understood with certainty."""
    head = record.head
    if head is None or record.flaw:
        return None
    try:
        request, answer = with_bodies(record, head, load)
        params = parse_parameters(head, request)
    except (MalformedMessage, RecordingError, StorageError):
        return None
    witness = record.kind is RecordKind.WITNESS
    key = record.credential.access_key
    return Call(record.seq, record.time, head, params, request, answer, dict(record.notes), witness, key)


def with_bodies(record: Record, head: CallHead, load: BlobLoader) -> tuple[Request, Answer]:
    """Return a record's messages with their bodies in memory, but for streamed ones. Raises as `load`."""
    request, answer = record.request, record.answer
    if isinstance(request.body, BlobRef) and not models.streams_input(head.service, head.operation):
        request = replace(request, body=load(request.body))
    if isinstance(answer.body, BlobRef) and not models.streams_output(head.service, head.operation):
        answer = replace(answer, body=load(answer.body))
    return request, answer
