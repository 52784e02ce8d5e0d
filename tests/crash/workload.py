"""Real boto3 clients that write, each to things of its own, until they are told to stop or get an error."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.crash.ledger import Ledger
from tests.support.clients import client

BUCKET, QUEUE, TABLE = "bucket", "queue", "table"
LARGE = 300 << 10
PART = 5 << 20
_NOISE = random.Random(5).randbytes(PART + LARGE)


def prepare(url: str) -> None:
    """What the clients write to."""
    client("s3", url).create_bucket(Bucket=BUCKET)
    client("sqs", url).create_queue(QueueName=QUEUE)
    client("dynamodb", url).create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def run(
    url: str, turn: int, ledger: Ledger, stop: threading.Event, clients: Callable[..., Any] | None = None
) -> list[threading.Thread]:
    """Start the clients; they end when `stop` is set, or with the first error they get."""
    threads = []
    for worker in (_small_objects, _large_objects, _messages, _items, _counter):

        def work(worker: Callable[..., None] = worker) -> None:
            def make(service: str) -> Any:
                settings: dict[str, Any] = {"retries": {"max_attempts": 0}, "connect_timeout": 5, "read_timeout": 60}
                return client(service, url, **settings) if clients is None else clients(service, **settings)

            try:
                worker(make, turn, ledger, stop)
            except (ClientError, BotoCoreError):
                return

        threads.append(threading.Thread(target=work))
        threads[-1].start()
    return threads


def found(url: str) -> dict[str, str]:
    """Everything that is there, as the ledger names it."""
    out: dict[str, str] = {}
    s3, sqs, dynamodb = (client(service, url, read_timeout=60) for service in ("s3", "sqs", "dynamodb"))
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        out |= {f"s3 {each['Key']}": each["ETag"] for each in page.get("Contents", [])}
    for page in dynamodb.get_paginator("scan").paginate(TableName=TABLE):
        out |= {f"dynamodb {item['k']['S']}": item["v"]["N"] for item in page["Items"]}
    queue = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=900).get(
        "Messages"
    ):
        out |= {f"sqs {each['Body']}": "sent" for each in messages}
    return out


def read_back(url: str, things: dict[str, str], count: int, seed: int) -> list[str]:
    """Read the content of some objects, whole; what is wrong, a line each."""
    s3 = client("s3", url, read_timeout=60)
    objects = sorted(thing for thing in things if thing.startswith("s3 "))
    out = []
    for thing in random.Random(seed).sample(objects, min(count, len(objects))):
        key = thing.removeprefix("s3 ")
        body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        if body != _content(key):
            out.append(f"{thing}: {len(body)} bytes that are not its content")
    return out


def _content(key: str) -> bytes:
    name = key.encode()
    if key.startswith("multipart"):
        return _NOISE[:PART] + name
    return name + _NOISE[:LARGE] if key.startswith("large") else name * 20


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


def _small_objects(make: Any, turn: int, ledger: Ledger, stop: threading.Event) -> None:
    s3, number = make("s3"), 0
    while not stop.is_set():
        key = f"small-{turn}-{number}"
        with ledger.write(f"s3 {key}", _etag(_content(key))):
            s3.put_object(Bucket=BUCKET, Key=key, Body=_content(key))
        if number % 3 == 2:
            gone = f"small-{turn}-{number - 1}"
            with ledger.write(f"s3 {gone}", ""):
                s3.delete_object(Bucket=BUCKET, Key=gone)
        number += 1


def _large_objects(make: Any, turn: int, ledger: Ledger, stop: threading.Event) -> None:
    s3, number = make("s3"), 0
    while not stop.is_set():
        key = f"large-{turn}-{number}"
        with ledger.write(f"s3 {key}", _etag(_content(key))):
            s3.put_object(Bucket=BUCKET, Key=key, Body=_content(key))
        if number % 4 == 0:
            _multipart(s3, f"multipart-{turn}-{number}", ledger)
        number += 1


def _multipart(s3: Any, key: str, ledger: Ledger) -> None:
    parts = [_content(key)[:PART], _content(key)[PART:]]
    digests = [hashlib.md5(part).digest() for part in parts]
    etag = f'"{hashlib.md5(b"".join(digests)).hexdigest()}-2"'
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    done = []
    for number, part in enumerate(parts, 1):
        answer = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=part)
        done.append({"PartNumber": number, "ETag": answer["ETag"]})
    with ledger.write(f"s3 {key}", etag):
        s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": done})


def _messages(make: Any, turn: int, ledger: Ledger, stop: threading.Event) -> None:
    sqs, number = make("sqs"), 0
    queue = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    while not stop.is_set():
        body = f"message-{turn}-{number}"
        with ledger.write(f"sqs {body}", "sent"):
            sqs.send_message(QueueUrl=queue, MessageBody=body)
        number += 1


def _items(make: Any, turn: int, ledger: Ledger, stop: threading.Event) -> None:
    dynamodb, number = make("dynamodb"), 0
    while not stop.is_set():
        key = f"item-{turn}-{number % 7}"
        with ledger.write(f"dynamodb {key}", str(number)):
            dynamodb.put_item(TableName=TABLE, Item={"k": {"S": key}, "v": {"N": str(number)}})
        number += 1


def _counter(make: Any, turn: int, ledger: Ledger, stop: threading.Event) -> None:
    """Increments: whether one was carried out twice can be seen."""
    dynamodb, number = make("dynamodb"), 0
    while not stop.is_set():
        number += 1
        with ledger.write(f"dynamodb counter-{turn}", str(number)):
            dynamodb.update_item(
                TableName=TABLE,
                Key={"k": {"S": f"counter-{turn}"}},
                UpdateExpression="ADD v :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )
