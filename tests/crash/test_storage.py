"""A recording that is damaged, incomplete or gone: named precisely, never replayed all the same; and no boot hangs."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from replay_proxy.emulators.process import free_port
from replay_proxy.journal.format.records import FORMAT_VERSION
from tests.support.clients import client
from tests.support.processes import Proxy, replay_proxy

pytestmark = pytest.mark.emulator

LARGE = 1 << 20


def recorded(start_proxy: Callable[..., Proxy]) -> Proxy:
    """A recording of four calls, one with a large body; everything is killed."""
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="small", Body=b"small")
    s3.put_object(Bucket="bucket", Key="large", Body=bytes(LARGE))
    s3.put_object(Bucket="bucket", Key="last", Body=b"last")
    proxy.kill_all()
    return proxy


def refused_to_start(proxy: Proxy, code: int) -> str:
    """Start on the recording once more; it must end by itself with that code. Its output."""
    command = [*replay_proxy(), "serve", "--listen", f"127.0.0.1:{free_port()}", "--data-dir", str(proxy.data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    text = done.stdout + done.stderr
    assert done.returncode == code, text
    assert "Traceback" not in text
    assert "hint: " in text
    return text


def test_a_damaged_line_in_the_middle_is_refused_with_its_place(start_proxy: Callable[..., Proxy]) -> None:
    proxy = recorded(start_proxy)
    lines = proxy.journal.read_bytes().splitlines(keepends=True)
    offset = len(lines[0]) + len(lines[1])
    assert b'"body":"small"' in lines[2]
    lines[2] = lines[2].replace(b'"body":"small"', b'"body":"smell"')
    proxy.journal.write_bytes(b"".join(lines))
    damaged = proxy.journal.read_bytes()
    text = refused_to_start(proxy, 4)
    assert f"line 3, at byte {offset}" in text
    assert "its checksum does not match its content" in text
    assert proxy.journal.read_bytes() == damaged


def test_a_recording_of_a_newer_format_is_refused(start_proxy: Callable[..., Proxy]) -> None:
    proxy = recorded(start_proxy)
    first, rest = proxy.journal.read_bytes().split(b"\n", 1)
    header = json.loads(first)
    del header["crc"]
    proxy.journal.write_bytes(json.dumps({**header, "version": FORMAT_VERSION + 1}).encode() + b"\n" + rest)
    text = refused_to_start(proxy, 4)
    assert f"format version {FORMAT_VERSION + 1}" in text
    assert "newer" in text


@pytest.mark.parametrize("damage", ["missing", "changed", "shorter"])
def test_a_damaged_large_body_is_named_and_the_others_are_restored(
    start_proxy: Callable[..., Proxy], damage: str
) -> None:
    proxy = recorded(start_proxy)
    [blob] = [each for each in (proxy.data_dir / "blobs").rglob("*") if each.is_file()]
    match damage:
        case "missing":
            blob.unlink()
        case "changed":
            blob.write_bytes(bytes(LARGE - 1) + b"x")
        case "shorter":
            blob.write_bytes(bytes(LARGE - 1))
    proxy = proxy.again()
    try:
        s3 = client("s3", proxy.url)
        listed = [each["Key"] for each in s3.list_objects_v2(Bucket="bucket")["Contents"]]
        assert listed == ["last", "small"]
        [problem] = proxy.status()["last_restore"]["problems"]
        assert (problem["seq"], problem["call"]) == (3, "s3:PutObject")
        assert blob.name in problem["reason"]
        assert "Restored 3 API calls" in proxy.log
    finally:
        proxy.stop()


def test_a_data_directory_that_is_removed_underneath_stops_the_promises(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--save-strategy", "ON_REQUEST")
    s3 = client("s3", proxy.url, retries={"max_attempts": 0})
    s3.create_bucket(Bucket="before")
    shutil.rmtree(proxy.data_dir)
    for name in ("first", "second"):
        with pytest.raises(ClientError, match="cannot record this call"):
            s3.create_bucket(Bucket=name)
    assert "removed" in proxy.status()["recording_failure"]["reason"]
    proxy.stop()
    assert "removed" in proxy.log
    assert not (proxy.data_dir / "recorded_api_calls.json").exists()


def test_under_scheduled_a_removed_data_directory_is_noticed_within_the_interval(
    start_proxy: Callable[..., Proxy],
) -> None:
    proxy = start_proxy("--flush-interval", "0.2")
    s3 = client("s3", proxy.url, retries={"max_attempts": 0})
    s3.create_bucket(Bucket="before")
    shutil.rmtree(proxy.data_dir)
    deadline = time.monotonic() + 60
    with pytest.raises(ClientError, match="cannot record this call"):
        for number in itertools.count():  # the interval may pass before the first of them, on a busy machine
            assert time.monotonic() < deadline, f"{number} calls were acknowledged, and none refused"
            s3.create_bucket(Bucket=f"unnoticed-{number}")
            time.sleep(0.05)
    assert proxy.status()["recording_failure"] is not None


def test_a_restore_from_a_directory_without_its_blobs_ends(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    proxy = recorded(start_proxy)
    shutil.rmtree(proxy.data_dir / "blobs")
    done = subprocess.run(
        [*replay_proxy(), "check", "--data-dir", str(proxy.data_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    assert "is missing" in done.stderr
