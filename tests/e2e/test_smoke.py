"""Smoke tests of a user against a running proxy: one of each kind, passing and failing; none leaves a trace."""

from __future__ import annotations

import io
import json
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy, left_out, replay_proxy
from tests.support.stories import until

pytestmark = pytest.mark.emulator

HANDLER = """\
import boto3, os

def handler(event, context):
    for record in event.get("Records", []):
        boto3.client("dynamodb").put_item(TableName="seen", Item=record["dynamodb"]["NewImage"])
    return {"n": event.get("n", 0) + 1}
"""
CHECKS = """\
checks:
  - name: the function counts
    invoke: {function: count, payload: {n: 1}}
    expect: {query: n, is: 2}
  - name: the proxy is there
    http: {path: /orders-bucket/hello.txt}
    expect: {status: 200, contains: hello}
  - name: messages pass
    queue: {name: orders, send: smoke}
    expect: {is: smoke}
  - name: the timeout of the queue
    aws: sqs get-queue-url --queue-name orders
    expect: {query: QueueUrl, matches: /orders$}
  - name: no such queue
    aws: sqs get-queue-url --queue-name none
    expect: {error: AWS.SimpleQueueService.NonExistentQueue}
"""
FAILING = """\
checks:
  - name: wrong count
    invoke: {function: count, payload: {n: 1}}
    expect: {query: n, is: 3}
  - name: no such function
    invoke: {function: none}
  - name: no such path
    http: {path: /orders-bucket/none.txt}
  - name: no such queue
    queue: {name: none, send: x}
  - name: no such table
    stream: {table: none, put: {id: {S: x}}, key: {id: {S: x}}, read: {table: seen, key: {id: {S: x}}}}
  - name: no such error
    invoke: {function: count}
    expect: {error: KeyError}
  - name: no error
    within_s: 0.2
    aws: s3api head-bucket --bucket orders-bucket
    expect: {error: NoSuchBucket}
  - name: wrong name
    within_s: 0.2
    aws: sqs get-queue-url --queue-name orders
    expect: {query: QueueUrl, is: x}
"""


