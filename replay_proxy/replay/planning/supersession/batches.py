"""Reducing a record to what is left of it: batches without superseded entries, and writes without their conditions.

The recorded answer is reduced like the request, so that a replay is still expected to give it. JSON bodies are edited as
JSON, and forms of the query protocol field by field; whatever is not touched stays, byte for byte and in its order. A record in
another form is returned as it is.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import replace
from typing import Any

import orjson

from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.recorded_call import BlobLoader, with_bodies

_ENTRY_FIELD = re.compile(rb"((?:Entries\.(?:member\.)?|SendMessageBatchRequestEntry\.))(\d+)(\..*)", re.DOTALL)
_ANSWER_ENTRY = re.compile(
    rb"<(SendMessageBatchResultEntry|BatchResultErrorEntry|Failed|Successful)\b[^>]*>.*?</\1>", re.DOTALL
)
_ANSWER_ID = re.compile(rb"<Id>([^<]*)</Id>")
_CONDITION_MEMBERS = ("ConditionExpression", "ConditionalOperator", "Expected")
_EXPRESSION_MEMBERS = ("ExpressionAttributeNames", "ExpressionAttributeValues")
_REQUEST_MEMBERS = ("ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "ReturnValuesOnConditionCheckFailure")
_ANSWER_MEMBERS = ("ConsumedCapacity", "ItemCollectionMetrics")


def reduced_record(record: Record, gone: Set[int], unconditional: Set[int], load: BlobLoader) -> Record:
    """Return `record` without the entries `gone`, and without the conditions of the writes that are to be `unconditional`.

    Raises `RecordingError` or `StorageError`, as `load` does.
    """
    head = record.head
    if head is None or not (gone or unconditional):
        return record
    request, answer = with_bodies(record, head, load)
    if not isinstance(request.body, bytes) or not isinstance(answer.body, bytes):
        return record
    if request.headers.get("content-encoding") or answer.headers.get("content-encoding"):
        return record
    match head.service, head.operation:
        case "sqs", "SendMessageBatch":
            edited = _messages(request, answer, gone)
        case "dynamodb", "BatchWriteItem":
            edited = _items(request, answer, gone)
        case "dynamodb", "PutItem" | "DeleteItem":
            edited = _write(request, answer)
        case _:
            edited = None
    return record if edited is None else replace(record, request=edited[0], answer=edited[1])


def _messages(request: Request, answer: Answer, gone: Set[int]) -> tuple[Request, Answer] | None:
    assert isinstance(request.body, bytes) and isinstance(answer.body, bytes)
    if request.body[:1] == b"{":
        return _json_messages(request, answer, gone)
    body, kept = _form_entries(request.body, gone)

    def reduced(found: re.Match[bytes]) -> bytes:
        identity = _ANSWER_ID.search(found[0])
        return found[0] if identity is not None and identity[1] in kept else b""

    answered = answer.body
    if answered[:1] == b"<":
        return _with_body(request, body), _answering(answer, _ANSWER_ENTRY.sub(reduced, answered))
    return None


def _json_messages(request: Request, answer: Answer, gone: Set[int]) -> tuple[Request, Answer]:
    asked, answered = _json(request.body), _json(answer.body)
    asked["Entries"] = [entry for number, entry in enumerate(asked["Entries"]) if number not in gone]
    kept = {entry["Id"] for entry in asked["Entries"]}
    for member in ("Successful", "Failed"):
        if member in answered:
            answered[member] = [entry for entry in answered[member] if entry["Id"] in kept]
    return _with_body(request, orjson.dumps(asked)), _answering(answer, orjson.dumps(answered))


def _form_entries(form: bytes, gone: Set[int]) -> tuple[bytes, set[bytes]]:
    """Return a form without some entries (from 0), the others numbered anew, and the ids of these others."""
    fields = [field.partition(b"=") for field in form.split(b"&") if field]
    found = [(_ENTRY_FIELD.fullmatch(name), name, value) for name, _, value in fields]
    numbers = sorted({int(match[2]) for match, _, _ in found if match is not None})
    places = {number: place for place, number in enumerate(numbers)}
    kept = [number for number in numbers if places[number] not in gone]
    renamed = {number: place + 1 for place, number in enumerate(kept)}
    out, ids = [], set()
    for match, name, value in found:
        if match is None:
            out.append(name + b"=" + value)
        elif int(match[2]) in renamed:
            out.append(match[1] + str(renamed[int(match[2])]).encode() + match[3] + b"=" + value)
            if match[3] == b".Id":
                ids.add(value)
    return b"&".join(out), ids


def _items(request: Request, answer: Answer, gone: Set[int]) -> tuple[Request, Answer]:
    asked, answered = _json(request.body), _json(answer.body)
    number, left = 0, {}
    for table, writes in asked["RequestItems"].items():
        mine = [write for place, write in enumerate(writes, number) if place not in gone]
        number += len(writes)
        if mine:
            left[table] = mine
    asked["RequestItems"] = left
    answered["UnprocessedItems"] = {}
    return _plain(request, answer, asked, answered, _REQUEST_MEMBERS, _ANSWER_MEMBERS)


def _write(request: Request, answer: Answer) -> tuple[Request, Answer]:
    """Return a PutItem or DeleteItem without its condition, which asks for nothing of what was there before."""
    left_out = (*_CONDITION_MEMBERS, *_EXPRESSION_MEMBERS, *_REQUEST_MEMBERS, "ReturnValues")
    return _plain(request, answer, _json(request.body), _json(answer.body), left_out, (*_ANSWER_MEMBERS, "Attributes"))


def _plain(
    request: Request,
    answer: Answer,
    asked: dict[str, Any],
    answered: dict[str, Any],
    request_members: tuple[str, ...],
    answer_members: tuple[str, ...],
) -> tuple[Request, Answer]:
    for name in request_members:
        asked.pop(name, None)
    for name in answer_members:
        answered.pop(name, None)
    return _with_body(request, orjson.dumps(asked)), _answering(answer, orjson.dumps(answered))


def _json(body: Any) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(body or b"{}")
    return document


def _with_body(request: Request, body: bytes) -> Request:
    return replace(request, headers=_sized(request.headers, body), body=body)


def _answering(answer: Answer, body: bytes) -> Answer:
    return replace(answer, headers=_sized(answer.headers, body), body=body)


def _sized(headers: Headers, body: bytes) -> Headers:
    """Return `headers` without checksums of the old body; a recorded length is corrected."""
    headers = headers.without("x-amz-crc32", "content-md5", "x-amz-content-sha256")
    return headers.replaced("Content-Length", str(len(body))) if "content-length" in headers else headers
