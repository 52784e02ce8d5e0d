"""`replay-proxy restore`: once, into a running emulator."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, replay_proxy

pytestmark = pytest.mark.emulator


def restore(emulator: Emulator, data_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [*replay_proxy(), "restore", "--upstream", emulator.url, "--data-dir", str(data_dir), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_recording_is_restored_once(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    proxy = start_proxy()
    client("sqs", proxy.url).create_queue(QueueName="orders")
    client("ec2", proxy.url).create_vpc(CidrBlock="10.0.0.0/16")
    proxy.stop()
    emulator = start_emulator("moto")
    done = restore(emulator, proxy.data_dir, "--json")
    assert done.returncode == 0, done.stderr
    assert f"Restored 2 API calls from persistent file: {proxy.journal}" in done.stderr
    assert "wired" not in done.stderr, "nobody has asked for it"
    assert json.loads(done.stdout)["restored"] == 2
    assert len(client("sqs", emulator.url).list_queues()["QueueUrls"]) == 1
    again = restore(emulator, proxy.data_dir)
    assert (again.returncode, "nothing to restore" in again.stderr) == (0, True), again.stderr
    vpcs = client("ec2", emulator.url).describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.0.0.0/16"]}])["Vpcs"]
    assert len(vpcs) == 1


def test_calls_that_had_no_equivalent_outcome_are_named_and_make_exit_code_3(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    proxy = start_proxy()
    sqs = client("sqs", proxy.url)
    queue = sqs.create_queue(QueueName="gone")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "1"})
    proxy.stop()
    lines = proxy.journal.read_text().splitlines(keepends=True)
    proxy.journal.write_text("".join(line for line in lines if '"CreateQueue"' not in line))
    done = restore(start_emulator("moto"), proxy.data_dir)
    assert done.returncode == 3
    assert "not restored: sqs:SetQueueAttributes" in done.stderr
    assert "error: 1 of 1 recorded call had" in done.stderr
    assert "hint: " in done.stderr


def test_an_interrupted_restore_is_not_repeated_on_top(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="archive")
    for number in range(300):
        s3.put_object(Bucket="archive", Key=str(number), Body=b"")
    proxy.stop()
    emulator = start_emulator("moto")
    command = [*replay_proxy(), "restore", "--upstream", emulator.url, "--data-dir", str(proxy.data_dir)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        direct = client("s3", emulator.url)
        while not direct.list_buckets()["Buckets"]:
            pass
        running.kill()
    done = restore(emulator, proxy.data_dir)
    assert done.returncode == 6
    assert "an earlier restore was interrupted" in done.stderr
    emulator.restart()
    assert restore(emulator, proxy.data_dir).returncode == 0


def test_it_checks_the_wiring_and_smoke_tests_at_its_end_where_it_is_told_to(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], tmp_path: Path
) -> None:
    proxy = start_proxy()
    vpc = client("ec2", proxy.url).create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    client("ec2", proxy.url).create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")
    proxy.stop()
    emulator = start_emulator("moto")
    kept, checks = tmp_path / "doctor.json", tmp_path / "smoke.yaml"
    checks.write_text(
        "checks:\n"
        f"  - {{name: the network, aws: ec2 describe-vpcs --vpc-ids {vpc}, expect: {{query: 'Vpcs[0].VpcId', is: {vpc}}}}}\n"
        "  - {name: the page, http: {path: /moto-api/data.json}}\n"
    )
    done = restore(emulator, proxy.data_dir, "--doctor-report", str(kept), "--smoke", str(checks))
    assert done.returncode == 0, done.stderr
    assert "2 of 2 resources there, wired 1 of 1 link; nothing is wrong" in done.stderr
    assert "2 of 2 checks passed" in done.stderr
    assert json.loads(kept.read_text())["links"] == {"checked": 1, "held": 1}
    (subnet,) = client("ec2", emulator.url).describe_subnets(
        Filters=[{"Name": "cidr-block", "Values": ["10.0.1.0/24"]}]
    )["Subnets"]
    client("ec2", emulator.url).delete_subnet(SubnetId=subnet["SubnetId"])
    checks.write_text("checks:\n  - {name: a queue, aws: sqs get-queue-url --queue-name none, within_s: 0.1}\n")
    done = restore(emulator, proxy.data_dir, "--check-wiring", "1", "--smoke", str(checks))
    assert done.returncode == 3
    assert "✗ AWS::EC2::Subnet" in done.stderr
    assert "error: 1 finding of the doctor; 1 of 1 smoke test did not pass" in done.stderr
