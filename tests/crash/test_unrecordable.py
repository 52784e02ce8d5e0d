"""When recording becomes impossible while the proxy runs: refuse (the default), or go on with a warning.

A limit on the size of files, set from outside while the proxy runs (`prlimit(2)`), makes its writes fail as a full or
failing disk does, and lifting it makes them work again.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from tests.support.clients import client
from tests.support.processes import Emulator, Proxy

pytestmark = pytest.mark.emulator

LARGE = 1 << 20
needs_prlimit = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="prlimit(2) is Linux's")


@contextmanager
def files_limited(proxy: Proxy, size: int) -> Iterator[None]:
    """No file of the proxy may grow beyond `size` bytes."""
    before = resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, before)


def start_recording(proxy: Proxy) -> Any:
    """An S3 client; it has made a bucket, and the journal is the largest of the proxy's files, its log included."""
    s3 = client("s3", proxy.url, retries={"max_attempts": 0})
    s3.create_bucket(Bucket="before")
    s3.put_object(Bucket="before", Key="ballast", Body=b"x" * 100_000)
    return s3


def buckets(url: str) -> list[str]:
    return sorted(each["Name"] for each in client("s3", url).list_buckets()["Buckets"])


def gaps(proxy: Proxy) -> list[str]:
    lines = [json.loads(line) for line in proxy.journal.read_text().splitlines()]
    return [line["reason"] for line in lines if line.get("mark") == "gap"]


@needs_prlimit
@pytest.mark.parametrize("strategy", ["ON_REQUEST", "SCHEDULED"])
def test_refused_calls_do_not_reach_the_emulator(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], strategy: str
) -> None:
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url, "--save-strategy", strategy)
    s3 = start_recording(proxy)
    with files_limited(proxy, proxy.journal.stat().st_size + 10):
        for number in range(3):
            with pytest.raises(ClientError, match="cannot record this call") as caught:
                s3.create_bucket(Bucket=f"refused-{number}")
            assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert "File too large" in proxy.status()["recording_failure"]["reason"]
        assert buckets(proxy.url) == ["before", "refused-0"]  # reads go on
    s3 = client("s3", proxy.url, retries={"max_attempts": 6, "mode": "standard"})
    s3.create_bucket(Bucket="after")
    assert proxy.status()["recording_failure"] is None
    assert proxy.status()["unrecorded"] == 0
    # The first call met the failure when the emulator had executed it; the others were not sent.
    assert buckets(emulator.url) == ["after", "before", "refused-0"]
    assert gaps(proxy) == ["File too large"]
    proxy.kill()
    emulator.restart()
    proxy = proxy.again()
    assert buckets(proxy.url) == ["after", "before"]
    assert "were not recorded: File too large" in proxy.log


@needs_prlimit
@pytest.mark.parametrize("strategy", ["ON_REQUEST", "SCHEDULED"])
def test_going_on_is_loud_and_leaves_a_gap(start_proxy: Callable[..., Proxy], strategy: str) -> None:
    proxy = start_proxy("--when-unrecordable", "continue", "--save-strategy", strategy)
    s3 = start_recording(proxy)
    with files_limited(proxy, proxy.journal.stat().st_size + 10):
        for number in range(5):
            s3.create_bucket(Bucket=f"unrecorded-{number}")
        s3.put_object(Bucket="before", Key="large", Body=bytes(LARGE))
        status = proxy.status()
        assert status["unrecorded"] == 6
        assert "File too large" in status["recording_failure"]["reason"]
        assert s3.get_object(Bucket="before", Key="large")["ContentLength"] == LARGE
    assert 1 <= proxy.log.count("CALLS ARE NOT RECORDED") < 6  # at most once in ten seconds, and not for each call
    time.sleep(1.1)  # the proxy tries again once a second
    s3.create_bucket(Bucket="after")
    assert proxy.status()["recording_failure"] is None
    assert ["File too large" in reason for reason in gaps(proxy)] == [True]
    proxy.kill_all()
    proxy = proxy.again()
    present = buckets(proxy.url)
    assert "after" in present
    assert not [name for name in present if name.startswith("unrecorded")]


@needs_prlimit
def test_a_large_body_that_cannot_be_stored_is_never_half_there(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url)
    s3 = client("s3", proxy.url, retries={"max_attempts": 0})
    s3.create_bucket(Bucket="bucket")
    with files_limited(proxy, LARGE // 2):
        with pytest.raises((ClientError, HTTPClientError)):
            s3.put_object(Bucket="bucket", Key="large", Body=bytes(LARGE))
        s3.put_object(Bucket="bucket", Key="small", Body=b"small")  # the journal still has room
        assert [each["Key"] for each in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["small"]
    assert [each.name for each in (proxy.data_dir / "blobs" / "tmp").iterdir()] == []
    s3.put_object(Bucket="bucket", Key="large", Body=bytes(LARGE))
    assert s3.get_object(Bucket="bucket", Key="large")["ContentLength"] == LARGE
    assert gaps(proxy) == []


@needs_prlimit
def test_an_answer_that_cannot_be_stored_leaves_a_gap(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--body-threshold", "64")
    iam = client("iam", proxy.url, retries={"max_attempts": 0})
    iam.create_user(UserName="u1")  # 46 bytes, and an answer of some hundred
    blobs = proxy.data_dir / "blobs"
    assert len([each for each in blobs.rglob("*") if each.is_file()]) == 1
    # Below `blobs`, which is watched itself: what is found there once a second refuses calls before they are sent.
    shutil.rmtree(blobs / "tmp")
    (blobs / "tmp").write_text("in the way")
    with pytest.raises(ClientError, match="cannot record this call"):
        iam.create_user(UserName="u2")
    assert len(gaps(proxy)) == 1
    assert "store a large body" in gaps(proxy)[0]


def mounted(place: Path, size: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if not mounted(place, "6m"):
        pytest.skip("this user may not mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_loses_nothing(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], small_disk: Path
) -> None:
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url, data_dir=small_disk / "r")
    (small_disk / "ballast").write_bytes(bytes(4_500_000))
    sqs = client("sqs", proxy.url, retries={"max_attempts": 0})
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    told = 0
    with pytest.raises(ClientError, match="No space left on device"):
        while True:
            sqs.send_message(QueueUrl=url, MessageBody="x" * 20_000)
            told += 1
    assert told > 5
    (small_disk / "ballast").unlink()
    client("sqs", proxy.url, retries={"max_attempts": 6, "mode": "standard"}).send_message(
        QueueUrl=url, MessageBody="after"
    )
    assert gaps(proxy) == []
    proxy.kill()
    emulator.restart()
    proxy = proxy.again()
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert attributes["Attributes"]["ApproximateNumberOfMessages"] == str(told + 1)
