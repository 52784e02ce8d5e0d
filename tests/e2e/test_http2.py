"""Clients that speak HTTP/2: the JavaScript SDK as it comes, and large objects, through a restart."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.test_clients import Noise, memory
from tests.e2e.test_leaving_clients import signed, wait_for
from tests.proxy.http2_peer import Http2Client, dial_http2
from tests.support.clients import client
from tests.support.javascript import javascript, missing_javascript
from tests.support.processes import Emulator, Proxy

pytestmark = pytest.mark.emulator

LARGE = 64 << 20


@pytest.fixture(scope="module")
def _sdk() -> None:
    reason = missing_javascript()
    if reason is not None:
        pytest.skip(reason)


@pytest.mark.usefixtures("_sdk")
@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_the_javascript_sdk_finds_its_stream_again(
    start_proxy: Callable[..., Proxy], emulator: str, tmp_path: Path
) -> None:
    proxy = start_proxy("--emulator", emulator)
    assert javascript("kinesis.mjs", proxy.url, tmp_path, "fill") == {"protocol": "h2"}
    before = javascript("kinesis.mjs", proxy.url, tmp_path, "read")
    assert sorted(record["data"] for record in before["records"]) == sorted(f"record {at}" for at in range(100))
    assert sorted(proxy.operations()) == ["kinesis:CreateStream", *["kinesis:PutRecords"] * 20]
    proxy.kill_all()
    proxy = proxy.again()
    after = javascript("kinesis.mjs", proxy.url, tmp_path, "read")
    if emulator == "moto":
        # It counts, and of calls that came at the same time the order is not the same again, by HTTP/1.1 neither.
        for record in before["records"] + after["records"]:
            del record["number"]
    assert after == before


@pytest.mark.usefixtures("_sdk")
def test_a_subscription_streams_through(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    proxy = start_proxy("--emulator", "ministack")
    javascript("kinesis.mjs", proxy.url, tmp_path, "fill")
    seen = javascript("kinesis.mjs", proxy.url, tmp_path, "subscribe")["seen"]
    assert seen
    assert all(data.startswith("record 10") for data in seen)


@pytest.mark.usefixtures("_sdk")
@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_objects_and_items_by_http2(start_proxy: Callable[..., Proxy], emulator: str, tmp_path: Path) -> None:
    proxy = start_proxy("--emulator", emulator)
    sent = javascript("others.mjs", proxy.url, tmp_path, "fill")
    assert sent["protocol"] == "h2"
    before = javascript("others.mjs", proxy.url, tmp_path, "read")
    assert before["digest"] == sent["sent"]
    assert (before["size"], before["empty"], before["missing"]) == (8 << 20, "", "NoSuchKey")
    assert before["metadata"] == {"colour": "green"}
    assert before["items"] == sorted(f"p{at}" for at in range(50))
    assert sorted(proxy.operations()) == [
        "dynamodb:CreateTable",
        *["dynamodb:PutItem"] * 50,
        "s3:CreateBucket",
        *["s3:PutObject"] * 2,
    ]
    proxy.kill_all()
    proxy = proxy.again()
    assert javascript("others.mjs", proxy.url, tmp_path, "read") == before


def fields(proxy: Proxy, length: int | None = None) -> list[tuple[str, str]]:
    more = [] if length is None else [("content-length", str(length)), ("expect", "100-continue")]
    return [("authorization", signed("s3").partition(": ")[2]), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), *more]


class Hashing(Http2Client):
    """A client that keeps a digest of what it gets, and nothing else."""

    digest = hashlib.sha256()

    def _note(self, event: object) -> None:
        super()._note(event)  # type: ignore[arg-type]
        for got in self.got.values():
            self.digest.update(got.body)
            got.body = b""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_a_large_object_goes_up_and_down_in_flat_memory(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    proxy = start_proxy("--upstream", start_emulator("moto").url)
    client("s3", proxy.url).create_bucket(Bucket="large")

    async def up_and_down() -> str:
        peer = await dial_http2(("127.0.0.1", proxy.port))
        peer.__class__ = Hashing
        assert isinstance(peer, Hashing)
        number = await peer.request("PUT", "/large/k", fields(proxy, LARGE), end=False, host=f"127.0.0.1:{proxy.port}")
        await peer.until(lambda: peer.got[number].interim == ["100"])
        source = Noise(LARGE)
        while block := source.read(1 << 20):
            await peer.body(number, block, end=False)
        peer.h2.end_stream(number)
        await peer.flush()
        assert (await asyncio.wait_for(peer.answer(number), 60)).status == 200
        peer.digest = hashlib.sha256()
        number = await peer.request("GET", "/large/k", fields(proxy), host=f"127.0.0.1:{proxy.port}")
        assert (await peer.answer(number)).get("content-length") == str(LARGE)
        peer.abort()
        return peer.digest.hexdigest()

    async def once() -> None:
        peer = await dial_http2(("127.0.0.1", proxy.port))
        assert (await peer.exchange("GET", "/large", fields(proxy), host=f"127.0.0.1:{proxy.port}")).status == 200
        peer.abort()

    asyncio.run(once())  # what the first connection imports is not what an object costs
    before = memory(proxy.process.pid)
    expected, source = hashlib.sha256(), Noise(LARGE)
    while block := source.read(1 << 20):
        expected.update(block)
    assert asyncio.run(up_and_down()) == expected.hexdigest()
    assert memory(proxy.process.pid) - before < 32 << 20
    assert proxy.operations() == ["s3:CreateBucket", "s3:PutObject"]
    blob = proxy.data_dir / "blobs" / expected.hexdigest()[:2] / expected.hexdigest()
    assert blob.stat().st_size == LARGE


def test_an_upload_that_is_given_up_leaves_nothing(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="archive")

    async def half() -> None:
        peer = await dial_http2(("127.0.0.1", proxy.port))
        number = await peer.request("PUT", "/archive/k", fields(proxy, 8 << 20), end=False)
        await peer.body(number, b"x" * (3 << 20), end=False)
        await peer.reset(number)
        # The connection lives on.
        number = await peer.request("PUT", "/archive/other", fields(proxy, 5), end=False)
        await peer.body(number, b"whole")
        assert (await peer.answer(number)).status == 200
        peer.abort()

    asyncio.run(half())
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="archive")["Contents"]] == ["other"]
    assert proxy.operations() == ["s3:CreateBucket", "s3:PutObject"]
    blobs = proxy.data_dir / "blobs"
    wait_for(lambda: not [path for path in blobs.rglob("*") if path.is_file()])
