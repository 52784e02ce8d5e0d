"""`replay-proxy diff`: two recordings, two moments of one, git."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from replay_proxy.cli.main import main
from tests.reports.shop import shop, write_shop
from tests.reports.test_inspect import HOSTILE, SCHEMAS, controls, hostile
from tests.resources.recordings import ACCOUNT, REGION, Tape, function, queue, queue_url, table
from tests.support.processes import replay_proxy

SCHEMA = json.loads((SCHEMAS / "diff.schema.json").read_text())
Diff = Callable[..., tuple[int, str, str]]


@pytest.fixture
def diff(capsys: pytest.CaptureFixture[str]) -> Diff:
    def run(*words: object) -> tuple[int, str, str]:
        code = main(["diff", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def checked(text: str) -> Any:
    document = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA, jsonschema.Draft202012Validator)
    return document


def test_the_same_differs_in_nothing(diff: Diff, tmp_path: Path) -> None:
    one, other = write_shop(tmp_path / "a"), write_shop(tmp_path / "b")
    assert diff(one, other) == (0, "0 added, 0 removed, 0 changed, 5 unchanged\n", "")
    assert checked(diff(one, other, "--json")[1])["differs"] is False


def test_it_shows_what_was_added_removed_and_changed(diff: Diff, tmp_path: Path) -> None:
    before = write_shop(tmp_path / "a")
    tape = shop()
    tape.call("sqs", "DeleteQueue", {"QueueUrl": queue_url("dead")})
    queue(tape, "new")
    tape.call("sqs", "SetQueueAttributes", {"QueueUrl": queue_url("orders"), "Attributes": {"DelaySeconds": "9"}})
    tape.call("sqs", "UntagQueue", {"QueueUrl": queue_url("orders"), "TagKeys": ["team"]})
    tape.call("dynamodb", "DeleteItem", {"TableName": "items", "Key": {"id": {"S": "a"}}})
    tape.call("dynamodb", "PutItem", {"TableName": "items", "Item": {"id": {"S": "b"}, "v": {"N": "1"}}})
    tape.call("dynamodb", "PutItem", {"TableName": "items", "Item": {"id": {"S": "c"}}})
    after = tape.write(tmp_path / "b")
    code, out, _ = diff(before, after, "--data")
    assert code == 1
    place = f"({ACCOUNT} {REGION})"
    assert out.splitlines() == [
        "1 added, 1 removed, 2 changed, 2 unchanged",
        f"- AWS::SQS::Queue dead  {place}",
        f"+ AWS::SQS::Queue new  {place}  created by 14",
        f"~ AWS::DynamoDB::Table items  {place}  by 3",
        "    ~ data: 2 items, 32 B -> 2 items, 46 B; 1 changed",
        '      - {"S":"a"}',
        '      + {"S":"c"}',
        '      ~ {"S":"b"}',
        f"~ AWS::SQS::Queue orders  {place}  by 16",
        "    ~ Attributes.DelaySeconds: 7 -> 9",
        "    - tag team: shop",
    ]
    document = checked(diff(before, after, "--json", "--data")[1])
    assert document["summary"] == {"added": 1, "removed": 1, "changed": 2, "unchanged": 2}
    (items,) = [each for each in document["changed"] if each["name"] == "items"]
    assert (items["data"]["added"], items["data"]["removed"]) == (['{"S":"c"}'], ['{"S":"a"}'])
    assert diff(before, after)[1].count('"S"') == 0


@pytest.mark.parametrize(
    ("one", "other", "summary"),
    [
        ("@1", "@2", "1 added, 0 removed, 0 changed, 1 unchanged"),
        ("@9", "@10", "0 added, 0 removed, 0 changed, 5 unchanged"),
        ("@2026-01-31T12:00:10Z", "", "0 added, 0 removed, 2 changed, 3 unchanged"),
        ("", "@3", "0 added, 2 removed, 2 changed, 1 unchanged"),
    ],
)
def test_moments_of_one_recording(diff: Diff, tmp_path: Path, one: str, other: str, summary: str) -> None:
    folder = write_shop(tmp_path / "name@with-an-at")
    code, out, _ = diff(f"{folder}{one}", f"{folder}{other}")
    assert (code, out.splitlines()[0]) == (0 if "0 added, 0 removed, 0 changed" in summary else 1, summary)


def test_documents_in_texts_are_compared_by_what_they_say(diff: Diff, tmp_path: Path) -> None:
    def recording(name: str, policy: dict[str, Any], *, indent: int | None) -> Path:
        tape = Tape()
        queue(tape, "orders", Policy=json.dumps(policy, indent=indent))
        return tape.write(tmp_path / name)

    one = recording("a", {"Version": "1", "Statement": {"Effect": "Allow"}}, indent=None)
    same = recording("b", {"Statement": {"Effect": "Allow"}, "Version": "1"}, indent=2)
    other = recording("c", {"Version": "1", "Statement": {"Effect": "Deny"}}, indent=None)
    assert diff(one, same)[0] == 0
    assert "~ Attributes.Policy.Statement.Effect: Allow -> Deny" in diff(one, other)[1]


def vpc(tape: Tape, drawn: str, name: str) -> None:
    body = f"<CreateVpcResponse><vpc><vpcId>{drawn}</vpcId></vpc></CreateVpcResponse>"
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": name}]}]
    tape.call(
        "ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16", "TagSpecifications": tags}, protocol="ec2", body=body.encode()
    )
    subnet = f"<CreateSubnetResponse><subnet><subnetId>subnet-{drawn}</subnetId></subnet></CreateSubnetResponse>"
    params = {"VpcId": drawn, "CidrBlock": "10.0.1.0/24"}
    params["TagSpecifications"] = [{"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": f"{name}-a"}]}]  # type: ignore[assignment]
    tape.call("ec2", "CreateSubnet", params, protocol="ec2", body=subnet.encode())


def test_what_an_emulator_draws_anew_is_no_difference(diff: Diff, tmp_path: Path) -> None:
    folders = []
    for account, drawn in (("111111111111", "vpc-0a"), ("222222222222", "vpc-0b")):
        tape = Tape(account="")
        vpc(tape, drawn, "main")
        queue_arn = f"arn:aws:sqs:{REGION}:{account}:orders"
        tape.call("sqs", "CreateQueue", {"QueueName": "orders"}, {"QueueUrl": f"http://h:1/{account}/orders"})
        function(tape, "worker", DeadLetterConfig={"TargetArn": queue_arn}, Role=f"arn:aws:iam::{account}:role/r")
        folders.append(tape.write(tmp_path / account))
    code, out, _ = diff(*folders)
    assert (code, out) == (0, "0 added, 0 removed, 0 changed, 4 unchanged\n")


def test_secrets_differ_without_being_shown(diff: Diff, tmp_path: Path) -> None:
    folders = []
    for password in ("hunter22", "swordfish"):
        tape = Tape()
        function(tape, "worker", Environment={"Variables": {"DB_PASSWORD": password}})
        folders.append(tape.write(tmp_path / password))
    code, out, _ = diff(*folders)
    assert code == 1
    assert "Environment" in out
    assert "hunter22" not in out
    assert "swordfish" not in out.replace(str(tmp_path), "")


def test_markdown_shows_hostile_names_as_text(diff: Diff, tmp_path: Path) -> None:
    folder = hostile(tmp_path / "hostile")
    empty = Tape().write(tmp_path / "empty")
    code, out, _ = diff(empty, folder, "--markdown")
    assert code == 1
    assert "<script>" not in out
    assert controls(out) == set()
    rows = [line for line in out.splitlines() if line.startswith("| ➕")]
    assert len(rows) == len(HOSTILE)
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)


def test_standard_input_is_one_side_only(diff: Diff) -> None:
    code, _, err = diff("-", "-")
    assert code == 2
    assert "cannot be both sides" in err


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_shows_recordings_as_resources(tmp_path: Path) -> None:
    program = " ".join(replay_proxy())
    repository = tmp_path / "repository"
    environment = {**os.environ, "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", "GIT_PAGER": "cat"}
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        environment[name] = "somebody"

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=repository, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    write_shop(repository / "recordings")
    git("init", "-q")
    (repository / ".gitattributes").write_text("recorded_api_calls.json diff=replay-proxy\n")
    git("config", "diff.replay-proxy.textconv", f"{program} inspect --plain --attributes")
    git("config", "difftool.replay-proxy.cmd", f'{program} diff "$LOCAL" "$REMOTE"')
    git("add", ".")
    git("commit", "-qm", "one")
    tape = shop()
    table(tape, "more")
    tape.call("sqs", "SetQueueAttributes", {"QueueUrl": queue_url("orders"), "Attributes": {"DelaySeconds": "9"}})
    tape.write(repository / "recordings")
    shown = git("diff")
    changed = [line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert "+      AWS::DynamoDB::Table  more  created by 13" in changed
    assert "-            DelaySeconds: 7" in changed
    assert "+            DelaySeconds: 9" in changed
    assert not any('"mark"' in line or "X-Amz-Target" in line for line in changed)
    compared = git("difftool", "--no-prompt", "--tool=replay-proxy")
    assert "1 added, 0 removed, 1 changed, 4 unchanged" in compared
    assert "~ Attributes.DelaySeconds: 7 -> 9" in compared.replace("    ", "")
