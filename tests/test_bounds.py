"""Nothing grows without a bound because of what passes: made-up names, hosts, scopes, regions, fields, keys, tables, calls."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import ref

import pytest

from replay_proxy.exchange import FIELD_NAMES_BYTES_MAX, Answer, CallHead, Headers, Request
from replay_proxy.footprint.members.member_roles import role_by_name
from replay_proxy.identifiers.rewriting.body import derived_headers
from replay_proxy.identifiers.rewriting.body.bodies import readable_body
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.rewriting.times import remembered_times
from replay_proxy.identifiers.rewriting.times.rewrite import Moment, Times, object_name
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.journal.format.recorded_headers import request_to_keep
from replay_proxy.journal.write.conflict_locks import ConflictLocks
from replay_proxy.proxy.http.framing import end_to_end
from replay_proxy.replay.access_keys import SECRETS_MAX, TOKENS_CHARACTERS_MAX, AccessKeys
from replay_proxy.replay.execution.reporting.report import (
    LISTED_BYTES_MAX,
    CallResult,
    RestoreReport,
    Result,
)
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models import models
from replay_proxy.wire.recognition.recognise import recognise
from replay_proxy.wire.sensitive.secrets import may_hold_secrets
from replay_proxy.wire.signing.sigv4 import credential_of

MIB = 1 << 20
LONG = "x" * 20_000


@contextmanager
def growing_at_most(size: int) -> Iterator[None]:
    """What is remembered of what happens inside takes no more bytes."""
    gc.collect()
    tracemalloc.start()
    try:
        yield
        gc.collect()
        held, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held <= size, f"{held / MIB:.1f} MiB"


def signed(number: int, *fields: tuple[str, str], key: str = "test", region: str = "us-east-1") -> Request:
    scope = f"{key}/20260101/{region}/sqs/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    own = (("Host", f"h{number}"), ("X-Amz-Target", "AmazonSQS.SendMessage"), ("Authorization", authorization))
    return Request("POST", "/", Headers((*own, *fields)), b'{"QueueUrl":"q","MessageBody":"m"}')


MADE_UP: dict[str, Callable[[int], Request]] = {
    "hosts": lambda number: Request("GET", "/", Headers([("Host", f"{LONG}.{number}.example")])),
    "access keys": lambda number: signed(number, key=f"{LONG}{number}"),
    "regions": lambda number: signed(number, region=f"{LONG}{number}"),
    "names of fields": lambda number: signed(number, *((f"X-{n}-{number}-{'y' * 40}", "v") for n in range(50))),
    "long names of fields": lambda number: signed(number, (f"X-{number}-{LONG}", "v")),
    "options of the connection": lambda number: signed(
        number, ("Connection", ", ".join(f"o{number}-{n}" for n in range(500)))
    ),
    "few options of the connection": lambda number: signed(
        number, ("Connection", ", ".join(f"o{number}-{n}" for n in range(5)))
    ),
    "types of content": lambda number: signed(number, ("Content-Type", f"application/{number}{LONG}")),
    "services": lambda number: Request("POST", "/", Headers([("X-Amz-Target", f"Made{number}{LONG}.Up{number}")])),
}


@pytest.mark.parametrize("what", MADE_UP)
def test_made_up(what: str) -> None:
    """Everything that is done with each request on its way there."""
    table, endpoints = AliasTable(), Endpoints("http://127.0.0.1:5000")
    table.add("vpc-0123456789", "vpc-9876543210")

    def pass_by(number: int) -> None:
        request = MADE_UP[what](number)
        head = recognise(request)
        credential_of(request)
        kept = request_to_keep(Request(request.method, request.target, end_to_end(request.headers), request.body))
        named = Request("POST", "/vpc-0123456789", kept.headers, b'{"VpcId":"vpc-0123456789"}')
        to_emulator = request_to_emulator(named, head, table, endpoints)
        derived_headers.for_body(to_emulator.headers, b"body")
        readable_body(request, head)
        answer_to_client(Answer(200, request.headers, b"{}"), head, request, table, endpoints)

    for number in range(20):
        pass_by(number)
    with growing_at_most(FIELD_NAMES_BYTES_MAX + 4 * MIB):
        for number in range(20, 700):
            pass_by(number)


def test_keys_of_maps_stand_where_members_do() -> None:
    role_by_name("ssm", "PutParameter", "Name")
    with growing_at_most(2 * MIB):
        for number in range(2_000):
            role_by_name("lambda", "GetFunctionConfiguration", f"{LONG}{number}")
            role_by_name("lambda", "GetFunctionConfiguration", f"KEY_{number}")


def test_authorities_of_queues() -> None:
    """Only what answers with a queue's address teaches what the emulator calls itself, and not without end."""
    endpoints = Endpoints("http://127.0.0.1:5000")
    request = Request("POST", "/", Headers([("Host", "proxy:4566")]))
    spoken_of = b'{"Messages":[{"Body":"{\\"QueueUrl\\": \\"http://somewhere:1234/1/q\\"}"}]}'
    receive = CallHead("sqs", "ReceiveMessage", "json", region="us-east-1")
    assert endpoints.to_client(Answer(200, Headers(), spoken_of), request, receive).body == spoken_of
    told = Answer(200, Headers(), b'{"Body":"http://somewhere:1234/1/q"}')
    assert endpoints.to_client(told, request, CallHead("ssm", "GetParameter", "json")).body == told.body
    create = CallHead("sqs", "CreateQueue", "json", region="us-east-1")
    with growing_at_most(4 * MIB):
        for number in range(60):
            body = json.dumps({"QueueUrl": f"http://host-{number}{'a' * 150}:{4000 + number}/1/q"}).encode()
            shown = endpoints.to_client(Answer(200, Headers(), body), request, create).body
            assert shown == b'{"QueueUrl": "http://proxy:4566/1/q"}'


