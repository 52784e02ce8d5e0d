"""What is recorded, and what is restored, by service and by kind; and recordings that are only read."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, replay_proxy

pytestmark = pytest.mark.emulator


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*replay_proxy(), *map(str, words)], capture_output=True, text=True, check=False, timeout=120)


def record(url: str) -> None:
    """Infrastructure and data of two services."""
    s3, sqs = client("s3", url), client("sqs", url)
    s3.create_bucket(Bucket="archive")
    s3.put_object(Bucket="archive", Key="k", Body=b"x")
    sqs.send_message(QueueUrl=sqs.create_queue(QueueName="work")["QueueUrl"], MessageBody="m")


def snapshot(directory: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in directory.rglob("*")}


@pytest.mark.parametrize(
    ("options", "operations", "counted"),
    [
        (("--record-services", "sqs"), ["sqs:CreateQueue", "sqs:SendMessage"], {"s3": 2}),
        (("--record-services", "all,-sqs"), ["s3:CreateBucket", "s3:PutObject"], {"sqs": 2}),
        (("--record-services=-sqs", "--record-kinds=-data"), ["s3:CreateBucket"], {"s3": 1, "sqs": 2}),
        (("--record-kinds", "infrastructure"), ["s3:CreateBucket", "sqs:CreateQueue"], {"s3": 1, "sqs": 1}),
    ],
)
def test_what_is_switched_off_is_not_recorded_and_counted(
    start_proxy: Callable[..., Proxy], options: tuple[str, ...], operations: list[str], counted: dict[str, int]
) -> None:
    proxy = start_proxy(*options)
    record(proxy.url)
    assert proxy.operations() == operations
    requests = proxy.status()["requests"]
    assert requests["switched_off_by_service"] == counted
    assert requests["switched_off"] == sum(counted.values())
    assert client("s3", proxy.url).get_object(Bucket="archive", Key="k")["Body"].read() == b"x"


def test_what_is_switched_off_is_not_restored_and_stays_in_the_recording(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    proxy = start_proxy()
    record(proxy.url)
    proxy.stop()
    emulator = start_emulator("moto")
    wanted = ("--data-dir", proxy.data_dir, "--restore-services", "all,-sqs")
    planned = json.loads(run("plan", *wanted, "--json").stdout)
    assert (planned["replay"], planned["leave_out"], planned["switched_off"]) == (2, 0, 2)
    assert {call["reason"] for call in planned["calls"] if call["action"] == "leave out"} == {
        "switched off: sqs is not among --restore-services"
    }
    done = run("restore", "--upstream", emulator.url, *wanted, "--json")
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["restored"], json.loads(done.stdout)["switched_off"]) == (2, 2)
    assert "switched_off=2" in done.stderr
    assert "QueueUrls" not in client("sqs", emulator.url).list_queues()
    proxy = start_proxy("--restore-kinds", "infrastructure", data_dir=proxy.data_dir)
    assert proxy.status()["last_restore"]["switched_off"] == 2
    assert "Contents" not in client("s3", proxy.url).list_objects_v2(Bucket="archive")
    proxy.stop()
    proxy = start_proxy(data_dir=proxy.data_dir)
    assert proxy.status()["last_restore"]["restored"] == 4


def test_a_compaction_keeps_what_is_not_restored(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    record(proxy.url)
    client("s3", proxy.url).put_object(Bucket="archive", Key="k", Body=b"overwritten")
    proxy.stop()
    assert run("compact", "--data-dir", proxy.data_dir).returncode == 0
    planned = json.loads(
        run("plan", "--data-dir", proxy.data_dir, "--restore-kinds", "infrastructure", "--json").stdout
    )
    assert (planned["replay"], planned["switched_off"]) == (2, 2)


def test_read_only_writes_nothing_and_can_be_shared(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    record(proxy.url)
    proxy.stop()
    before = snapshot(proxy.data_dir)
    first = start_proxy("--read-only", data_dir=proxy.data_dir)
    second = start_proxy("--read-only", "1", data_dir=proxy.data_dir)
    for each in (first, second):
        assert each.status()["read_only"]
        assert each.status()["last_restore"]["restored"] == 4
        sqs = client("sqs", each.url)
        url = sqs.create_queue(QueueName="forgotten")["QueueUrl"]
        assert each.status()["requests"]["switched_off"] == 1
        sqs.send_message(QueueUrl=url, MessageBody="held")
        assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(
                urllib.request.Request(each.url + "/_localstack/state/save", method="POST"), timeout=20
            )
        assert refused.value.code == 409
    first.kill_all()
    first = first.again()
    assert len(client("sqs", first.url).list_queues()["QueueUrls"]) == 1
    first.stop()
    second.stop()
    assert snapshot(proxy.data_dir) == before


def test_a_read_only_proxy_that_is_restarted_alone_restores_nothing_twice(
    start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    proxy = start_proxy()
    vpc = client("ec2", proxy.url).create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    proxy.stop()
    before = snapshot(proxy.data_dir)
    emulator = Emulator("moto", tmp_path)
    try:

        def vpcs(of: Proxy) -> list[str]:
            return [each["VpcId"] for each in client("ec2", of.url).describe_vpcs()["Vpcs"] if not each["IsDefault"]]

        def read(state: Path) -> Proxy:
            options = ("--read-only", "--upstream", emulator.url)
            return start_proxy(*options, data_dir=proxy.data_dir, environment={"XDG_STATE_HOME": str(state)})

        reader = read(tmp_path / "state")
        assert vpcs(reader) == [vpc]
        reader.kill()
        reader = reader.again()
        assert vpcs(reader) == [vpc]
        assert "nothing to restore" in reader.log
        # It is of this emulator: of an empty one, nothing is known.
        reader.kill()
        emulator.restart()
        reader = reader.again()
        assert vpcs(reader) == [vpc]
        assert "Restored 1 API calls" in reader.log
        reader.kill()
        # Where it cannot be kept, it goes on, and says what follows from that.
        emulator.restart()
        reader = read(Path("/dev/null"))
        assert vpcs(reader) == [vpc]
        assert "cannot save the aliases" in reader.log
        assert "XDG_STATE_HOME" in reader.log
        assert snapshot(proxy.data_dir) == before
    finally:
        emulator.end()


def test_names_that_do_not_exist_are_told_before_anything_starts(tmp_path: Path) -> None:
    for option, told, hint in (
        ("--record-services=sqss", "'sqss' is not a service that botocore knows", "did you mean sqs?"),
        ("--restore-kinds=date", "'date' is not a kind of calls", "did you mean data?"),
        ("--record-kinds=data,,", "is not a list of names", "write names with commas between"),
    ):
        done = run("serve", "--data-dir", tmp_path / "recordings", option)
        assert done.returncode == 2
        assert told in done.stderr
        assert hint in done.stderr
    assert not (tmp_path / "recordings").exists()
    missing = run("serve", "--read-only", "--data-dir", tmp_path / "recordings")
    assert missing.returncode == 4
    assert "there is no recording" in missing.stderr
