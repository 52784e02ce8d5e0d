"""What the express lane itself costs an exchange, by stages: no socket, no emulator, no other process.

    python -m bench.lane

Bytes are handed to the two protocols (`door_protocol`, `connection`) as the event loop would do it, and what they write is
thrown away. The caches of the processor are warm all the time here, which they are not where somebody waits for an
emulator: there the same work takes two to four times as long (docs/performance.md).

Stages: until a request is written to the emulator; what is done while that works; until the answer (or, of a change, the
journal's line, and then the answer) is written; what is left after that.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from bench.load import READ, run, sdk_request
from replay_proxy.identifiers.endpoints import Endpoints
from replay_proxy.journal.writer import JournalWriter
from replay_proxy.proxy import door_protocol, express, plain, plain_python
from replay_proxy.proxy.carrier import Carrier
from replay_proxy.proxy.connection import ClientProtocol, Connection
from replay_proxy.proxy.decisions import Decisions
from replay_proxy.proxy.door_protocol import DoorServer
from replay_proxy.proxy.engine import Engine, Policy
from replay_proxy.proxy.express import ExpressLane
from replay_proxy.proxy.gate import Gate, State
from replay_proxy.proxy.recorder import Recorder
from replay_proxy.proxy.upstream import Upstream
from replay_proxy.proxy.witnessing import Watch
from replay_proxy.replay.knowledge import Knowledge
from replay_proxy.values import Choice
from replay_proxy.wire.selection import Selection

STAGES = ("until it is sent", "meanwhile", "until its client has the answer", "afterwards")
COMPILED, PYTHON = "compiled", "in Python"
_THRESHOLD = 256 * 1024
_ID = b"0a1b2c3d"
_QUEUE = "http://127.0.0.1:4999/000000000000/bench"
_ATTRIBUTES = (
    '{"Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:000000000000:bench", "CreatedTimestamp": "1795717916", '
    '"LastModifiedTimestamp": "1795717916", "VisibilityTimeout": "30", "MaximumMessageSize": "1048576", '
    '"MessageRetentionPeriod": "345600", "DelaySeconds": "0", "ReceiveMessageWaitTimeSeconds": "0", '
    '"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}}'
)


def _answer(body: str) -> bytes:
    """With the fields that MiniStack sends."""
    fields = [
        "Content-Type: application/x-amz-json-1.0",
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Methods: GET, POST, PUT, DELETE, HEAD, OPTIONS, PATCH",
        "Access-Control-Allow-Headers: *",
        "Access-Control-Expose-Headers: *",
        "x-amzn-requestid: 0a1b2c3d-84c9-4199-8d2c-ba841a4be2cd",
        "x-amz-request-id: 0a1b2c3d-84c9-4199-8d2c-ba841a4be2cd",
        f"Content-Length: {len(body)}",
        "date: Thu, 01 Jan 2026 00:00:00 GMT",
    ]
    return "\r\n".join(["HTTP/1.1 200 OK", *fields, "", body]).encode()


CALLS = {
    "a read": (sdk_request(READ, {"QueueUrl": _QUEUE, "AttributeNames": ["All"]}), _answer(_ATTRIBUTES)),
    "a recorded change": (
        sdk_request("AmazonSQS.SetQueueAttributes", {"QueueUrl": _QUEUE, "Attributes": {"VisibilityTimeout": "45"}}),
        _answer("{}"),
    ),
}


def costs(rounds: int, exchanges: int = 1000) -> dict[tuple[str, str], list[float]]:
    """By call and kind of glance: what `STAGES` cost, in microseconds. What was not compiled is not there.

    The medians of exchanges, of which the least of all rounds is taken: what it costs where nothing else runs.
    """
    found: dict[tuple[str, str], list[list[float]]] = {}
    for _ in range(rounds):
        for kind in (COMPILED, PYTHON):
            if kind == PYTHON or plain.is_compiled():
                with _glances(kind):
                    for call, stages in run(_measure(exchanges)).items():
                        found.setdefault((call, kind), []).append(stages)
    return {key: [min(stage) for stage in zip(*runs, strict=True)] for key, runs in found.items()}


@contextmanager
def _glances(kind: str) -> Iterator[None]:
    """With these functions in the place of those that `plain` has chosen."""
    if kind == COMPILED:
        yield
        return
    names = ("glance_at_request", "glance_at_answer", "split")
    modules: list[Any] = [door_protocol, express, plain]
    kept = [(module, name, getattr(module, name)) for module in modules for name in names if hasattr(module, name)]
    try:
        for module, name, _ in kept:
            setattr(module, name, getattr(plain_python, name))
        yield
    finally:
        for module, name, value in kept:
            setattr(module, name, value)


class _Transport:
    """Notes when something is written."""

    def __init__(self) -> None:
        self._sock, self._other_end = socket.socketpair()
        self.at = 0.0

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._sock if name == "socket" else default

    def write(self, _data: bytes) -> None:
        self.at = time.perf_counter()

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self._sock.close()
        self._other_end.close()

    abort = close


async def _measure(exchanges: int) -> dict[str, list[float]]:
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="replay-proxy-bench-") as scratch:
        writer = await JournalWriter.open(Path(scratch))
        recorder = Recorder(writer, _THRESHOLD, selection=Selection(Choice(), Choice(), "", ""))
        watch = Watch(recorder)
        watch.start()
        gate = Gate()
        gate.move(State.READY)
        upstream = Upstream("http://127.0.0.1:4999")
        carrier = Carrier(upstream, Knowledge(), Endpoints(upstream.base_url), _THRESHOLD)
        engine = Engine(
            upstream=upstream,
            decisions=Decisions(carrier, recorder, watch, lambda: None),
            gate=gate,
            policy=Policy(5, 5),
            on_lost=lambda _reason: None,
        )
        server = DoorServer(_never, loop=loop)
        server.lane = ExpressLane(engine, upstream, _THRESHOLD)
        client, emulator = _Transport(), _Transport()
        door, back = server(), ClientProtocol(loop)
        door.connection_made(cast(asyncio.Transport, client))
        back.connection_made(cast(asyncio.Transport, emulator))
        upstream.give_back(Connection(back), closes=False)
        found = {}
        for call, (request, answer) in CALLS.items():
            times: list[list[float]] = [[], [], [], []]
            for number in range(exchanges):
                mark = b"%08x" % number
                asked, told = request.replace(_ID, mark), answer.replace(_ID, mark)
                begun = time.perf_counter()
                door.data_received(asked)
                through, arrived = time.perf_counter(), time.perf_counter()
                back.data_received(told)
                ended = time.perf_counter()
                marks = (emulator.at - begun, through - emulator.at, client.at - arrived, ended - client.at)
                if min(marks) < 0:
                    raise AssertionError("an exchange did not take the lane")
                for stage, seconds in zip(times, marks, strict=True):
                    stage.append(seconds)
                if number % 50 == 0:
                    await asyncio.sleep(0)
            found[call] = [statistics.median(stage) * 1e6 for stage in times]
        await watch.stop()
        await server.shutdown(0.1)
        await writer.close()
        await upstream.close()
    return found


async def _never(_request: object) -> Any:
    raise AssertionError("an exchange did not take the lane")


if __name__ == "__main__":
    for (call, kind), stages in costs(9).items():
        shown = ", ".join(f"{name} {cost:.1f}" for name, cost in zip(STAGES, stages, strict=True))
        print(f"{call}, glances {kind}: {shown} µs; {sum(stages):.1f} in all")
