"""What the fast path itself costs an exchange, by stages: no socket, no emulator, no other process.

    python -m bench.fast_path

Bytes are handed to the two protocols (`http.server_protocol`, `http.client_pool`) as the event loop would do it, and what they
write is thrown away. The caches of the processor are warm all the time here, which they are not where somebody waits for an
emulator: there the same work takes two to four times as long (docs/performance.md).

Stages: until a request is written to the emulator; what is done while that works; until the answer (or, of a change, the
journal's line, and then the answer) is written; what is left after that.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from bench.load import READ, run, sdk_request
from replay_proxy.call_filter import CallFilter
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.proxy.http import fast_parser, fast_parser_py
from replay_proxy.proxy.http.client.connection import ClientProtocol, Connection
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.server.protocol import DoorServer
from replay_proxy.proxy.requests.engine import Engine, WaitLimits
from replay_proxy.proxy.requests.fast_path import FastPath
from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.proxy.requests.journaling.witness_watcher import WitnessWatcher
from replay_proxy.proxy.requests.policy import RequestPolicy
from replay_proxy.proxy.requests.proxy_state import ProxyState
from replay_proxy.proxy.requests.translator import Translator
from replay_proxy.replay.session_state import SessionState
from replay_proxy.supervision import Supervisor
from replay_proxy.values import NameFilter

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
    """Return an answer with the fields that MiniStack sends."""
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
    """Return what `STAGES` cost in microseconds, by call and parser. The compiled parser is left out where it was not built.

    Each figure is the least of the rounds' medians: what a stage costs where nothing else runs.
    """
    found: dict[tuple[str, str], list[list[float]]] = {}
    for _ in range(rounds):
        for kind in (COMPILED, PYTHON):
            if kind == PYTHON or fast_parser.is_compiled():
                with _parser(kind):
                    for call, stages in run(_measure(exchanges)).items():
                        found.setdefault((call, kind), []).append(stages)
    return {key: [min(stage) for stage in zip(*runs, strict=True)] for key, runs in found.items()}


@contextmanager
def _parser(kind: str) -> Iterator[None]:
    """Use the fast parser of this kind in place of the one that `fast_parser` has chosen."""
    if kind == COMPILED:
        yield
        return
    names = ("frame_request", "frame_answer", "split_message")
    chosen = {name: getattr(fast_parser, name) for name in names}
    modules = [module for name, module in sys.modules.items() if name.startswith("replay_proxy.proxy.")]
    kept = [
        (module, name, function)
        for module in modules
        for name, function in chosen.items()
        if vars(module).get(name) is function and not module.__name__.endswith("._fast_parser")
    ]
    try:
        for module, name, _ in kept:
            setattr(module, name, getattr(fast_parser_py, name))
        yield
    finally:
        for module, name, value in kept:
            setattr(module, name, value)


class _Transport:
    """A transport that notes the time of the last write."""

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
        recorder = Recorder(writer, _THRESHOLD, call_filter=CallFilter(NameFilter(), NameFilter(), "", ""))
        watch = WitnessWatcher(recorder, Supervisor())
        watch.start()
        gate = Gate()
        gate.move(ProxyState.READY)
        upstream = UpstreamClient("http://127.0.0.1:4999")
        translator = Translator(upstream, SessionState(), Endpoints(upstream.base_url), _THRESHOLD)
        engine = Engine(
            policy=RequestPolicy(translator, recorder, watch, lambda: None),
            gate=gate,
            wait_limits=WaitLimits(5, 5),
            on_lost=lambda _reason: None,
        )
        # The first call by a temporary key asks whose it is, and takes the full path; those after it are measured.
        held_keys = engine.policy._held_keys
        assert held_keys is not None
        held_keys._note(b"AKIAIOSFODNN7EXAMPLE")
        server = DoorServer(_never, loop=loop)
        server.fast_path = FastPath(engine, upstream, _THRESHOLD)
        client, emulator = _Transport(), _Transport()
        server_side, client_side = server(), ClientProtocol(loop)
        server_side.connection_made(cast(asyncio.Transport, client))
        client_side.connection_made(cast(asyncio.Transport, emulator))
        upstream.release(Connection(client_side), closes=False)
        found = {}
        for call, (request, answer) in CALLS.items():
            times: list[list[float]] = [[], [], [], []]
            for number in range(exchanges):
                identifier = b"%08x" % number
                asked, told = request.replace(_ID, identifier), answer.replace(_ID, identifier)
                begun = time.perf_counter()
                server_side.data_received(asked)
                through, arrived = time.perf_counter(), time.perf_counter()
                client_side.data_received(told)
                ended = time.perf_counter()
                stages = (emulator.at - begun, through - emulator.at, client.at - arrived, ended - client.at)
                if min(stages) < 0:
                    raise AssertionError("an exchange did not take the fast path")
                for stage, seconds in zip(times, stages, strict=True):
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
    raise AssertionError("an exchange did not take the fast path")


if __name__ == "__main__":
    for (call, kind), stages in costs(9).items():
        shown = ", ".join(f"{name} {cost:.1f}" for name, cost in zip(STAGES, stages, strict=True))
        print(f"{call}, fast parser {kind}: {shown} µs; {sum(stages):.1f} in all")
