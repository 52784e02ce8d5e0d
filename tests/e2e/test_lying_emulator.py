"""An emulator that tells lies while a restore makes calls again: one character of one value, in some of its answers.

A value that would have been as it was recorded, and is not, has to be named by the report. Not judged are the ids of
requests, measured numbers, and what an emulator may draw anew, which can be anything: identifiers and labels, but for the
parts of them that the client itself had sent, such as its name in an ARN, and regions and accounts of ARNs. LIES_RUNS says how
often.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

import tests.support.scenarios  # noqa: F401 - the steps of all services
from replay_proxy.footprint.members.member_roles import Role, role_by_name
from tests.support.corrupting_relay import CorruptingRelay, Lie
from tests.support.processes import Proxy, amount
from tests.support.read_back.comparison import leaves
from tests.support.scenarios.rehearsal import Rehearsal
from tests.support.scenarios.world import STEPS

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(1200)]

SERVICES = amount(
    ("sqs", "dynamodb", "route53", "ssm"),
    ("sqs", "sns", "s3", "dynamodb", "iam", "lambda", "ec2", "elbv2", "route53", "kms", "ssm", "secretsmanager", "events",
     "logs", "ecs", "apigateway", "apigatewayv2", "stepfunctions", "kinesis", "glue", "athena", "wafv2"),
)  # fmt: skip
RUNS = int(os.environ.get("LIES_RUNS", amount(1, 3)))
ONE_IN = 2
REQUEST_IDS = re.compile(r"request-?id|requestId|RequestID", re.IGNORECASE)


@pytest.mark.parametrize("emulator", ["moto", "ministack"][: amount(1, 2)])
def test_lies_are_named(emulator: str, tmp_path: Path) -> None:
    missed: list[Lie] = []
    told = 0
    for run in range(RUNS):
        folder = tmp_path / f"run-{run}"
        folder.mkdir()
        lies, recorded, sent, report = restored_by_a_liar(emulator, folder, Random(run))
        judged = [lie for lie in lies if lie.before in recorded and is_judged(lie, sent)]
        told += len(judged)
        missed += [lie for lie in judged if not is_named(lie, report)]
    assert told >= RUNS
    assert not missed, f"{len(missed)} of {told}"


def is_judged(lie: Lie, sent: Mapping[str, set[str]]) -> bool:
    """Could the restore know that it is a lie? sent: the texts in the requests of clients, by call."""
    if REQUEST_IDS.fullmatch(lie.member):
        return False
    service, _, operation = lie.call.partition(":")
    before, after = words(lie.before), words(lie.after)
    changed = [one for one, other in zip(before, after, strict=False) if one != other]
    if lie.before.startswith("arn:") and before[3:5] != after[3:5]:
        return True
    # An element in XML is called as one of what its list is called.
    roles = {role_by_name(service, operation, name) for name in (lie.member, f"{lie.member}s")}
    said = sent.get(lie.call, set())
    if Role.VOLATILE in roles:
        return lie.before in said
    said_words = {word for text in said for word in re.split(r"[^\w-]", text)}
    return not roles & {Role.IDENTIFIER, Role.LABEL} or any(one in said_words for one in changed)


def words(text: str) -> list[str]:
    return re.split(r"[/:,.\s]", text)


def restored_by_a_liar(
    emulator: str, folder: Path, random: Random
) -> tuple[list[Lie], str, Mapping[str, set[str]], dict[str, Any]]:
    """The lies of a restore, all that was recorded before it, the texts that clients had sent, and its report."""
    rehearsal = Rehearsal(emulator, folder)
    relay = CorruptingRelay(rehearsal.emulator.port, random, ONE_IN)
    try:
        rehearsal.proxy.end()
        rehearsal.proxy = Proxy(folder, "--upstream", relay.url, port=rehearsal.proxy.port, data_dir=folder / "behind")
        for service in SERVICES:
            world = rehearsal.player(["orders", "queue", "db-primary-1"]).world
            for number, step in enumerate(STEPS[service]):
                if not step.ends:
                    world.take(step, (number, number + 1, number))
        recorded = rehearsal.proxy.journal.read_text().replace(
            f":{rehearsal.proxy.port}", f":{relay.url.rpartition(':')[2]}"
        )
        sent: dict[str, set[str]] = defaultdict(set)
        for world in (player.world for player in rehearsal.players):
            for asked, (_, params, _) in zip(world.trail, world.calls, strict=True):
                sent[asked.partition(" ")[0]] |= set(leaves(params))
        relay.lying = True
        report = rehearsal.restart()
        return relay.lies, recorded, sent, report
    finally:
        rehearsal.end()
        relay.close()


def is_named(lie: Lie, report: dict[str, Any]) -> bool:
    """Does the report say of the call that this member, or this value, is another?"""
    for each in (*report["problems"], *report["findings"]):
        text = json.dumps(each, ensure_ascii=False)
        if each["call"] == lie.call and (lie.member.lower() in text.lower() or lie.after in text):
            return True
    return False
