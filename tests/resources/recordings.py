"""Recordings of chosen calls, as JSON protocols write them: what a model says of them is looked at without an emulator."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers
from replay_proxy.journal.format.encode import encode_control, encode_header, encode_record
from replay_proxy.journal.format.records import (
    JOURNAL_NAME,
    ControlKind,
    ControlRecord,
    Record,
    RecordingHeader,
    RecordKind,
)
from replay_proxy.resources.build import build_model
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import Resource
from replay_proxy.wire.codecs.build_request import build_request

ACCOUNT = "111122223333"
REGION = "eu-west-1"
BEGUN = datetime(2026, 1, 31, 12, tzinfo=UTC)
HEADER = RecordingHeader("6b0f7c34-90b5-4b0c-8a52-0c8d2f7a3f10", "2026-01-31T12:00:01.000000Z")


class Tape:
    """Records, numbered as they come. One call a second, from 12:00:00 on."""

    def __init__(self, account: str = ACCOUNT, region: str = REGION) -> None:
        self.items: list[Record | ControlRecord] = []
        self.account = account
        self.region = region

    def call(
        self,
        service: str,
        operation: str,
        params: dict[str, Any] | None = None,
        result: Any = None,
        *,
        protocol: str = "json",
        status: int = 200,
        witness: bool = False,
        notes: dict[str, Any] | None = None,
        body: bytes | None = None,
    ) -> int:
        """Record a call; return its number. body: of the answer, where it is no JSON."""
        head = CallHead(service, operation, protocol, self.account, self.region)
        request = build_request(head, params or {}, "127.0.0.1:4566")
        answer = Answer(status, Headers(), body if body is not None else orjson.dumps(result or {}))
        kind = RecordKind.WITNESS if witness else RecordKind.MUTATION
        seq = len(self.items) + 1
        time = (BEGUN + timedelta(seconds=seq)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.items.append(Record(seq, time, 1.5, kind, head, request, answer, notes=notes or {}))
        return seq

    def reset(self, service: str = "") -> int:
        """Record that the emulator was made to forget."""
        seq = len(self.items) + 1
        self.items.append(ControlRecord(seq, "2026-01-31T12:30:00.000000Z", ControlKind("reset"), service=service))
        return seq

    def model(self, **moment: Any) -> ResourceModel:
        """What the calls add up to."""
        model = build_model(self.items, no_blobs, **moment)
        assert model.odd == []
        return model

    def write(self, folder: Path) -> Path:
        """Write the recording into a folder; return the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        lines = [encode_header(HEADER), *map(line_of, self.items)]
        (folder / JOURNAL_NAME).write_bytes(b"".join(lines))
        return folder


def line_of(item: Record | ControlRecord) -> bytes:
    """One line of a journal."""
    if isinstance(item, ControlRecord):
        return encode_control(item, item.seq)
    return encode_record(item, item.seq)


def no_blobs(ref: BlobRef) -> bytes:
    raise AssertionError(ref)


def one(model: ResourceModel, kind: str, name: str = "") -> Resource:
    """The resource of a type, and of a name where several are."""
    found = [each for each in model.resources.values() if each.type == kind and name in ("", each.label, each.name)]
    assert len(found) == 1, [each.type for each in model.resources.values()]
    return found[0]


def types(resources: Iterable[Resource]) -> set[str]:
    return {each.type for each in resources}


def queue(tape: Tape, name: str, **attributes: str) -> int:
    url = f"http://127.0.0.1:4566/{tape.account or ACCOUNT}/{name}"
    return tape.call("sqs", "CreateQueue", {"QueueName": name, "Attributes": attributes}, {"QueueUrl": url})


def queue_url(name: str) -> str:
    return f"http://127.0.0.1:4566/{ACCOUNT}/{name}"


def function(tape: Tape, name: str, **params: Any) -> int:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    given = {"FunctionName": name, "Runtime": "python3.11", "Handler": "i.h", "Code": {"ZipFile": b"PK"}, **params}
    given.setdefault("Role", f"arn:aws:iam::{ACCOUNT}:role/worker")
    return tape.call(
        "lambda", "CreateFunction", given, {"FunctionName": name, "FunctionArn": arn}, protocol="rest-json"
    )


def table(tape: Tape, name: str) -> int:
    params = {
        "TableName": name,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
    return tape.call("dynamodb", "CreateTable", params, {"TableDescription": {"TableName": name, "TableArn": arn}})
