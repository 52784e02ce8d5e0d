"""Data of every shape that something wrote past the proxy is back after a restart as it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.test_observations import make_table, post, restart, until
from tests.support.clients import SOON, client
from tests.support.processes import Emulator, Proxy, amount, left_out

pytestmark = pytest.mark.emulator

RESTARTS = amount(1, 3)
LONG = pytest.mark.skipif(bool(left_out(0.5)), reason=str(left_out(0.5)))
SHOWN = ("Metadata", "ContentType", "ContentEncoding", "CacheControl", "ContentDisposition", "ContentLanguage")
SHOWN += ("Expires", "StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption", "ObjectLockLegalHoldStatus")
DELAY_S = 600
MIDDLE = 1 << 127


def write_objects(proxied: Any, past: Any) -> None:
    """Objects with all that belongs to them; versions, delete markers and null versions in their order."""
    proxied.create_bucket(Bucket="plain")
    for bucket in ("versions", "suspended"):
        proxied.create_bucket(Bucket=bucket)
        proxied.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    proxied.put_object(Bucket="suspended", Key="k", Body=b"version")
    proxied.put_bucket_versioning(Bucket="suspended", VersioningConfiguration={"Status": "Suspended"})
    proxied.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    past.put_object(
        Bucket="plain",
        Key="meta",
        Body=b"\x1f\x8b",
        ContentType="text/csv",
        ContentEncoding="gzip",
        ContentDisposition="attachment",
        ContentLanguage="de",
        CacheControl="no-cache",
        Metadata={"a": "b"},
        StorageClass="STANDARD_IA",
        Tagging="t=1&u=2%203",
        WebsiteRedirectLocation="/x",
        ServerSideEncryption="AES256",
    )
    past.put_object(Bucket="plain", Key="empty/", Body=b"", ChecksumAlgorithm="SHA256")
    for number in range(3):
        past.put_object(Bucket="versions", Key="k", Body=b"%d" % number)
    shown = past.list_object_versions(Bucket="versions")["Versions"]
    past.delete_object(Bucket="versions", Key="k", VersionId=shown[1]["VersionId"])
    past.delete_object(Bucket="versions", Key="k")
    past.put_object(Bucket="versions", Key="tagged", Body=b"a", Tagging="a=b")
    for text in (b"first null", b"second null"):
        past.put_object(Bucket="suspended", Key="k", Body=text)
    past.put_object(Bucket="locked", Key="k", Body=b"a", ObjectLockLegalHoldStatus="ON")


def read_objects(s3: Any) -> list[Any]:
    found: list[Any] = []
    for bucket in ("plain", "versions", "suspended", "locked"):
        listed = s3.list_object_versions(Bucket=bucket)
        found += sorted((each["Key"], each["VersionId"], each["IsLatest"]) for each in listed.get("DeleteMarkers", []))
        for each in listed["Versions"]:
            version = {} if each["VersionId"] == "null" else {"VersionId": each["VersionId"]}
            shown = s3.get_object(Bucket=bucket, Key=each["Key"], **version)
            told = {name: shown[name] for name in SHOWN if name in shown}
            try:
                tags = s3.get_object_tagging(Bucket=bucket, Key=each["Key"], **version)["TagSet"]
            except ClientError:
                tags = []  # MiniStack does not know tags of what lies below a delete marker
            found.append((bucket, each["Key"], each["VersionId"], each["IsLatest"], shown["Body"].read(), told, tags))
    return found


def write_others(proxied: Callable[[str], Any], past: Callable[[str], Any]) -> None:
    """Items, messages, records, parameters and secrets."""
    for table in ("rows", "ranged"):
        make_table(proxied("dynamodb"), table)
    past("dynamodb").put_item(TableName="rows", Item={"id": {"S": "large"}, "text": {"S": "\u00e9" * 190_000}})
    kinds = {
        "b": {"B": b"\x00\xff"},
        "bs": {"BS": [b"\x01"]},
        "ns": {"NS": ["1", "2.5"]},
        "s": {"S": ""},
        "l": {"L": []},
    }
    past("dynamodb").put_item(TableName="rows", Item={"id": {"S": "kinds"}, **kinds, "no": {"BOOL": False}})
    for client_of, name in ((proxied, "by PartiQL"), (past, "by PartiQL past the proxy")):
        client_of("dynamodb").execute_statement(Statement=f"INSERT INTO \"rows\" VALUE {{'id': '{name}', 'n': 1}}")
    past("dynamodb").transact_write_items(
        TransactItems=[{"Put": {"TableName": "ranged", "Item": {"id": {"S": "together"}}}}]
    )
    sqs = past("sqs")
    for name, attributes in (("plain", {}), ("ordered.fifo", {"FifoQueue": "true"}), ("delayed", {})):
        proxied("sqs").create_queue(QueueName=name, Attributes=attributes)
    plain = sqs.get_queue_url(QueueName="plain")["QueueUrl"]
    attributes = {
        "s": {"DataType": "String", "StringValue": "v"},
        "n": {"DataType": "Number.int", "StringValue": "7"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    }
    sqs.send_message(QueueUrl=plain, MessageBody="\u00fc<&>", MessageAttributes=attributes)
    sqs.send_message(QueueUrl=plain, MessageBody="y" * 200_000)
    ordered = sqs.get_queue_url(QueueName="ordered.fifo")["QueueUrl"]
    for number in range(4):
        sqs.send_message(
            QueueUrl=ordered,
            MessageBody=f"{number}",
            MessageGroupId=f"{number % 2}",
            MessageDeduplicationId=f"{number}",
        )
    delayed = proxied("sqs").get_queue_url(QueueName="delayed")["QueueUrl"]
    proxied("sqs").send_message(QueueUrl=delayed, MessageBody="hidden", DelaySeconds=DELAY_S)
    proxied("sqs").send_message(QueueUrl=delayed, MessageBody="hidden for a moment", DelaySeconds=1)
    streams = proxied("kinesis")
    streams.create_stream(StreamName="flow", ShardCount=2)
    streams.get_waiter("stream_exists").wait(StreamName="flow", WaiterConfig=SOON)
    past("ssm").put_parameter(Name="/app/a", Value="1", Type="String", Description="first")
    past("ssm").put_parameter(Name="/app/a", Value="2", Type="String", Description="second", Overwrite=True)
    past("ssm").put_parameter(Name="/app/b", Value="s", Type="SecureString", Tier="Advanced")
    proxied("secretsmanager").create_secret(Name="made", SecretBinary=b"\x00")
    past("secretsmanager").put_secret_value(SecretId="made", SecretBinary=b"\x01\xff")
    past("secretsmanager").create_secret(Name="made past the proxy", SecretString="n", Description="d")


def received(sqs: Any, name: str) -> list[Any]:
    """The messages that a queue hands out, which stay there."""
    url, found = sqs.get_queue_url(QueueName=name)["QueueUrl"], []
    asked: dict[str, Any] = {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 30}
    while messages := sqs.receive_message(**asked, AttributeNames=["All"], MessageAttributeNames=["All"]).get(
        "Messages"
    ):
        found += messages
    for each in found:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"], VisibilityTimeout=0)
    named = ("MessageGroupId", "MessageDeduplicationId")
    return sorted(
        (
            each["MessageId"],
            each["Body"],
            repr(each.get("MessageAttributes")),
            [each["Attributes"].get(x) for x in named],
        )
        for each in found
    )


def read_others(proxied: Callable[[str], Any]) -> dict[str, Any]:
    sqs, ssm, secrets, streams = (proxied(each) for each in ("sqs", "ssm", "secretsmanager", "kinesis"))
    delayed = sqs.get_queue_url(QueueName="delayed")["QueueUrl"]
    counts = sqs.get_queue_attributes(QueueUrl=delayed, AttributeNames=["All"])["Attributes"]
    found: dict[str, Any] = {
        "items": sorted(repr(sorted(each.items())) for each in proxied("dynamodb").scan(TableName="rows")["Items"]),
        "ranged": proxied("dynamodb").scan(TableName="ranged")["Items"],
        "messages": [received(sqs, name) for name in ("plain", "ordered.fifo", "delayed")],
        "hidden": counts["ApproximateNumberOfMessagesDelayed"],
        "parameters": sorted(
            (each["Name"], each["Version"], each.get("Description"), each["Tier"])
            for each in ssm.describe_parameters()["Parameters"]
        ),
        "history": [
            (each["Version"], each["Value"]) for each in ssm.get_parameter_history(Name="/app/a")["Parameters"]
        ],
        "secrets": [secrets.get_secret_value(SecretId="made")["SecretBinary"]],
    }
    shown = secrets.describe_secret(SecretId="made past the proxy")
    found["secrets"] += [shown["Description"], secrets.get_secret_value(SecretId=shown["Name"])["SecretString"]]
    for shard in streams.list_shards(StreamName="flow")["Shards"]:
        begin = streams.get_shard_iterator(
            StreamName="flow", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = streams.get_records(ShardIterator=begin)["Records"]
        found[shard["ShardId"]] = sorted((each["Data"], each["PartitionKey"]) for each in records)
    return found


@pytest.mark.parametrize("name", [pytest.param("moto", marks=LONG), "ministack"])
def test_data_of_every_shape(
    name: str, start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> None:
    emulator = start_emulator(name)
    proxy = start_proxy("--upstream", emulator.url)

    def proxied(service: str) -> Any:
        return client(service, proxy.url)

    def past(service: str) -> Any:
        return client(service, emulator.url)

    write_objects(proxied("s3"), past("s3"))
    write_others(proxied, past)
    for data, key in ((b"low", "0"), (b"high", str(2 * MIDDLE - 1))) if name == "ministack" else ():  # moto answers 500
        past("kinesis").put_record(StreamName="flow", PartitionKey="one", Data=data, ExplicitHashKey=key)
    if name == "ministack":  # moto cannot show messages that are delayed
        delayed = past("sqs").get_queue_url(QueueName="delayed")["QueueUrl"]
        past("sqs").send_message(QueueUrl=delayed, MessageBody="hidden past the proxy", DelaySeconds=DELAY_S)
    time.sleep(1.0)  # until the short delay is over

    def seen() -> Any:
        return read_objects(proxied("s3")), read_others(proxied)

    post(proxy, "/_replay/observe")
    before = seen()
    assert before[1]["hidden"] == ("2" if name == "ministack" else "1")
    for _ in range(RESTARTS):
        assert restart(emulator, proxy, seen) == before
        restored = proxy.status()["last_restore"]
        assert (restored["problems"], restored["lost"]) == ([], 0)
        post(proxy, "/_replay/observe")


def test_a_read_that_showed_an_effect_before_it_was_recorded_is_no_loss(
    start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> None:
    emulator = start_emulator("ministack")
    proxy = start_proxy("--upstream", emulator.url)
    s3, past = client("s3", proxy.url), client("s3", emulator.url)
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    past.put_object(Bucket="versions", Key="k", Body=b"1")
    before = [each["VersionId"] for each in s3.list_object_versions(Bucket="versions")["Versions"]]
    until(lambda: proxy.records("witness"), bool)
    post(proxy, "/_replay/observe")

    def seen() -> list[str]:
        return [each["VersionId"] for each in s3.list_object_versions(Bucket="versions")["Versions"]]

    assert restart(emulator, proxy, seen) == before
    restored = proxy.status()["last_restore"]
    assert (restored["problems"], restored["findings"], restored["lost"]) == ([], [], 0)


@LONG
def test_a_listing_of_many_pages(start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]) -> None:
    """What is on a later page is not taken for deleted."""
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url)
    s3, past = client("s3", proxy.url), client("s3", emulator.url)
    s3.create_bucket(Bucket="many")
    for number in range(1100):
        s3.put_object(Bucket="many", Key=f"{number:05}", Body=b"x")
    for number in range(1100, 1150):
        past.put_object(Bucket="many", Key=f"{number:05}", Body=b"x")
    post(proxy, "/_replay/observe")
    assert {each["operation"] for each in proxy.records("observation")} == {"PutObject"}

    def seen() -> int:
        return sum(len(page["Contents"]) for page in s3.get_paginator("list_objects_v2").paginate(Bucket="many"))

    assert seen() == restart(emulator, proxy, seen) == 1150
