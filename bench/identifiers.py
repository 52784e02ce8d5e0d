"""What aliases cost on the path of a request: one exchange (a request and its answer of about 1 KB each), in both directions."""

from __future__ import annotations

import json
import random
import time
import timeit
from collections.abc import Callable

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.aliases import AliasTable, Scope
from replay_proxy.identifiers.endpoints import Endpoints
from replay_proxy.identifiers.rewrite import answer_to_client, request_to_emulator

EAST = Scope("", "us-east-1")


def table_of(size: int) -> AliasTable:
    """A table of that many pairs, of the kinds that a real one has."""
    table, noise = AliasTable(), random.Random(1)
    makers: list[Callable[[], str]] = [
        lambda: f"vpc-{noise.getrandbits(68):017x}",
        lambda: f"{noise.getrandbits(32):08x}-{noise.getrandbits(16):04x}-4000-8000-{noise.getrandbits(48):012x}",
        lambda: "".join(noise.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=10)),
        lambda: "".join(noise.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/", k=40)) + "1==",
    ]
    for index in range(size):
        make = makers[index % 40 % len(makers)] if index % 40 else makers[-1]
        table.add(make(), make(), scope=EAST)
    return table


def exchange(known: list[str]) -> tuple[Request, Answer, CallHead]:
    """A JSON call of about 1 KB each way that names `known`."""
    items = [{"Id": f"{i:08x}-1111-4222-8333-abcdefabcdef", "Name": f"a resource called {i}"} for i in range(8)]
    document = {
        "Resources": items,
        "Ids": known,
        "Policy": json.dumps({"Statement": [{"Action": ["a:B"], "Effect": "Allow"}]}),
    }
    body = json.dumps(document).encode()
    headers = Headers(
        [
            ("Host", "localhost:4566"),
            ("Accept-Encoding", "identity"),
            ("X-Amz-Target", "AmazonSSM.PutParameter"),
            ("Content-Type", "application/x-amz-json-1.1"),
            ("User-Agent", "Boto3/1.40 md/Botocore#1.40 ua/2.1 os/linux#6 md/arch#x86_64 lang/python#3.11"),
            ("X-Amz-Date", "20260101T000000Z"),
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ssm/aws4_request, Signature=" + "a" * 64,
            ),
            ("Content-Length", str(len(body))),
        ]
    )
    reply = Headers(
        [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("x-amzn-RequestId", "b" * 32),
            ("Content-Length", str(len(body))),
        ]
    )
    return (
        Request("POST", "/", headers, body),
        Answer(200, reply, body),
        CallHead("ssm", "PutParameter", "json", region="us-east-1"),
    )


def cost(table: AliasTable, known: int, endpoints: Endpoints | None = None) -> float:
    """Microseconds for one exchange that names `known` of the table's identifiers in each direction."""
    aliases = [alias for _, alias in zip(range(known), table, strict=False)]
    request, _, head = exchange([alias.client for alias in aliases])
    _, answer, _ = exchange([alias.emulator for alias in aliases])

    def once() -> None:
        request_to_emulator(request, head, table, endpoints)
        answer_to_client(answer, head, request, table, endpoints)

    once()
    return min(timeit.repeat(once, number=300, repeat=15, timer=time.process_time)) / 300 * 1e6
