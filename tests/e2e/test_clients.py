"""Unchanged clients through the proxy, against every emulator: the AWS CLI and boto3, large bodies, many at once."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.clients import aws, client
from tests.support.processes import Emulator, Proxy, left_out

pytestmark = pytest.mark.emulator

LARGE = 300 << 20


def test_the_aws_cli_works_unchanged(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], emulator_name: str, tmp_path: Path
) -> None:
    if emulator_name != "moto" and (reason := left_out(0.2)):
        pytest.skip(f"the AWS CLI on {emulator_name} {reason}")
    emulator = start_emulator(emulator_name)
    proxy = start_proxy("--upstream", emulator.url)
    source = tmp_path / "source.bin"
    source.write_bytes(random.Random(1).randbytes(20 << 20))
    aws(proxy.url, "s3", "mb", "s3://files")
    aws(proxy.url, "s3", "cp", str(source), "s3://files/dir/a b.bin", "--no-progress")
    aws(proxy.url, "s3", "cp", "s3://files/dir/a b.bin", str(tmp_path / "copy.bin"), "--no-progress")
    assert (tmp_path / "copy.bin").read_bytes() == source.read_bytes()
    assert "dir/" in aws(proxy.url, "s3", "ls", "s3://files").stdout
    url = json.loads(aws(proxy.url, "sqs", "create-queue", "--queue-name", "q").stdout)["QueueUrl"]
    aws(proxy.url, "sqs", "send-message", "--queue-url", url, "--message-body", "hé<l>lo & bye")
    received = json.loads(aws(proxy.url, "sqs", "receive-message", "--queue-url", url).stdout)
    assert received["Messages"][0]["Body"] == "hé<l>lo & bye"
    identity = json.loads(aws(proxy.url, "sts", "get-caller-identity").stdout)
    assert re.fullmatch(r"\d{12}", identity["Account"])
    failed = aws(proxy.url, "sqs", "get-queue-url", "--queue-name", "absent", check=False)
    assert "NonExistentQueue" in failed.stderr or "QueueDoesNotExist" in failed.stderr


def memory(pid: int) -> int:
    """Resident bytes, the most there ever were."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) << 10


class Noise:
    """A file of `size` reproducible bytes that never lies in memory as a whole."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._block = random.Random(3).randbytes(1 << 20)
        self._at = 0

    def __len__(self) -> int:
        return self.size

    def read(self, count: int = -1) -> bytes:
        count = self.size - self._at if count < 0 else min(count, self.size - self._at)
        pieces = []
        while count:
            start = self._at % len(self._block)
            piece = self._block[start : start + count]
            pieces.append(piece)
            self._at += len(piece)
            count -= len(piece)
        return b"".join(pieces)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_a_large_object_comes_through_identical_in_flat_memory(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    proxy = start_proxy("--upstream", start_emulator("moto").url)
    s3 = client("s3", proxy.url, read_timeout=300, request_checksum_calculation="when_required")
    s3.create_bucket(Bucket="large")
    before = memory(proxy.process.pid)
    s3.put_object(Bucket="large", Key="k", Body=Noise(LARGE))
    digest = hashlib.sha256()
    for chunk in s3.get_object(Bucket="large", Key="k")["Body"].iter_chunks(1 << 20):
        digest.update(chunk)
    expected, source = hashlib.sha256(), Noise(LARGE)
    while block := source.read(1 << 20):
        expected.update(block)
    assert digest.digest() == expected.digest()
    assert memory(proxy.process.pid) - before < 64 << 20
    blob = proxy.data_dir / "blobs" / expected.hexdigest()[:2] / expected.hexdigest()
    assert blob.stat().st_size == LARGE


def test_two_hundred_parallel_clients_lose_nothing(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    client("s3", proxy.url).create_bucket(Bucket="bucket")
    clients = 200

    def work(number: int) -> None:
        s3 = client("s3", proxy.url, retries={"max_attempts": 4}, read_timeout=120)
        s3.put_object(Bucket="bucket", Key=f"k{number}", Body=str(number).encode())
        assert s3.get_object(Bucket="bucket", Key=f"k{number}")["Body"].read() == str(number).encode()

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, range(clients)))
    keys = {f"/bucket/k{number}" for number in range(clients)}
    assert keys <= {record["request"]["target"] for record in proxy.records()}
    proxy.kill_all()
    proxy = proxy.again()
    s3 = client("s3", proxy.url)
    assert {item["Key"] for item in s3.list_objects_v2(Bucket="bucket")["Contents"]} == {
        f"k{n}" for n in range(clients)
    }
