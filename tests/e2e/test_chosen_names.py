"""Names that clients chose hold identifiers that the emulator drew: found by their beginnings, listed in order, as before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy, left_out

pytestmark = pytest.mark.emulator

RATE = "rate(5 days)"


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_resources_whose_names_hold_identifiers_are_found_and_listed_as_before(
    start_proxy: Callable[..., Proxy], emulator: str
) -> None:
    if emulator != "moto" and (reason := left_out(0.3)):
        pytest.skip(f"the same on {emulator} {reason}")
    proxy = start_proxy("--emulator", emulator)
    ec2 = client("ec2", proxy.url)
    networks = sorted(ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in range(3))
    for network in networks:
        make(proxy, network)
    before = seen(proxy, networks)
    assert before["groups"] == [f"/vpc/{network}/flow" for network in networks]
    for turn in range(2):
        proxy.kill_all()
        proxy = proxy.again()
        restore = proxy.status()["last_restore"]
        assert (restore["problems"], restore["lost"]) == ([], 0)
        assert seen(proxy, networks) == before, turn
        # What is made later under such a name is called so, too; another use of the identifier is its own.
        logs, later = client("logs", proxy.url), f"/later/{networks[0]}/{turn}"
        logs.create_log_group(logGroupName=later)
        found = logs.describe_log_groups(logGroupNamePrefix=f"/later/{networks[0][:-4]}")["logGroups"]
        assert [each["logGroupName"] for each in found] == [later]
        logs.delete_log_group(logGroupName=later)
        [network] = client("ec2", proxy.url).describe_vpcs(VpcIds=[networks[0]])["Vpcs"]
        assert network["VpcId"] == networks[0]


def make(proxy: Proxy, network: str) -> None:
    """Make things of several services that are called by a network."""
    sqs, logs, ssm = client("sqs", proxy.url), client("logs", proxy.url), client("ssm", proxy.url)
    sqs.create_queue(QueueName=f"{network}.fifo", Attributes={"FifoQueue": "true"})
    logs.create_log_group(logGroupName=f"/vpc/{network}/flow")
    logs.create_log_stream(logGroupName=f"/vpc/{network}/flow", logStreamName=f"s/{network}")
    ssm.put_parameter(Name=f"/net/{network}/cidr", Value="1", Type="String")
    ssm.put_parameter(Name=f"/net/{network}/cidr", Value=network, Type="String", Overwrite=True)
    client("secretsmanager", proxy.url).create_secret(Name=f"db/{network}", SecretString="x")
    client("events", proxy.url).put_rule(Name=f"r.{network}", ScheduleExpression=RATE)
    client("s3", proxy.url).create_bucket(Bucket=f"flow.{network}")
    client("s3", proxy.url).put_object(Bucket=f"flow.{network}", Key="k", Body=b"1")


def seen(proxy: Proxy, networks: list[str]) -> dict[str, Any]:
    """What shows these names: lists, by beginnings with and without the whole identifier, ARNs, and reads by name."""
    sqs, logs, ssm = client("sqs", proxy.url), client("logs", proxy.url), client("ssm", proxy.url)
    s3, events, secrets = client("s3", proxy.url), client("events", proxy.url), client("secretsmanager", proxy.url)
    found: dict[str, Any] = {
        "groups": [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]],
        "queues": sqs.list_queues()["QueueUrls"],
        "buckets": [each["Name"] for each in s3.list_buckets()["Buckets"]],
        "secrets": [each["Name"] for each in secrets.list_secrets()["SecretList"]],
    }
    for network in networks:
        group = f"/vpc/{network}/flow"
        for beginning in (network[:-4], network):
            found[beginning] = [
                sqs.list_queues(QueueNamePrefix=beginning).get("QueueUrls"),
                [each["arn"] for each in logs.describe_log_groups(logGroupNamePrefix=f"/vpc/{beginning}")["logGroups"]],
                logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"s/{beginning}")["logStreams"][0][
                    "arn"
                ],
                [each["Arn"] for each in events.list_rules(NamePrefix=f"r.{beginning}")["Rules"]],
                [
                    each["Name"]
                    for each in secrets.list_secrets(Filters=[{"Key": "name", "Values": [f"db/{beginning}"]}])[
                        "SecretList"
                    ]
                ],
            ]
        parameters = ssm.get_parameters_by_path(Path=f"/net/{network}", Recursive=True)["Parameters"]
        found[group] = [
            [(each["Name"], each["ARN"], each["Value"]) for each in parameters],
            sqs.get_queue_url(QueueName=f"{network}.fifo")["QueueUrl"],
            events.describe_rule(Name=f"r.{network}")["Arn"],
            secrets.describe_secret(SecretId=f"db/{network}")["ARN"],
            s3.get_object(Bucket=f"flow.{network}", Key="k")["Body"].read(),
        ]
    return found
