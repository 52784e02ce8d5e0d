"""A laboratory: boto3 against a real emulator, recording what it does as the proxy would, and restoring it again.

Every request of its clients is carried by a hook of botocore's, which hands it to the same functions as the proxy's engine does
(recognise, judge, scrub, translate identifiers), without the sockets of the proxy in between.
"""

from __future__ import annotations

import asyncio
import io
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from replay_proxy.exchange import Answer, BlobRef, Headers, Request
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.journal.format.recorded_headers import answer_to_keep, request_to_keep
from replay_proxy.journal.format.records import Record, RecordKind, utc_now
from replay_proxy.replay.execution import executor
from replay_proxy.replay.execution.executor import Executor
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.ordering.dependency_graph import DependencyGraph
from replay_proxy.replay.ordering.schedule import Schedule
from replay_proxy.replay.planning.plan import plan_of_records
from replay_proxy.replay.session_state import SessionState
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.mutability.judge import Effect, judge_call
from replay_proxy.wire.recognition.recognise import recognise
from replay_proxy.wire.signing.sigv4 import scrub
from tests.support.clients import client
from tests.support.processes import Emulator

LIMIT = 120.0
"""Seconds for a restore: what waits for itself is to fail, and not to hang."""
RESETS = {"moto": "/moto-api/reset", "ministack": "/_ministack/reset"}


class Lab:
    """One emulator, its clients, and the records of what they changed."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.records: list[Record] = []
        self.aliases = AliasTable()
        self.recording = True
        self._pool = urllib3.PoolManager(retries=False)
        self._receipts: dict[str, str] = {}
        self._clients: dict[Any, Any] = {}

    def client(self, service: str, region: str = "us-east-1", key: str = "test") -> Any:
        """A client that signs with the access key `key`."""
        known = (service, region, key)
        if known not in self._clients:
            made = client(
                service,
                self.emulator.url,
                region=region,
                key=key,
                request_checksum_calculation="when_required",
                retries={"max_attempts": 0},
            )
            made.meta.events.register("before-send", self._carry)
            self._clients[known] = made
        return self._clients[known]

    def begin(self) -> None:
        """Forget everything, the emulator's state included."""
        self.empty()
        self.records.clear()
        self._receipts.clear()
        self.recording = True

    def empty(self) -> None:
        """The emulator loses its state."""
        reset = urllib.request.Request(self.emulator.url + RESETS[self.emulator.name], method="POST")
        with urllib.request.urlopen(reset, timeout=30) as answer:
            assert answer.status == 200
        self.aliases = AliasTable()

    def send_form(self, service: str, url: str, form: str) -> Answer:
        """A request of the query protocol as an older SDK makes it; recorded like any other."""
        host, _, path = url.partition("://")[2].partition("/")
        scope = f"test/20260101/us-east-1/{service}/aws4_request"
        pairs = [
            ("Host", host),
            ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("Authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        ]
        request = Request("POST", f"/{path}", Headers(pairs), form.encode())
        answer = self._exchange(request)
        assert answer.status == 200, answer
        self._note(request, answer)
        return answer

    async def send(self, request: Request) -> Answer:
        """Send a request of a restore to the emulator."""
        await asyncio.sleep(0)  # where others may have their turn
        return self._exchange(request)

    def target(self) -> RestoreTarget:
        """The emulator, as what is restored into."""

        async def load(ref: BlobRef) -> bytes:
            raise AssertionError(ref)

        return RestoreTarget(self.send, load, SessionState(self.aliases), Endpoints(self.emulator.url))

    def restore(
        self,
        records: Iterable[Record],
        shuffle: Random | None = None,
        target: RestoreTarget | None = None,
        concurrency: int | None = None,
    ) -> RestoreReport:
        """Replay `records`. Reads afterwards are translated, and nothing is recorded.

        shuffle: takes any of the calls that may be made next, not the earliest. target: `self.target()`, or one like it.
        """
        self.recording = False
        restorer = Executor(target or self.target(), concurrency=concurrency or (1 if shuffle is None else 3))
        plan = plan_of_records(records, supersede=False)
        with patch.object(executor, "Schedule", partial(Shuffled, random=shuffle) if shuffle is not None else Schedule):
            return asyncio.run(asyncio.wait_for(restorer.run(plan, RestoreReport("lab")), LIMIT))

    def _exchange(self, request: Request) -> Answer:
        assert isinstance(request.body, bytes)
        headers = urllib3.HTTPHeaderDict()
        for name, value in request.headers:
            headers.add(name, value)
        given = self._pool.urlopen(
            request.method,
            self.emulator.url + request.target,
            body=request.body or None,
            headers=headers,
            redirect=False,
            preload_content=False,
            assert_same_host=False,
        )
        body = given.read(decode_content=True)
        pairs = [
            pair
            for pair in given.headers.iteritems()
            if pair[0].lower() not in ("content-encoding", "transfer-encoding")
        ]
        return Answer(given.status, Headers(pairs), body, given.reason or "")

    def _carry(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        body = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        target = request.url.partition("://")[2]
        target = "/" + target.partition("/")[2]
        pairs = [
            (name, value.decode() if isinstance(value, bytes) else value) for name, value in request.headers.items()
        ]
        pairs.append(("Host", self.emulator.url.partition("://")[2]))
        asked = Request(request.method, target, Headers(pairs), body.encode() if isinstance(body, str) else bytes(body))
        head = recognise(asked)
        answer = self._exchange(request_to_emulator(asked, head, self.aliases))
        answer = answer_to_client(answer, head, asked, self.aliases)
        self._note(asked, answer)
        assert isinstance(answer.body, bytes)
        raw = urllib3.HTTPResponse(io.BytesIO(answer.body), preload_content=False)
        return AWSResponse(request.url, answer.status, urllib3.HTTPHeaderDict(answer.headers.pairs), raw)

    def _note(self, request: Request, answer: Answer) -> None:
        head = recognise(request)
        assert head is not None, request
        if head.operation == "ReceiveMessage":
            for message in parse_answer(head, answer).parsed.get("Messages", ()):
                self._receipts[message["ReceiptHandle"]] = message["MessageId"]
        if (
            not self.recording
            or judge_call(head, request).effect is not Effect.MUTATES
            or not 200 <= answer.status < 300
        ):
            return
        stored, credential = scrub(request)
        notes: dict[str, Any] = {}
        if head.operation in ("DeleteMessage", "DeleteMessageBatch"):
            text = request.body.decode() if isinstance(request.body, bytes) else ""
            notes["messages"] = {receipt: message for receipt, message in self._receipts.items() if receipt in text}
        number = len(self.records) + 1
        self.records.append(
            Record(
                number,
                utc_now(),
                1.0,
                RecordKind.MUTATION,
                head,
                request_to_keep(stored),
                answer_to_keep(answer),
                credential,
                notes,
            )
        )

    def without_notes(self) -> list[Record]:
        """The records as a recording of an older version would have them."""
        return [replace(record, notes={}) for record in self.records]


class Shuffled(Schedule):
    """An order that the graph allows, and nobody would think of."""

    def __init__(
        self,
        graph: DependencyGraph,
        only: Iterable[int] | None = None,
        groups: Mapping[int, tuple[int, ...]] | None = None,
        *,
        random: Random,
    ) -> None:
        super().__init__(graph, only, groups)
        self._random = random

    def take(self) -> int | None:
        self._random.shuffle(self._ready)
        return super().take()


def operations(records: Iterable[Record]) -> list[str]:
    return [record.head.operation for record in records if record.head is not None]