def test_checks_of_each_kind_pass_or_say_why_not_and_leave_no_trace(
    start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    # What the function writes into its log is an effect of its own, and is observed as any other, each flush interval.
    proxy = start_proxy("--emulator", "ministack", "--flush-interval", "600")
    role = client("iam", proxy.url).create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("m.py", HANDLER)
    client("lambda", proxy.url).create_function(
        FunctionName="count", Runtime="python3.12", Role=role, Handler="m.handler", Code={"ZipFile": packed.getvalue()}
    )
    client("sqs", proxy.url).create_queue(QueueName="orders")
    client("s3", proxy.url).create_bucket(Bucket="orders-bucket")
    client("s3", proxy.url).put_object(Bucket="orders-bucket", Key="hello.txt", Body=b"hello")
    before = proxy.journal.read_bytes()

    def smoke(text: str) -> tuple[int, str, str]:
        path = tmp_path / "replay-smoke.yaml"
        path.write_text(text)
        done = subprocess.run(
            [*replay_proxy(), "doctor", "--listen", f"127.0.0.1:{proxy.port}", "--smoke"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=tmp_path,
        )
        return done.returncode, done.stdout, done.stderr

    code, out, err = smoke(CHECKS)
    assert (code, err) == (0, ""), out
    assert out.splitlines()[-1] == "5 of 5 checks passed"
    code, out, err = smoke(FAILING)
    assert code == 3
    assert "✗ wrong count: 'n' is 2, and not 3" in out
    assert "✗ no such function: lambda:Invoke: ResourceNotFoundException" in out
    assert "✗ no such path: the status is 404, and not below 400: <?xml" in out
    assert "✗ no error: the error is none, and not NoSuchBucket" in out
    assert "✗ no such queue: sqs:GetQueueUrl: " in out
    assert "✗ no such table: dynamodb:GetItem: ResourceNotFoundException" in out
    assert "✗ no such error: the error is none, and not KeyError" in out
    assert "✗ wrong name: 'QueueUrl' is " in out
    assert "8 of 8 checks did not pass" in err
    code, _out, err = smoke("checks:\n  - nme: x\n")
    assert code == 2
    assert "line 2" in err
    assert json.loads(json.dumps(proxy.status()["unrecorded"])) == 0
    assert proxy.journal.read_bytes() == before


QUEUES = """\
checks:
  - name: beside the messages of others
    queue: {name: full, send: smoke}
    expect: {is: smoke}
  - name: into one that delays
    queue: {name: late, send: smoke}
  - name: into one that keeps the order
    queue: {name: turns.fifo, send: smoke}
  - name: into one that counts
    queue: {name: counting, send: smoke}
"""


def test_messages_of_others_stay_in_the_queues_that_are_checked(
    start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    proxy = start_proxy("--check-wiring", "0", "--flush-interval", "600")
    sqs = client("sqs", proxy.url)
    counting = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": 1})
    given: dict[str, dict[str, str]] = {
        "dead": {},
        "full": {},
        "late": {"DelaySeconds": "600"},
        "turns.fifo": {"FifoQueue": "true"},
        "counting": {"RedrivePolicy": counting},
    }
    urls = {
        name: sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"] for name, attributes in given.items()
    }
    for number in range(25):
        sqs.send_message(QueueUrl=urls["full"], MessageBody=f"of somebody {number}")
    sqs.send_message(QueueUrl=urls["counting"], MessageBody="of somebody")
    before = proxy.journal.read_bytes()
    path = tmp_path / "smoke.yaml"
    path.write_text(QUEUES)
    command = [*replay_proxy(), "doctor", "--endpoint", proxy.url, "--smoke", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3, done.stdout
    assert done.stdout.count("✓") == 3, done.stdout
    assert "✗ into one that counts: counting holds 1 of other messages" in done.stdout
    held: dict[str, list[str]] = {}
    for name, url in urls.items():
        held[name] = []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600).get("Messages"):
            held[name] += sorted(each["Body"] for each in found)
    assert sorted(held.pop("full")) == sorted(f"of somebody {number}" for number in range(25))
    assert held == {"dead": [], "late": [], "turns.fifo": [], "counting": ["of somebody"]}
    assert proxy.journal.read_bytes().startswith(before)
    assert b"smoke" not in proxy.journal.read_bytes()[len(before) :]


STREAM = """\
checks:
  - name: the consumer writes
    within_s: 60
    stream:
      table: orders
      put: {id: {S: smoke-of-the-stream}}
      key: {id: {S: smoke-of-the-stream}}
      read: {table: seen, key: {id: {S: smoke-of-the-stream}}}
"""


@pytest.mark.timeout(600)
def test_an_item_that_is_there_already_is_put_as_a_new_one_and_what_the_consumer_writes_is_observed_by_nobody(
    start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    if reason := left_out(0.5):
        pytest.skip(f"a function that reads a stream {reason}")
    proxy = start_proxy("--emulator", "ministack", "--flush-interval", "0.2", "--check-wiring", "0")
    dynamodb, functions = client("dynamodb", proxy.url), client("lambda", proxy.url)
    for name in ("orders", "seen"):
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
    role = client("iam", proxy.url).create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("m.py", HANDLER.replace('["NewImage"]', '.get("NewImage", {"id": {"S": "gone"}})'))
    functions.create_function(
        FunctionName="copy", Runtime="python3.12", Role=role, Handler="m.handler", Code={"ZipFile": packed.getvalue()}
    )
    stream = dynamodb.describe_table(TableName="orders")["Table"]["LatestStreamArn"]
    functions.create_event_source_mapping(FunctionName="copy", EventSourceArn=stream, StartingPosition="LATEST")
    path = tmp_path / "stream.yaml"
    path.write_text(STREAM)
    # Left behind by somebody who was interrupted, past the proxy.
    behind = client("dynamodb", proxy.status()["emulator"]["url"])
    behind.put_item(TableName="orders", Item={"id": {"S": "smoke-of-the-stream"}})
    until(lambda: "Item" in behind.get_item(TableName="seen", Key={"id": {"S": "smoke-of-the-stream"}}), 60)
    marks = []
    for _ in range(3):
        command = [*replay_proxy(), "doctor", "--endpoint", proxy.url, "--smoke", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout
        time.sleep(3)
        marks.append(proxy.journal.read_bytes().count(b"smoke-of-the-stream"))
    assert marks[1:] == marks[:1] * 2, "the first one also takes away what was left behind"
