"""SIGKILL of proxy and emulator at random moments, under clients whose calls have effects, and a consumer past the proxy.

No acknowledged call is lost, no effect but those of the last interval, and nothing happens twice. `EFFECT_KILLS=30` kills so
often, in one history; `EFFECT_SEED=2` draws another one. The numbers are printed (`pytest -s`).
"""

from __future__ import annotations

import io
import os
import random
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.e2e.test_observations import CODE, make_table, with_delivery, with_notification
from tests.support.clients import SOON, client
from tests.support.processes import Emulator, Proxy, left_out

pytestmark = pytest.mark.emulator

KILLS = int(os.environ.get("EFFECT_KILLS", "6"))
SEED = int(os.environ.get("EFFECT_SEED", "1"))
INTERVAL_S = 1.0
ALLOWED_S = {"told": 2 * INTERVAL_S + 4.0, "noted": 2 * INTERVAL_S + 4.0, "put": 2 * INTERVAL_S + 8.0}
"""How old an effect may be that a kill loses, by the call that it came of: a round of looks takes a while, a function, too."""
QUEUES = {"told": "orders", "noted": "notified", "sent": "others"}


@dataclass
class Ledger:
    """What was acknowledged, by kind and name, each with when; what a consumer has deleted past the proxy, too."""

    done: dict[str, dict[str, float]] = field(
        default_factory=lambda: {each: {} for each in ("told", "noted", "sent", "put")}
    )
    consumed: dict[str, float] = field(default_factory=dict)
    consuming: set[str] = field(default_factory=set)
    calls: int = 0


class Workload:
    """Clients, each with a thread of its own, until they are told to end."""

    def __init__(self, proxy: Proxy, emulator: Emulator, topic: str, ledger: Ledger, chance: random.Random) -> None:
        self.proxy, self.emulator, self.topic, self.ledger, self.chance = proxy, emulator, topic, ledger, chance
        self.over = threading.Event()
        names = ("told", "noted", "sent", "put")
        self.threads = [threading.Thread(target=self._write, args=(each, chance.random())) for each in names]
        self.threads.append(threading.Thread(target=self._consume))
        for each in self.threads:
            each.start()

    def end(self) -> None:
        self.over.set()
        for each in self.threads:
            each.join()

    def _write(self, kind: str, seed: float) -> None:
        chance, ledger = random.Random(seed), self.ledger
        sns, s3, sqs, dynamodb = (client(each, self.proxy.url) for each in ("sns", "s3", "sqs", "dynamodb"))
        with suppress(ClientError, BotoCoreError):
            others = sqs.get_queue_url(QueueName=QUEUES["sent"])["QueueUrl"]
            while not self.over.is_set():
                name = f"{kind}-{time.time_ns()}"
                match kind:
                    case "told":
                        sns.publish(TopicArn=self.topic, Message=name)
                    case "noted":
                        s3.put_object(Bucket="noted", Key=name, Body=b"x")
                    case "sent":
                        sqs.send_message(QueueUrl=others, MessageBody=name)
                    case _:
                        dynamodb.put_item(TableName="source", Item={"id": {"S": name}})
                ledger.done[kind][name] = time.monotonic()
                ledger.calls += 1
                time.sleep(chance.uniform(0.05, 0.3))

    def _consume(self) -> None:
        sqs = client("sqs", self.emulator.url)
        with suppress(ClientError, BotoCoreError):
            url = sqs.get_queue_url(QueueName=QUEUES["told"])["QueueUrl"]
            while not self.over.wait(0.4):
                for each in sqs.receive_message(QueueUrl=url, VisibilityTimeout=1).get("Messages", []):
                    self.ledger.consuming.add(each["Body"])
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
                    self.ledger.consumed[each["Body"]] = time.monotonic()
                    self.ledger.consuming.discard(each["Body"])


def bodies(sqs: Any, name: str) -> list[str]:
    """The bodies of all messages of a queue, which stay there; what is still hidden is waited for."""
    url, found = sqs.get_queue_url(QueueName=name)["QueueUrl"], []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60).get("Messages"):
        found += messages
    for each in found:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"], VisibilityTimeout=0)
    return [each["Body"] for each in found]


