"""What aliases cost on the path of a request: a table of 10,000 pairs against an empty one.

    python bench/identifiers.py [--json]

Prints microseconds for one exchange (a request and its answer of about 1 KB each, through both directions), as the best
of several rounds, of processor time. The promise is 50 µs more than without aliases, whether the exchange names none of
them or six.
"""

from __future__ import annotations

import argparse
import json
import random
import time
import timeit
from collections.abc import Callable

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.table.alias_table import AliasTable, Scope

PROMISE = 50.0
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


def once(table: AliasTable, known: int, endpoints: Endpoints | None = None) -> Callable[[], None]:
    """One exchange that names `known` of the table's identifiers in each direction, to be timed."""
    aliases = [alias for _, alias in zip(range(known), table, strict=False)]
    request, _, head = exchange([alias.client for alias in aliases])
    _, answer, _ = exchange([alias.emulator for alias in aliases])

    def both_ways() -> None:
        request_to_emulator(request, head, table, endpoints)
        answer_to_client(answer, head, request, table, endpoints)

    both_ways()
    return both_ways


NONE_NAMED, SIX_NAMED = "10,000 aliases, none named,", "10,000 aliases, 6 named,"
BARS = (NONE_NAMED, SIX_NAMED)


def costs(rounds: int) -> dict[str, list[float]]:
    """Microseconds of processor time for an exchange, in turns; of each round the best of several goes."""
    full = table_of(10_000)
    variants = {
        "no aliases": once(table_of(0), 0),
        "100 aliases, none named": once(table_of(100), 0),
        NONE_NAMED: once(full, 0),
        "10,000 aliases, 1 named": once(full, 1),
        SIX_NAMED: once(full, 6),
        "10,000 aliases, none named, with endpoints": once(full, 0, Endpoints("http://127.0.0.1:40123")),
    }
    out: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, function in variants.items():
            best = min(timeit.repeat(function, number=50, repeat=10, timer=time.process_time))
            out[name].append(best / 50 * 1e6)
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    arguments = parser.parse_args()
    numbers = {name: min(runs) for name, runs in costs(5).items()}
    if arguments.json:
        print(json.dumps(numbers))
    else:
        for name, value in numbers.items():
            print(f"{name:45} {value:7.1f} µs")
    return 0 if all(numbers[name] - numbers["no aliases"] <= PROMISE for name in BARS) else 1


if __name__ == "__main__":
    raise SystemExit(main())
