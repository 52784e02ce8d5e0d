"""Files of a recording that are moved, removed or emptied under a running proxy: nothing acknowledged is lost.

The proxy and the emulator are killed afterwards; what clients were told is compared with what is restored.
"""

from __future__ import annotations

import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from tests.support.clients import client
from tests.support.processes import Proxy

pytestmark = pytest.mark.emulator

STRATEGIES = ["ON_REQUEST", "SCHEDULED", "ON_SHUTDOWN", "MANUAL"]


def parameters(proxy: Proxy) -> Any:
    return client("ssm", proxy.url, retries={"max_attempts": 0})


def put(ssm: Any, *names: str) -> list[str]:
    """Those that were acknowledged."""
    done = []
    for name in names:
        try:
            ssm.put_parameter(Name=name, Value="1", Type="String")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ServiceUnavailable"
        else:
            done.append(name)
    return done


def present(proxy: Proxy) -> set[str]:
    pages = parameters(proxy).get_paginator("describe_parameters").paginate()
    return {each["Name"] for page in pages for each in page["Parameters"]}


def save(proxy: Proxy) -> bool:
    """Was it done?"""
    request = urllib.request.Request(f"{proxy.url}/_localstack/state/save", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("removed", [False, True], ids=["moved", "removed"])
def test_a_journal_without_its_name_is_written_again(
    start_proxy: Callable[..., Proxy], strategy: str, removed: bool
) -> None:
    """With the default interval of 15 s; the calls in the first second after it went unnoticed are in the new file, too."""
    proxy = start_proxy("--save-strategy", strategy)
    ssm = parameters(proxy)
    done = put(ssm, "/before")
    if removed:
        proxy.journal.unlink()
    else:
        proxy.journal.rename(proxy.journal.with_suffix(".json.1"))
    done += put(ssm, "/at-once")
    wait_until(proxy.journal.exists)
    done += put(ssm, "/after")
    assert done == ["/before", "/at-once", "/after"]
    if strategy == "MANUAL":
        assert save(proxy)
    assert proxy.status()["recording_failure"] is None
    assert "was written again under its name" in proxy.log
    proxy.kill_all()
    proxy = proxy.again()
    assert present(proxy) == set(done)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_emptied_journal_is_told_and_what_comes_after_is_kept(
    start_proxy: Callable[..., Proxy], strategy: str
) -> None:
    proxy = start_proxy("--save-strategy", strategy)
    ssm = parameters(proxy)
    put(ssm, "/before")
    proxy.journal.write_bytes(b"")
    done = put(ssm, "/at-once")
    if strategy == "MANUAL" and done:
        done = done if save(proxy) else []
    wait_until(lambda: proxy.status()["recording_failure"])
    assert put(ssm, "/refused") == []
    assert "was emptied or cut while it was in use" in proxy.status()["recording_failure"]["reason"]
    wait_until(lambda: proxy.journal.stat().st_size)
    proxy.kill_all()
    proxy = proxy.again()
    assert set(done) <= present(proxy) <= {"/at-once"}
    assert "was emptied or cut" in proxy.log
    assert put(parameters(proxy), "/anew") == ["/anew"]


def test_calls_go_through_where_the_user_chose_so(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--when-unrecordable", "continue")
    ssm = parameters(proxy)
    put(ssm, "/before")
    away = proxy.data_dir.with_name("away")
    proxy.data_dir.rename(away)
    wait_until(lambda: proxy.status()["recording_failure"])
    assert put(ssm, "/unrecorded") == ["/unrecorded"]
    assert proxy.status()["unrecorded"] == 1
    away.rename(proxy.data_dir)
    wait_until(lambda: not proxy.status()["recording_failure"])
    assert put(ssm, "/after") == ["/after"]
    proxy.kill_all()
    proxy = proxy.again()
    assert present(proxy) == {"/before", "/after"}
    assert "was moved, removed or unmounted" in proxy.log


@pytest.mark.parametrize("strategy", ["ON_REQUEST", "SCHEDULED"])
def test_removed_bodies_are_told_and_nothing_more_is_promised(start_proxy: Callable[..., Proxy], strategy: str) -> None:
    proxy = start_proxy("--save-strategy", strategy)
    s3 = client("s3", proxy.url, retries={"max_attempts": 0})
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="large", Body=bytes(1 << 20))
    shutil.rmtree(proxy.data_dir / "blobs")
    wait_until(lambda: proxy.status()["recording_failure"])
    assert "the large bodies are gone" in proxy.status()["recording_failure"]["reason"]
    with pytest.raises(ClientError, match="cannot record this call"):
        s3.put_object(Bucket="bucket", Key="refused", Body=b"small")
    with pytest.raises((ClientError, HTTPClientError)):  # refused while it sends
        s3.put_object(Bucket="bucket", Key="refused", Body=bytes(1 << 20))
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["large"]


def test_log_rotation_and_compaction_under_load(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    """Both change names, all the time; a client writes through it."""
    proxy = start_proxy("--compact-min-size", "1k", "--compact-percentage", "1")
    done: list[str] = []
    ended = threading.Event()

    def write() -> None:
        ssm = parameters(proxy)
        number = 0
        while not ended.is_set():
            number += 1
            ssm.put_parameter(Name="/overwritten", Value=str(number), Type="String", Overwrite=True)
            done.extend(put(ssm, f"/kept-{number}"))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for turn in range(6):
            time.sleep(1.1)
            if proxy.journal.exists():
                proxy.journal.rename(tmp_path / f"old-{turn}")
    finally:
        ended.set()
        thread.join(30)
    wait_until(proxy.journal.exists)
    assert len(done) > 20
    assert proxy.status()["recording_failure"] is None
    assert proxy.status()["unrecorded"] == 0
    proxy.kill_all()
    proxy = proxy.again()
    assert present(proxy) == {*done, "/overwritten"}