def make(proxy: Proxy, emulator: Emulator) -> str:
    """A topic and a bucket that tell queues, and a table whose stream a function counts. Returns the topic."""
    dynamodb, functions, sqs, sns, events, s3 = (
        client(each, proxy.url) for each in ("dynamodb", "lambda", "sqs", "sns", "events", "s3")
    )
    _queue, topic = with_delivery(sqs, sns, events)
    with_notification(s3, sqs)
    sqs.create_queue(QueueName=QUEUES["sent"])
    for table in ("source", "counted"):
        make_table(dynamodb, table)
    specification = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    changed = dynamodb.update_table(TableName="source", StreamSpecification=specification)["TableDescription"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", CODE)
    functions.create_function(
        FunctionName="count",
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/r",
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"EMULATOR": emulator.url}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="count", WaiterConfig=SOON)
    functions.create_event_source_mapping(
        EventSourceArn=changed["LatestStreamArn"], FunctionName="count", StartingPosition="TRIM_HORIZON"
    )
    return topic


@pytest.mark.skipif(left_out(2) is not None, reason=str(left_out(2)))
def test_kills_lose_effects_of_the_last_interval_alone(
    start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> None:
    chance, ledger = random.Random(SEED), Ledger()
    emulator = start_emulator("ministack")
    proxy = start_proxy("--upstream", emulator.url, "--flush-interval", str(INTERVAL_S))
    topic = make(proxy, emulator)
    lost_count, oldest, acted = 0, dict.fromkeys(("told", "noted", "put"), 0.0), 0
    for _kill in range(KILLS):
        work = Workload(proxy, emulator, topic, ledger, chance)
        time.sleep(chance.uniform(1.0, 8.0))
        killed = time.monotonic()
        first, second = (proxy, emulator) if chance.random() < 0.5 else (emulator, proxy)
        os.kill(first.process.pid, 9)
        time.sleep(chance.choice((0.0, 0.0, 0.05)))
        os.kill(second.process.pid, 9)
        work.end()
        proxy.kill()
        emulator.restart()
        proxy = proxy.again()

        s3, sqs, dynamodb = (client(each, proxy.url) for each in ("s3", "sqs", "dynamodb"))
        sent = bodies(sqs, QUEUES["sent"])
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="noted")
        keys = {each["Key"] for page in pages for each in page.get("Contents", [])}
        rows = {each["id"]["S"] for each in dynamodb.get_paginator("scan").paginate(TableName="source").search("Items")}
        for kind, there in (("sent", sent), ("noted", keys), ("put", rows)):
            missing = ledger.done[kind].keys() - set(there)
            assert not missing, f"acknowledged and lost: {kind} {sorted(missing)[:5]}"
        assert len(sent) == len(set(sent)), "sent once, and there twice"

        counted = {each["id"]["S"]: int(each["n"]["N"]) for each in dynamodb.scan(TableName="counted")["Items"]}
        assert set(counted.values()) <= {1}, f"processed twice: {[key for key, n in counted.items() if n != 1]}"
        told = bodies(sqs, QUEUES["told"])
        assert len(told) == len(set(told)), "delivered once, and there twice"
        noted = "\n".join(bodies(sqs, QUEUES["noted"]))
        effects = {
            "told": {
                name
                for name in ledger.done["told"]
                if name in told or name in ledger.consumed or name in ledger.consuming
            },
            "noted": {name for name in ledger.done["noted"] if name in noted},
            "put": {name for name in ledger.done["put"] if name in counted},
        }
        back = {name: at for name, at in ledger.consumed.items() if name in told}
        lost = {
            name: at for kind, there in effects.items() for name, at in ledger.done[kind].items() if name not in there
        }
        for name, at in {**lost, **back}.items():
            kind = name.partition("-")[0]
            assert killed - at < ALLOWED_S[kind], f"{name} is {killed - at:.1f} s old, and lost (or back)"
            oldest[kind] = max(oldest[kind], killed - at)
        lost_count += len(lost) + len(back)
        acted += sum(map(len, effects.values()))
        for kind, there in effects.items():
            if kind == "told":
                ledger.done[kind] = {name: -1e9 for name in there if name in told}
        ledger.done["noted"] = {name: at for name, at in ledger.done["noted"].items() if name not in lost}
        ledger.done["put"] = {name: at for name, at in ledger.done["put"].items() if name not in lost}
        ledger.consumed.clear()
        ledger.consuming.clear()
    ages = ", ".join(f"{kind} {age:.2f} s" for kind, age in oldest.items())
    print(
        f"\n{KILLS} kills, {ledger.calls} acknowledged calls, none lost; of {acted + lost_count} effects {lost_count} lost"
    )
    print(f"age of the oldest before its kill: {ages} (interval {INTERVAL_S} s)")
