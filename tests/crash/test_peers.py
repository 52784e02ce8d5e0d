"""Peers that misbehave: clients that stop sending, an emulator that answers half and hangs, two thousand at once."""

from __future__ import annotations

import asyncio
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, replay_proxy

pytestmark = pytest.mark.emulator

CONNECTIONS = 2000
AT_ONCE = 100
AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


def put(url: str, target: str, length: int) -> bytes:
    host = url.removeprefix("http://")
    head = (
        f"PUT {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {AUTHORIZATION}\r\nContent-Length: {length}\r\n\r\n"
    )
    return head.encode()


@pytest.mark.parametrize("size", [1000, 1 << 20])
@pytest.mark.parametrize("leaves", [True, False])
def test_a_client_that_stops_sending_changes_nothing(
    start_proxy: Callable[..., Proxy], size: int, leaves: bool
) -> None:
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="bucket")
    with socket.create_connection(("127.0.0.1", proxy.port)) as stalled:
        stalled.sendall(put(proxy.url, "/bucket/half", size) + bytes(size // 2))
        if leaves:
            stalled.close()
        time.sleep(0.3)
        s3.put_object(Bucket="bucket", Key="whole", Body=b"whole")
        listed = [each["Key"] for each in s3.list_objects_v2(Bucket="bucket")["Contents"]]
        assert listed == ["whole"]
        targets = [record["request"]["target"] for record in proxy.records()]
        assert targets == ["/bucket", "/bucket/whole"]
        if leaves:
            spools = proxy.data_dir / "blobs" / "tmp"
            assert not spools.exists() or list(spools.iterdir()) == []
        proxy.kill()


def test_a_client_that_stops_sending_does_not_keep_the_proxy_from_stopping(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    client("s3", proxy.url).create_bucket(Bucket="bucket")
    with socket.create_connection(("127.0.0.1", proxy.port)) as stalled:
        stalled.sendall(put(proxy.url, "/bucket/half", 1 << 20) + bytes(1000))
        time.sleep(0.2)
        assert proxy.stop() == 0, "it had to be killed"


class HalfAnswering:
    """An emulator in front of a real one; to requests that name `/half`, it answers the half and hangs."""

    def __init__(self, behind: Emulator) -> None:
        self._behind = behind.port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._behind))
                self._open += [near, far]
                threading.Thread(target=self._forth, args=(near, far), daemon=True).start()
                threading.Thread(target=self._back, args=(far, near), daemon=True).start()

    def _forth(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while chunk := near.recv(65536):
                if b"/half" in chunk:
                    near.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(500))
                    return
                far.sendall(chunk)
            far.close()

    @staticmethod
    def _back(far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while chunk := far.recv(65536):
                near.sendall(chunk)
            near.close()

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def half_answering(behind: Emulator) -> Iterator[HalfAnswering]:
    # It imports a service at its first call, which takes seconds on a busy machine, and is no silence that a test is about.
    client("ssm", behind.url).describe_parameters()
    client("s3", behind.url).list_buckets()
    emulator = HalfAnswering(behind)
    try:
        yield emulator
    finally:
        emulator.close()


def test_an_emulator_that_answers_half_and_hangs(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    with half_answering(start_emulator("moto")) as emulator:
        proxy = start_proxy("--upstream", emulator.url, "--lost-timeout", "1")
        s3 = client("s3", proxy.url)
        s3.create_bucket(Bucket="bucket")
        impatient = client("s3", proxy.url, read_timeout=1, retries={"max_attempts": 0})
        with pytest.raises(ReadTimeoutError):
            impatient.put_object(Bucket="bucket", Key="half", Body=b"x")
        for number in range(5):  # nobody else waits for it
            s3.put_object(Bucket="bucket", Key=f"k{number}", Body=b"x")
        answer: list[object] = []

        def wait() -> None:
            try:
                answer.append(
                    client("s3", proxy.url, retries={"max_attempts": 0}).delete_object(Bucket="half", Key="k")
                )
            except ClientError as error:
                answer.append(error.response["ResponseMetadata"]["HTTPStatusCode"])

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.5)
        assert waiting.is_alive()
        emulator.close()
        waiting.join(30)
        assert answer == [503]
        targets = [record["request"]["target"] for record in proxy.records()]
        assert targets == ["/bucket", *(f"/bucket/k{number}" for number in range(5))]


def test_a_silent_emulator_is_given_up_and_holds_nobody_up(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    with half_answering(start_emulator("moto")) as emulator:
        proxy = start_proxy("--upstream", emulator.url, "--answer-timeout", "5")
        s3 = client("s3", proxy.url, retries={"max_attempts": 0})
        s3.create_bucket(Bucket="bucket")
        impatient = client("s3", proxy.url, read_timeout=1, retries={"max_attempts": 0})
        with pytest.raises(ReadTimeoutError):
            impatient.put_object(Bucket="bucket", Key="half", Body=b"x")
        # It waits for its turn on the same object, and is then given up, too, long before its client would leave.
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket="bucket", Key="half", Body=b"y")
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert [record["request"]["target"] for record in proxy.records()] == ["/bucket"]


def test_a_restore_does_not_wait_for_ever_for_half_an_answer(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    first = start_emulator("moto")
    proxy = start_proxy("--upstream", first.url)
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="bucket")
    for key in ("before", "half", "after"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"x")
    proxy.kill()
    second = start_emulator("moto")
    with half_answering(second) as emulator:
        words = ["restore", "--upstream", emulator.url, "--data-dir", str(proxy.data_dir), "--call-timeout", "5"]
        done = subprocess.run([*replay_proxy(), *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3, done.stderr
    assert "not restored: s3:PutObject" in done.stderr
    assert "no answer within 5 s" in done.stderr
    listed = client("s3", second.url).list_objects_v2(Bucket="bucket")["Contents"]
    assert [each["Key"] for each in listed] == ["after", "before"]


@pytest.fixture
def many_files() -> Iterator[None]:
    """The limit on open files that this test and the processes it starts need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 3 * CONNECTIONS
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"this user may open {hard} files, and {needed} are needed")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.usefixtures("many_files")
def test_two_thousand_connections_at_once_lose_nothing(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "ministack")  # moto takes thrice the time
    client("s3", proxy.url).create_bucket(Bucket="bucket")
    statuses = asyncio.run(one_request_each(proxy))
    assert statuses == [200] * CONNECTIONS
    expected = {f"/bucket/k{number}" for number in range(CONNECTIONS)}
    assert {record["request"]["target"] for record in proxy.records()} == {"/bucket", *expected}
    proxy.kill_all()
    proxy = proxy.again()
    try:
        pages = client("s3", proxy.url).get_paginator("list_objects_v2").paginate(Bucket="bucket")
        found = {f"/bucket/{item['Key']}" for page in pages for item in page["Contents"]}
        assert found == expected
        assert proxy.status()["last_restore"]["problems"] == []
    finally:
        proxy.stop()


async def one_request_each(proxy: Proxy) -> list[int]:
    """Open all connections, then send one request on each; the statuses of the answers.

    Not all at the same moment: moto's listen queue is short, and what the kernel drops from it comes back after minutes.
    """
    opened = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(CONNECTIONS)]
    await asyncio.sleep(0.2)
    turn = asyncio.Semaphore(AT_ONCE)

    async def call(number: int) -> int:
        reader, writer = opened[number]
        async with turn:
            writer.write(put(proxy.url, f"/bucket/k{number}", 4) + b"body")
            status = await reader.readline()
        return int(status.split()[1])

    try:
        async with asyncio.timeout(200):
            return await asyncio.gather(*(call(number) for number in range(CONNECTIONS)))
    finally:
        for _reader, writer in opened:
            writer.close()
