"""`scripts/bench ordering`: what it costs a restore that names decide what waits for what.

A call waits for whatever has the name that it says, unless the model tells another kind of resource. The same things of
ten services are made twice, once each kind under names of its own, once all under the same few names, which their
descriptions, tags and values repeat. The calls are the same in number, order and size, so that what the second restore
takes longer than the first is what such waiting takes of the parallel work. Restores are made in turns, as in
`bench/restore.py`.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench import history, processes, recordings
from bench.report import Bar, Report
from bench.restore import Bench
from bench.turns import in_turns, ratios

ROUNDS, THINGS = 15, 24
QUICK_ROUNDS, QUICK_THINGS = 3, 6
SLOWER_BAR, QUICK_SLOWER_BAR = 1.1, 1.5  # few short restores say little of a tenth

KINDS = ("queue", "topic", "table", "role", "parameter", "group", "rule", "secret", "stream", "machine")


def apart(kind: str, number: int) -> str:
    """A name that only one kind of thing has. As long as the others', so that calls are of one size."""
    return f"{kind:x<9}-{number:02}"


def alike(_kind: str, number: int) -> str:
    """A name that things of all kinds have."""
    return f"us-east-1-{number:02}"


Named = Callable[[str, int], str]


def make(things: int, named: Named, call: history.Counted) -> int:
    """Make `things` things of each kind, each with a change, and what it says of others in words alone."""
    key = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
    attributes = [{"AttributeName": "id", "AttributeType": "S"}]
    pass_on = {"StartAt": "a", "States": {"a": {"Type": "Pass", "End": True}}}
    for number in range(things):
        name = {kind: named(kind, number) for kind in KINDS}
        about = f"{name['queue']} of {name['role']}"
        tags = [{"Key": "of", "Value": name["rule"]}]
        queue = call("sqs", "create_queue", QueueName=name["queue"], tags={"of": name["topic"]})["QueueUrl"]
        call("sqs", "send_message", QueueUrl=queue, MessageBody=name["table"])
        topic = call("sns", "create_topic", Name=name["topic"], Tags=tags)["TopicArn"]
        call("sns", "set_topic_attributes", TopicArn=topic, AttributeName="DisplayName", AttributeValue=name["secret"])
        call(
            "dynamodb", "create_table", TableName=name["table"], AttributeDefinitions=attributes,
            BillingMode="PAY_PER_REQUEST", **key,
        )  # fmt: skip
        call("dynamodb", "put_item", TableName=name["table"], Item={"id": {"S": name["group"]}})
        role = call(
            "iam", "create_role", RoleName=name["role"], AssumeRolePolicyDocument=json.dumps(history.ROLE),
            Description=about,
        )["Role"]["Arn"]  # fmt: skip
        call("iam", "tag_role", RoleName=name["role"], Tags=tags)
        call("ssm", "put_parameter", Name=name["parameter"], Value=about, Type="String")
        call("ssm", "put_parameter", Name=name["parameter"], Value=name["stream"], Type="String", Overwrite=True)
        call("logs", "create_log_group", logGroupName=name["group"])
        call("logs", "put_retention_policy", logGroupName=name["group"], retentionInDays=30)
        call("events", "put_rule", Name=name["rule"], ScheduleExpression="rate(1 day)", Description=about)
        call("events", "disable_rule", Name=name["rule"])
        call("secretsmanager", "create_secret", Name=name["secret"], SecretString=about)
        call("secretsmanager", "update_secret", SecretId=name["secret"], Description=name["machine"])
        call("kinesis", "create_stream", StreamName=name["stream"], ShardCount=1)
        call("kinesis", "add_tags_to_stream", StreamName=name["stream"], Tags={"of": name["parameter"]})
        machine = {"name": name["machine"], "definition": json.dumps(pass_on), "roleArn": role}
        call("stepfunctions", "create_state_machine", **machine)
    return 0


def run(quick: bool) -> Report:
    """Measure. Quickly: few restores of little."""
    rounds, things = (QUICK_ROUNDS, QUICK_THINGS) if quick else (ROUNDS, THINGS)
    bar = QUICK_SLOWER_BAR if quick else SLOWER_BAR
    report = Report("ordering", "seconds to have the state back, in turns; reading and planning included")
    with tempfile.TemporaryDirectory(prefix="replay-proxy-bench-") as scratch:
        for emulator in processes.EMULATORS:
            made = {
                "names of their own": recordings.named(emulator, f"apart-{things}", partial(make, things, apart)),
                "the same names": recordings.named(emulator, f"alike-{things}", partial(make, things, alike)),
            }
            with processes.emulator(emulator, Path(scratch)) as behind:
                bench = Bench(emulator, behind, Path(scratch), report)
                measured = in_turns({name: partial(bench.ours, each.data_dir) for name, each in made.items()}, rounds)
            took = {name: _seconds(runs) for name, runs in measured.items()}
            own, same = took["names of their own"], took["the same names"]
            history_told = f"{made['the same names'].calls:,} calls, all alive"
            bench.row(history_told, "restore, the same names", same, "names of their own", own)
            slower = statistics.median(ratios(same, own))
            report.bar(Bar(f"{emulator}: the same names ÷ names of their own", slower, bar, "at most"))
    return report


def _seconds(runs: list[dict[str, Any]]) -> list[float]:
    return [run["seconds"] for run in runs]
