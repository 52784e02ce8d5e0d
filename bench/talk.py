"""A fast upstream for small calls and large answers, and a client for it: what they say is made up, and never twice the same.

python -m bench.talk PORT
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import sys
import uuid
from collections.abc import Callable, Iterable

Call = tuple[str, str, bytes, dict[str, str]]
"""Method, target, body, and header fields."""

LARGE_MESSAGES = 10
LARGE_MESSAGE_BYTES = 250_000
WORDS = 3500
"""Of 16 characters, in a message of some 60 KB."""


def _answer(head: bytes, body: bytes) -> tuple[int, dict[str, object]]:
    """Status and result of a call."""
    if b".ReceiveMessage" in head:
        messages = [
            {
                "MessageId": str(uuid.uuid4()),
                "ReceiptHandle": uuid.uuid4().hex * 3,
                "MD5OfBody": "0" * 32,
                "Body": "m" * LARGE_MESSAGE_BYTES,
            }
            for _ in range(LARGE_MESSAGES)
        ]
        return 200, {"Messages": messages}
    if b".SendMessage" in head:
        return 200, {"MessageId": str(uuid.uuid4())}
    if b".GetParameter" in head:
        return 400, {"__type": "ParameterNotFound"}
    if b".GetItem" in head:
        key = json.loads(body)["Key"]["id"]
        return 200, {"Item": {"id": key, "orderId": {"S": str(uuid.uuid4())}}}
    if b".DescribeKey" in head:
        key_id = str(uuid.uuid4())
        return 200, {"KeyMetadata": {"KeyId": key_id, "Arn": f"arn:aws:kms:us-east-1:123456789012:key/{key_id}"}}
    return 200, {}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            status, result = _answer(head, await reader.readexactly(length))
            body = json.dumps(result).encode()
            writer.write(
                b"HTTP/1.1 %d OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n"
                % (status, len(body))
                + body
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def json_call(target: str, parameters: dict[str, object], **fields: str) -> Call:
    """A call in JSON; `target` is `PREFIX.OPERATION`."""
    return "POST", "/", json.dumps(parameters).encode(), {"X-Amz-Target": target, **_signed(), **fields}


def _signed(key: str = "test", region: str = "us-east-1", service: str = "sqs") -> dict[str, str]:
    scope = f"Credential={key}/20260101/{region}/{service}/aws4_request"
    return {
        "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/x-amz-json-1.0",
    }


QUEUE = "http://localhost/123456789012/q"


def receives(count: int) -> Iterable[Call]:
    """Of answers of 2.5 MB."""
    return (json_call("AmazonSQS.ReceiveMessage", {"QueueUrl": QUEUE}) for _ in range(count))


def words(count: int) -> Iterable[Call]:
    """Messages of words that never come again."""
    drawn = random.Random(1)
    for _ in range(count):
        text = " ".join(f"{drawn.getrandbits(64):016x}" for _ in range(WORDS))
        yield json_call("AmazonSQS.SendMessage", {"QueueUrl": QUEUE, "MessageBody": text})


def small(count: int) -> Iterable[Call]:
    """Puts of items, and reads of them; now and then a read that shows a new identifier."""
    for number in range(count // 2):
        key = {"id": {"S": f"item-{number:09}"}}
        yield json_call("DynamoDB_20120810.PutItem", {"TableName": "t", "Item": {**key, "v": {"S": str(uuid.uuid4())}}})
        if number % 100:
            yield json_call("DynamoDB_20120810.GetItem", {"TableName": "t", "Key": key})
        else:
            yield json_call("TrentService.DescribeKey", {"KeyId": f"alias/{number}"})


def made_up(count: int) -> Iterable[Call]:
    """Services, regions, access keys, hosts and fields that there are only once."""
    for number in range(count):
        odd = uuid.uuid4().hex * 20
        signed = _signed(f"{odd}{number}", f"{odd}-{number}", f"service{number}")
        fields = {f"X-{number}-{each}-{odd[:40]}": odd for each in range(8)}
        yield (
            "POST",
            f"/{number}",
            b"{}",
            {"Host": f"{odd}.{number}.example", **signed, "X-Amz-Target": f"Made{odd}.Up{number}", **fields},
        )
        yield json_call("DynamoDB_20120810.GetItem", {"Key": {"id": {"S": str(number)}}, odd: odd}, **fields)


def talk(port: int, calls: Iterable[Call], watch: Callable[[], None] = lambda: None) -> int:
    """Make calls one after the other, over one connection; how many. watch: called now and then."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    count = 0
    for count, (method, target, body, fields) in enumerate(calls, 1):
        connection.request(method, target, body, fields)
        connection.getresponse().read()
        if not count % 256:
            watch()
    connection.close()
    return count


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.start_server(_serve, "127.0.0.1", int(sys.argv[1]), limit=1 << 20)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