def models_kept() -> list[bool]:
    """Call four services, then as many others as are cached; return for each of the four whether its model is still held."""
    first = models.service_names()[:4]
    kept = []
    for service in first:
        operation = models.operation_model(service, models.service_model(service).operation_names[0])
        may_hold_secrets(operation.input_shape)
        parse_parameters(CallHead(service, operation.name, "json"), Request("POST", "/", Headers(), b"{}"))
        kept.append(ref(models.service_model(service)))
        del operation
    others = [name for name in models.service_names() if name not in first]
    for service in others[: models.SERVICES_CACHED_MAX]:
        models.operation_model(service, models.service_model(service).operation_names[0])
    gc.collect()
    return [model() is not None for model in kept]


def test_models_of_all_services() -> None:
    """A client that calls every service does not keep every model in memory.

    In a process of its own: what another test holds on to is not the product's.
    """
    command = "from tests.test_bounds import models_kept; print(models_kept())"
    shown = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == str([False] * 4)


def test_times_of_what_was_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    head = CallHead("s3", "PutObject", "rest-xml")
    monkeypatch.setattr(remembered_times, "REMEMBERED_BYTES_MAX", 2 * MIB)
    made = Times()
    with growing_at_most(2 * MIB + 65_536):
        for number in range(5_000):
            moment = Moment(1.5 + number, 2.5 + number, 3.5 + number, creates=True)
            made.remember(head, [object_name("bucket", f"{'k' * 900}/{number}"), f"{number}"], moment)
            assert made.bytes_held <= 2 * MIB
    again = Times.of_listing(made.listing())
    assert (again.bytes_held, len(again)) == (made.bytes_held, len(made))
    with growing_at_most(2 * MIB + 65_536):
        one = Times()
        for number in range(50_000):
            one.remember(head, ["often"], Moment(1.5 + number, 2.5 + number, 3.5 + number, creates=False))
    put = Request("PUT", f"/bucket/{'k' * 900}/0", Headers())
    before = made.bytes_held
    made.forget_changed(head, put)
    assert made.bytes_held < before


def test_tables_that_were_never_made() -> None:
    ordering = ConflictLocks()
    with growing_at_most(6 * MIB):
        for number in range(15_000):
            schema = [{"AttributeName": "id", "KeyType": "HASH"}]
            body = json.dumps({"TableName": f"table-{number}", "KeySchema": schema}).encode()
            ordering.remember(CallHead("dynamodb", "CreateTable", "json"), Request("POST", "/", Headers(), body))
    assert ("", "table-14999") in ordering.hash_keys
    assert ("", "table-0") not in ordering.hash_keys


def test_keys_that_were_made() -> None:
    access_keys = AccessKeys()
    head = CallHead("iam", "CreateAccessKey", "query")
    with growing_at_most(4 * MIB):
        for number in range(30_000):
            made = {"AccessKeyId": f"AKIA{number:016}", "SecretAccessKey": f"{number:040}"}
            access_keys.learn(head, Outcome(200, {"AccessKey": made}))
        access_keys.learn(head, Outcome(200, {"AccessKey": {"AccessKeyId": "long", "SecretAccessKey": "s" * MIB}}))
    assert f"AKIA{29_999:016}" in access_keys.secrets


def test_temporary_keys_that_were_given() -> None:
    access_keys = AccessKeys()
    head = CallHead("sts", "AssumeRole", "query")
    with growing_at_most(TOKENS_CHARACTERS_MAX + 8 * MIB):
        for number in range(12_000):
            key = {"AccessKeyId": f"ASIA{number:016}", "SecretAccessKey": "s" * 40, "SessionToken": f"{number:04000}"}
            given = Outcome(200, {"Credentials": key})
            access_keys.learn(head, given)
            access_keys.learn_account(head, {"RoleArn": "arn:aws:iam::222222222222:role/r"}, given)
    assert sum(map(len, access_keys.tokens.values())) <= TOKENS_CHARACTERS_MAX
    assert len(access_keys.accounts) == len(access_keys.secrets) == SECRETS_MAX
    latest = f"ASIA{11_999:016}"
    assert latest in access_keys.tokens and access_keys.accounts[latest] == "222222222222"


@pytest.mark.parametrize("length", [10, 100_000])
def test_a_report_counts_what_it_does_not_list(length: int) -> None:
    report = RestoreReport("path")
    with growing_at_most(LISTED_BYTES_MAX + 12 * MIB):
        for number in range(60_000 if length < 1_000 else 1_000):
            details = tuple(f"{number}-{detail}{'d' * length}" for detail in range(1 if length < 1_000 else 100))
            report.add(CallResult(number, "sqs", "SendMessage", Result.FAILED, f"{number} {'r' * length}", details))
    count = 60_000 if length < 1_000 else 1_000
    assert report.counts[Result.FAILED] == report.troubled["sqs"] == count
    assert len(report.problems) + report.unlisted == count
    assert report.unlisted > 0
    report.finished = True
    assert not report.complete
    if length > 1_000:  # there may be room for something short
        return
    report.find(1, "sqs", "SendMessage", "more")
    assert report.unlisted == count - len(report.problems) + 1
