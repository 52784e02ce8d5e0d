"""A recorded call as the rules look at it: who, what, with which parameters, and what came of it. Never kept for long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from replay_proxy.errors import MalformedMessage, RecordingError, StorageError
from replay_proxy.exchange import Answer, BlobRef, CallHead, Request
from replay_proxy.journal.records import Kind, Record
from replay_proxy.wire import models
from replay_proxy.wire.answers import parse_answer
from replay_proxy.wire.mutability import Effect, Verdict, judge, judge_call
from replay_proxy.wire.parameters import parse_parameters

Load = Callable[[BlobRef], bytes]
"""Reads a blob into memory. Raises `RecordingError` or `StorageError`."""


@dataclass(frozen=True)
class Call:
    """seq, time: of the record. params: as boto3 takes them. request, answer: bodies in memory, but for streamed ones."""

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
        """botocore's name of it."""
        return self.head.service

    @property
    def operation(self) -> str:
        """As the model spells it."""
        return self.head.operation

    @property
    def can_be_split(self) -> bool:
        """Is it a batch that can be rewritten to a part of its entries (see `batches`)?"""
        body, told = self.request.body, self.answer.body
        if not isinstance(body, bytes) or not isinstance(told, bytes):
            return False
        encoded = self.request.headers.get("content-encoding") or self.answer.headers.get("content-encoding")
        return not encoded and self.head.protocol in ("json", "query")

    @cached_property
    def result(self) -> dict[str, Any]:
        """What boto3 returned; empty where it cannot be read."""
        try:
            return parse_answer(self.head, self.answer, self.request).parsed
        except MalformedMessage:
            return {}


def call_of(record: Record, load: Load) -> Call | None:
    """What the rules look at; None for a record that cannot be understood with certainty."""
    head = record.head
    if head is None:
        return None
    try:
        request, answer = whole(record, head, load)
        params = parse_parameters(head, request)
    except (MalformedMessage, RecordingError, StorageError):
        return None
    witness = record.kind is Kind.WITNESS
    key = record.credential.access_key
    return Call(record.seq, record.time, head, params, request, answer, dict(record.notes), witness, key)


def whole(record: Record, head: CallHead, load: Load) -> tuple[Request, Answer]:
    """A record's messages, with their bodies in memory, but for streamed ones. Raises as `load`."""
    request, answer = record.request, record.answer
    if isinstance(request.body, BlobRef) and not _streams(head, output=False):
        request = replace(request, body=load(request.body))
    if isinstance(answer.body, BlobRef) and not _streams(head, output=True):
        answer = replace(answer, body=load(answer.body))
    return request, answer


def passing(record: Record) -> Verdict | None:
    """Why a mutation of an older or a foreign recording does not have to be repeated; None where it does."""
    head = record.head
    if head is None or record.kind is Kind.WITNESS or judge(head.service, head.operation).effect is Effect.MUTATES:
        return None
    verdict = judge_call(head, record.request)
    return None if verdict.effect is Effect.MUTATES else verdict


def _streams(head: CallHead, *, output: bool) -> bool:
    try:
        model = models.operation_model(head.service, head.operation)
    except LookupError:
        return True
    return bool(model.has_streaming_output if output else model.has_streaming_input)
