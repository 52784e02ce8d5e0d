"""The load generator of the benchmarks: that what it counts is what was answered."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.load import CHANGE, READ, fire, object_request, run, sdk_request, summary
from bench.processes import Process, Processes, processes
from replay_proxy.emulators.process import free_port


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Processes]:
    with processes(tmp_path) as found:
        yield found


@pytest.fixture
def fixed(place: Processes, tmp_path: Path) -> Process:
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"": "{}", READ: json.dumps({"pad": "x" * 5000})}))
    port = free_port()
    server = place.start("fixed", [sys.executable, "-m", "bench.load", str(port), str(answers)], port)
    server.ready()
    return server


def test_every_request_is_counted_once(fixed: Process) -> None:
    for request in (sdk_request(READ, {"QueueUrl": "q"}), sdk_request(CHANGE, {"MessageBody": "x" * 200_000})):
        times, elapsed = fire(fixed.port, request, 4, 0.2)
        figures = summary(times, elapsed)
        assert figures["requests"] == len(times) >= 4
        assert 0 < figures["p50_us"] <= figures["p99_us"] <= elapsed * 1e6
        assert elapsed >= 0.2


def test_large_bodies_are_read_to_their_end(fixed: Process) -> None:
    size = 3_000_000
    for request in (object_request("GET", f"/stream/{size}"), object_request("PUT", "/bucket/key", size)):
        times, _ = fire(fixed.port, request, 2, 0)
        assert len(times) == 2


def test_a_server_that_closes_after_each_answer_is_connected_to_again() -> None:
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await reader.readuntil(b"\r\n\r\n")
        served += 1
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async def both() -> int:
        from bench.load import _fire

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            times, _ = await _fire(server.sockets[0].getsockname()[1], object_request("GET", "/"), 2, 0.1)
        return len(times)

    assert run(both()) == served >= 2


def test_a_failure_is_no_measurement(place: Processes, fixed: Process) -> None:
    port = free_port()
    refusing = place.start(
        "refusing",
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(place.scratch)],
        port,
    )
    refusing.ready()
    with pytest.raises(RuntimeError, match="not a success"):
        fire(refusing.port, object_request("GET", "/missing"), 1, 0.1)
