"""When the things that a restore makes again were made at first (see `identifiers.times`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, BlobRef, CallHead, Request
from replay_proxy.identifiers.learn import identifier_values
from replay_proxy.identifiers.times import Moment, Times, object_name, original_in, seconds_of
from replay_proxy.journal.records import Kind, Record
from replay_proxy.replay.compaction import kinds, mentions
from replay_proxy.wire.answers import parse_answer
from replay_proxy.wire.mutability import is_data
from replay_proxy.wire.parameters import parse_parameters

_ROUNDED = 1.0
"""Seconds by which a time that is shown may differ from when it was."""
_OBJECTS = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject"})
_ADDING = ("Create", "Run", "Allocate", "Request", "Import", "Register", "Publish")
# Not `Attach`, `Tag` and the like, after which most things are not said to have been modified.
_CHANGING = ("Update", "Put", "Set", "Modify", "Change", "Rotate")
_MESSAGES = frozenset({"SendMessage", "SendMessageBatch"})


def note_times(
    times: Times, record: Record, head: CallHead, original: Request, answer: Answer, begun: float, ended: float
) -> None:
    """A recorded call was made again, between `begun` and `ended` (seconds since the epoch).

    original, answer: the recorded messages, with their bodies in memory.
    """
    if record.kind is not Kind.MUTATION or isinstance(answer.body, BlobRef):
        return
    try:
        names, creates = _named(head, original, answer)
    except MalformedMessage:
        return
    if not names:
        return
    taken, took = seconds_of(record.time), record.duration_ms / 1000
    shown = original_in(answer, head, taken - _ROUNDED, taken + took + _ROUNDED) if creates else None
    # A call that takes long is mostly one for which an emulator loads something first; a stack is there before what is in it.
    guess = taken if head.service == "cloudformation" else taken + took
    times.note(head, names, Moment(shown or guess, begun, ended, creates))


def _named(head: CallHead, request: Request, answer: Answer) -> tuple[list[str], bool]:
    """What a call made or changed, and whether it made it."""
    service, operation = head.service, head.operation
    if is_data(service, operation):
        if service == "s3" and operation in _OBJECTS:
            params = parse_parameters(head, request)
            bucket, key = params.get("Bucket"), params.get("Key")
            names = [object_name(bucket, key, answer.headers.get("x-amz-version-id"))]
            if operation != "DeleteObject" and object_name(bucket, key) not in names:
                names.append(object_name(bucket, key))
            return names, True
        if service == "sqs" and operation in _MESSAGES:
            return list(_message_ids(parse_answer(head, answer, request).parsed)), True
        return [], False
    params = parse_parameters(head, request)
    made = kinds.created_by(service, operation)
    if not made and not operation.startswith(_ADDING):
        changes = operation.startswith(_CHANGING)
        return [value for _, value in mentions.naming(params)] if changes else [], False
    outcome = parse_answer(head, answer, request)
    found = [name for kind in made for each in kinds.names_made(kind, params, outcome.parsed) for name in each]
    if not made:
        found += [params[member] for member in _own_names(operation) if isinstance(params.get(member), str)]
    return [*found, *identifier_values(head, outcome)], True


def _own_names(operation: str) -> tuple[str, ...]:
    """The members by which a call of no known kind may name what it makes."""
    noun = operation.removeprefix("Create")
    return (f"{noun}Name", f"{noun[:1].lower()}{noun[1:]}Name", "Name", "name")


def _message_ids(result: dict[str, Any]) -> Iterator[str]:
    for entry in (result, *result.get("Successful", ())):
        if isinstance(entry.get("MessageId"), str):
            yield entry["MessageId"]
