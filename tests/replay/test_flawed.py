"""Lines that are whole, and hold what cannot be sent, read or understood: each costs one call, and no other."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from replay_proxy.errors import ReplayProxyError, UnsendableError
from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, Record, RecordKind
from replay_proxy.journal.format.sendable import flaw_of_request
from replay_proxy.journal.read.reader import read
from replay_proxy.proxy.http.framing import request_head
from replay_proxy.replay.execution.executor import Executor
from replay_proxy.replay.execution.reporting.report import RestoreReport, Result
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.planning.plan import plan_of
from replay_proxy.replay.session_state import SessionState
from replay_proxy.wire.models.models import UnknownModelError, service_model
from replay_proxy.wire.signing.sigv4 import Credential
from tests.journal import samples
from tests.support.processes import replay_proxy

TIME = "2026-01-31T12:00:00.000000Z"
JSON = Headers([("Host", "localhost:4566"), ("Content-Type", "application/x-amz-json-1.0")])


def record(service: str, operation: str, request: Request, answer: bytes, protocol: str = "json") -> Record:
    head = CallHead(service, operation, protocol, "", "us-east-1", "test")  # the key names no account
    credential = Credential("test", "us-east-1", service, "header")
    return Record(1, TIME, 1.0, RecordKind.MUTATION, head, request, Answer(200, Headers(), answer), credential)


def rpc(target: str, **members: Any) -> Request:
    headers = Headers([*JSON.pairs, ("X-Amz-Target", target)])
    return Request("POST", "/", headers, orjson.dumps(members))


def samples_of_all() -> list[Record]:
    queue = "http://localhost:4566/000000000000/jobs.fifo"
    form = Headers([("Host", "localhost:4566"), ("Content-Type", "application/x-www-form-urlencoded")])
    stream = {"StreamName": "s", "ShardCount": 1}
    return [
        record("sqs", "CreateQueue", rpc("AmazonSQS.CreateQueue", QueueName="jobs.fifo", Attributes={"FifoQueue": "true"}),
               orjson.dumps({"QueueUrl": queue})),
        record("sqs", "SendMessage",
               rpc("AmazonSQS.SendMessage", QueueUrl=queue, MessageBody="m", MessageGroupId="g", MessageDeduplicationId="d"),
               b'{"MessageId":"11111111-2222-3333-4444-555555555555","MD5OfMessageBody":"x"}'),
        record("s3", "CreateBucket", Request("PUT", "/archive", JSON, b""), b"", "rest-xml"),
        record("s3", "PutObject", Request("PUT", "/archive/a/key", JSON, b"content"), b"", "rest-xml"),
        record("ec2", "CreateVpc", Request("POST", "/", form, b"Action=CreateVpc&Version=2016-11-15&CidrBlock=10.9.0.0%2F16"),
               b"<CreateVpcResponse><vpc><vpcId>vpc-12345678</vpcId></vpc></CreateVpcResponse>", "ec2"),
        record("kinesis", "CreateStream", rpc("Kinesis_20131202.CreateStream", **stream), b""),
        record("kinesis", "PutRecord", rpc("Kinesis_20131202.PutRecord", StreamName="s", Data="eA==", PartitionKey="k"),
               b'{"SequenceNumber":"1","ShardId":"shardId-000000000000"}'),
        samples.create_queue("plain"),
    ]  # fmt: skip


def sealed(line: dict[str, Any]) -> bytes:
    """A line with the right checksum, whatever it says."""
    text = orjson.dumps({name: value for name, value in line.items() if name != "crc"})[:-1]
    return b'%s,"crc":"%08x"}\n' % (text, zlib.crc32(text))


def lines() -> list[dict[str, Any]]:
    return [json.loads(encode_record(each, seq)) for seq, each in enumerate(samples_of_all(), 1)]


@contextmanager
def recording(content: list[dict[str, Any]]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / JOURNAL_NAME).write_bytes(encode_header(samples.HEADER) + b"".join(map(sealed, content)))
        yield Path(folder)


async def send(request: Request) -> Answer:
    """An emulator that takes everything that HTTP can carry."""
    request_head(request.method, request.target, request.headers, 0, body=True, host="x")
    return Answer(200, Headers(), b"{}")


def restored(data_dir: Path, *, supersede: bool = True) -> RestoreReport:
    found = read(data_dir)

    async def load(ref: BlobRef) -> bytes:
        return b"".join(found.blobs.read(ref))

    plan = plan_of(found, datetime(2026, 2, 1, tzinfo=UTC), supersede=supersede)
    target = RestoreTarget(send, load, SessionState(), Endpoints("http://127.0.0.1:1"), 1.0)
    report = RestoreReport("x")
    asyncio.run(asyncio.wait_for(Executor(target, concurrency=2).run(plan, report), 60))
    for each in found.records():  # what the proxy does when nothing has to be replayed
        assert each.flaw or each.request.method
    return report


def mutated(line: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = json.loads(json.dumps(line))
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed  # type: ignore[no-any-return] # as it was


BREAKS = [
    (("request", "target"), "/my bucket/a key"),
    (("request", "target"), "/a\r\nX: y"),
    (("request", "target"), "/a\x00b"),
    (("request", "target"), "/snowman-☃"),
    (("request", "target"), ""),
    (("request", "method"), "PO ST"),
    (("request", "method"), ""),
    (("request", "headers", 0, 1), "localhost\r\nX-Other: y"),
    (("request", "headers", 0, 0), "Ho st"),
    (("request", "headers"), "none"),
    (("request", "body"), None),
    (("request",), []),
    (("time",), "yesterday"),
    (("time",), "2026-01-31T12:00:00"),
    (("time",), "9999-12-31T23:59:59Z"),
    (("ms",), 1e300),
    (("ms",), -1),
    (("kind",), "rumour"),
    (("answer", "status"), 99),
    (("answer", "status"), "ok"),
    (("answer", "headers"), [["a"]]),
    (("credential", "access_key"), "AK\r\nX: y"),
    (("protocol",), 1),
    (("a member of tomorrow",), 1),
]


@pytest.mark.parametrize("supersede", [True, False])
@pytest.mark.parametrize(("path", "value"), BREAKS)
def test_a_call_that_cannot_be_sent_is_counted_with_its_number(
    path: tuple[Any, ...], value: Any, supersede: bool
) -> None:
    whole = lines()
    whole[3] = mutated(whole[3], path, value)
    with recording(whole) as data_dir:
        report = restored(data_dir, supersede=supersede)
    (failed,) = [each for each in report.problems if each.result is Result.FAILED]
    assert (failed.seq, failed.reason.partition(":")[0]) == (4, "it cannot be sent")
    assert report.done == len(whole)


@pytest.mark.parametrize("name", ["../../etc", "s" * 300, "\x1b[2J", "a/b", "..", "", "s\n3", "é" * 200])
def test_a_service_of_any_name_is_no_file_and_breaks_nothing(name: str) -> None:
    with pytest.raises(UnknownModelError):
        service_model(name)
    whole = lines()
    whole[3] |= {"service": name}
    with recording(whole) as data_dir:
        report = restored(data_dir)
    assert report.done == len(whole)
    for problem in report.problems:
        assert problem.service.isprintable()
        assert len(problem.service) <= 100


def test_thousands_of_fields_and_nested_bodies_are_only_large() -> None:
    whole = lines()
    whole[2] = mutated(whole[2], ("request", "headers"), [[f"X-{n}", "y"] for n in range(20_000)])
    for body in ("[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, "<a>" * 5000):
        whole[1] = mutated(whole[1], ("request", "body"), body)
        whole[5] = mutated(whole[5], ("answer", "body"), body)
        with recording(whole) as data_dir:
            report = restored(data_dir)
        assert report.done == len(whole)


def test_a_body_whose_blob_is_missing_costs_its_call() -> None:
    whole = lines()
    del whole[3]["request"]["body"]
    whole[3]["request"]["body_blob"] = {"sha256": "0" * 64, "size": 5}
    with recording(whole) as data_dir:
        assert restored(data_dir).done == len(whole)


TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", " ", "\r\n", "\x00", "../../x", "é" * 200, "s" * 300, TIME, "9999-12-31T23:59:59-23:59", "[" * 2000]
    ),
)
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=3),
    st.recursive(TEXTS, lambda inner: st.dictionaries(TEXTS, inner, max_size=3), max_leaves=5),
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [each for step, below in inner for each in _paths(below, (*path, step))]
    return [*found, path] if path else found


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_line_with_the_right_checksum_is_restored_failed_or_refused_with_its_place(data: st.DataObject) -> None:
    whole = lines()
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(whole) - 1))
        path = data.draw(
            st.sampled_from([each for each in _paths(whole[number]) if each != ("seq",) and each != ("crc",)])
        )
        whole[number] = mutated(whole[number], path, data.draw(VALUES))
    try:
        with recording(whole) as data_dir:
            report = restored(data_dir, supersede=data.draw(st.booleans()))
    except ReplayProxyError as error:
        assert error.exit_code in (4, 5)
        assert "line" in error.message
        return
    told = [each for each in report.problems if "error of the program itself" in each.reason]
    assert not told, told
    assert report.finished


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
@example("GET", "/a b", "x")
@example("GET", "/", "\n")
def test_what_is_found_without_flaw_can_be_sent(method: str, target: str, value: str) -> None:
    request = Request(method, target, Headers([("A", value)]))
    try:
        request_head(method, target, request.headers, None, body=False, host="x")
        sendable = True
    except UnsendableError:
        sendable = False
    if not sendable and all(ord(character) < 256 for character in method + target + value):
        assert flaw_of_request(request)


@pytest.mark.parametrize("verb", ["plan", "compact", "check", "aliases"])
def test_verbs_over_such_recordings_end_with_their_exit_codes(verb: str, tmp_path: Path) -> None:
    whole = lines()
    for number, (path, value) in enumerate([BREAKS[0], BREAKS[7], BREAKS[12], BREAKS[18], BREAKS[3]]):
        whole[number] = mutated(whole[number], path, value)
    with recording(whole) as data_dir:
        done = subprocess.run(
            [*replay_proxy(), verb, "--data-dir", str(data_dir)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in (0, 2, 3, 4, 5), done.stderr
        target = tmp_path / "copy"
        done = subprocess.run(
            [*replay_proxy(), "export", "--data-dir", str(data_dir), "--output", str(target)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in (0, 4), done.stderr
