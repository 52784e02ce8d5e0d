"""Merges as calls: what is known of both sides decides which calls make the merged state, without an emulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import Files
from replay_proxy.pods.merge.merge_recordings import merge_recordings
from replay_proxy.pods.merge.strategies import MergeStrategy
from tests.resources.recordings import Tape, function, queue, queue_url


def _merged(ours: Tape, pod: Tape, folder: Path, strategy: str = "service-merge") -> tuple[list[tuple[str, Any]], Any]:
    """Operation and JSON parameters of the merged calls, and the report."""
    place = Files(ours.write(folder / "ours"))
    report = merge_recordings(place, read(pod.write(folder / "pod")), MergeStrategy(strategy), folder / "merged")
    calls = []
    for record in read(folder / "merged").records():
        assert record.head is not None
        body = record.request.body
        assert isinstance(body, bytes)
        calls.append((record.head.operation, orjson.loads(body) if body[:1] == b"{" else record.request.target))
    return calls, report


def _later(count: int = 1) -> Tape:
    """A tape whose calls are at other moments than those of another one."""
    tape = Tape()
    for number in range(count):
        queue(tape, f"first-{number}")
    return tape


def test_identifiers_that_both_sides_drew_are_kept_apart(tmp_path: Path) -> None:
    """Two APIs of one id, which two emulators drew: the pod's gets a fresh one in all its calls, and the report says so."""
    ours, pod = Tape(), _later()
    for tape, name in ((ours, "ours"), (pod, "pods")):
        tape.call(
            "apigateway", "CreateRestApi", {"name": name}, {"id": "ab12cd34ef", "name": name}, protocol="rest-json"
        )
        parts = {"restApiId": "ab12cd34ef", "stageName": "prod", "deploymentId": name}
        tape.call("apigateway", "CreateStage", parts, {"stageName": "prod"}, protocol="rest-json")
    calls, report = _merged(ours, pod, tmp_path)
    ((old, new),) = report.renamed.items()
    assert old == "ab12cd34ef" != new
    records = list(read(tmp_path / "merged").records())
    stages = {
        r.request.target.split("/")[2] for r in records if r.head is not None and r.head.operation == "CreateStage"
    }
    assert stages == {old, new}
    answers = [
        orjson.loads(r.answer.body)["id"] for r in records if r.head is not None and r.head.operation == "CreateRestApi"
    ]  # type: ignore[arg-type]
    assert sorted(answers) == sorted([old, new])
    assert len(calls) == 5
    files = Files(tmp_path / "merged")
    again = merge_recordings(files, read(tmp_path / "pod"), MergeStrategy.SERVICE, tmp_path / "again")
    assert (again.renamed, again.changes_anything) == (report.renamed, False)


@pytest.mark.parametrize("stays", [True, False])
def test_what_comes_along_with_what_stays_is_not_told_as_removed(tmp_path: Path, stays: bool) -> None:
    """The default group of a network, which a client has read since: the emulator makes it again with the network."""
    ours, pod = Tape(), Tape()
    made = b"<CreateVpcResponse><vpc><vpcId>vpc-0a</vpcId><cidrBlock>10.0.0.0/16</cidrBlock></vpc></CreateVpcResponse>"
    groups = (
        b"<DescribeSecurityGroupsResponse><securityGroupInfo><item><groupId>sg-0b</groupId><groupName>default</groupName>"
        b"<vpcId>vpc-0a</vpcId></item></securityGroupInfo></DescribeSecurityGroupsResponse>"
    )
    for tape in (ours, pod) if stays else (ours,):
        tape.call("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16"}, protocol="ec2", body=made)
    ours.call("ec2", "DescribeSecurityGroups", {}, protocol="ec2", body=groups, witness=True)
    _calls, report = _merged(ours, pod, tmp_path, "overwrite")
    assert len(report.services["ec2"].removed) == (0 if stays else 2)
    assert report.changes_anything is not stays


@pytest.mark.parametrize("strategy", ["service-merge", "account-region-merge"])
def test_the_emulators_own_account_is_called_as_the_pod_calls_it(tmp_path: Path, strategy: str) -> None:
    """Each emulator has a number of its own for it. Else both would stand in one recording, and the pod's lead nowhere."""
    ours, pod = Tape(account=""), Tape(account="")
    for tape, port, account in ((ours, 4566, "000000000000"), (pod, 5000, "123456789012")):
        url = f"http://127.0.0.1:{port}/{account}/jobs"
        tape.call("sqs", "CreateQueue", {"QueueName": "jobs"}, {"QueueUrl": url})
        tape.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": account})
    arn = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:s"
    ours.call("secretsmanager", "CreateSecret", {"Name": "s"}, {"Name": "s", "ARN": arn})
    calls, report = _merged(ours, pod, tmp_path, strategy)
    assert report.united == {"000000000000": "123456789012"}
    texts = [f"{r.request.body!r} {r.answer.body!r}" for r in read(tmp_path / "merged").records()]
    assert [text for text in texts if "000000000000" in text.replace('"MessageBody":"000000000000"', "")] == []
    assert [name for name, _ in calls].count("CreateSecret") == 1
    files = Files(tmp_path / "merged")
    again = merge_recordings(files, read(tmp_path / "pod"), MergeStrategy(strategy), tmp_path / "again")
    assert (again.united, again.changes_anything) == ({}, False)


@pytest.mark.parametrize(("ours_too", "pods_too"), [("123456789012", ""), ("000000000000", ""), ("", "000000000000")])
def test_an_account_that_one_side_names_itself_is_no_other_name_of_one(
    tmp_path: Path, ours_too: str, pods_too: str
) -> None:
    """Else two accounts would become one."""
    ours, pod = Tape(account=""), Tape(account="")
    for tape, account, other in ((ours, "000000000000", ours_too), (pod, "123456789012", pods_too)):
        tape.call("sqs", "CreateQueue", {"QueueName": "q"}, {"QueueUrl": f"http://127.0.0.1:4566/{account}/q"})
        if other:
            tape.account = other
            mine = {"QueueUrl": f"http://127.0.0.1:4566/{other}/mine"}
            tape.call("sqs", "CreateQueue", {"QueueName": "mine"}, mine)
    assert "000000000000" not in _merged(ours, pod, tmp_path)[1].united
    heads = {(record.head.account, record.answer.body) for record in read(tmp_path / "merged").records() if record.head}
    assert all(account in ("", "123456789012") or account.encode() in body for account, body in heads)


def test_of_the_same_resource_the_pod_wins_and_the_rest_of_ours_stays(tmp_path: Path) -> None:
    """Attributes by attribute, tags by tag; what both set is reported."""
    ours, pod = Tape(), _later(3)
    queue(ours, "q", DelaySeconds="5", VisibilityTimeout="10")
    attributes = {"VisibilityTimeout": "20", "ReceiveMessageWaitTimeSeconds": "3"}
    ours.call("sqs", "SetQueueAttributes", {"QueueUrl": queue_url("q"), "Attributes": attributes})
    ours.call("sqs", "TagQueue", {"QueueUrl": queue_url("q"), "Tags": {"team": "ours", "cost": "1"}})
    queue(pod, "q", VisibilityTimeout="60")
    pod.call("sqs", "TagQueue", {"QueueUrl": queue_url("q"), "Tags": {"team": "pods"}})
    calls, report = _merged(ours, pod, tmp_path)
    made = next(given for operation, given in calls if operation == "CreateQueue" and given["QueueName"] == "q")
    assert made["Attributes"] == {"VisibilityTimeout": "60", "DelaySeconds": "5"}
    changed = [given["Attributes"] for operation, given in calls if operation == "SetQueueAttributes"]
    assert changed == [{"ReceiveMessageWaitTimeSeconds": "3"}]
    tagged = [given["Tags"] for operation, given in calls if operation == "TagQueue"]
    assert {"team": "pods"} in tagged and {"cost": "1"} in tagged and len(tagged) == 2
    assert {each.member for each in report.conflicts} == {"Attributes.VisibilityTimeout", "Tags.team"}
    assert len([each for each, _given in calls if each == "CreateQueue"]) == 4


def test_whole_services_of_a_region_are_the_pods(tmp_path: Path) -> None:
    """Ours of a service, account and region that the pod has goes; the same service elsewhere stays."""
    ours, pod = Tape(), _later()
    queue(ours, "ours")
    ours.call("dynamodb", "CreateTable", {"TableName": "kept"}, {"TableDescription": {"TableName": "kept"}})
    ours.region = "us-west-2"
    queue(ours, "elsewhere")
    calls, report = _merged(ours, pod, tmp_path, "account-region-merge")
    names = [given.get("QueueName") or given.get("TableName") for _operation, given in calls]
    assert names == ["first-0", "kept", "elsewhere"]
    assert len(report.services["sqs"].removed) == len(report.services["sqs"].added) == 1


def test_a_call_whose_content_the_pod_has_is_left_out_and_not_sent_without_it(tmp_path: Path) -> None:
    """By the models: required members, tokens that say nothing, entries by their ids, switches, paths; and what is ours stays."""
    ours, pod = Tape(), _later(60)
    for tape, side in ((ours, "ours"), (pod, "pod")):
        arn = f"arn:aws:secretsmanager:{tape.region}:{tape.account}:secret:s-AbCdEf"
        made = {"SecretString": "0", "ClientRequestToken": "0" * 36}
        tape.call("secretsmanager", "CreateSecret", {"Name": "s", **made}, {"Name": "s", "ARN": arn})
        changed = {"SecretId": "s", "SecretString": side, "ClientRequestToken": side * 12}
        tape.call(
            "secretsmanager", "PutSecretValue" if side == "pod" else "UpdateSecret", changed, {"Name": "s", "ARN": arn}
        )
        tape.call("events", "PutRule", {"Name": "r", "ScheduleExpression": "rate(1 day)"}, {"RuleArn": "arn:r"})
        targets = [{"Id": name, "Arn": f"arn:aws:sqs:eu-west-1:1:{side}"} for name in ("both", side)]
        tape.call("events", "PutTargets", {"Rule": "r", "Targets": targets}, {"FailedEntryCount": 0})
        function(tape, "f", Environment={"Variables": {"SIDE": "both"}})
        code = {"S3Bucket": "b", "S3Key": "pod"} if side == "pod" else {"ZipFile": b"ours"}
        tape.call("lambda", "UpdateFunctionCode", {"FunctionName": "f", **code}, {}, protocol="rest-json")
        changed = {"FunctionName": "f", "Timeout": 3 if side == "pod" else 5}
        changed |= {} if side == "pod" else {"MemorySize": 256}
        tape.call("lambda", "UpdateFunctionConfiguration", changed, {}, protocol="rest-json")
        tape.call("ecr", "CreateRepository", {"repositoryName": "e"}, {"repository": {"repositoryName": "e"}})
        changed = {"repositoryName": "e", "imageTagMutability": "MUTABLE" if side == "pod" else "IMMUTABLE"}
        tape.call("ecr", "PutImageTagMutability", changed, {})
        queue(tape, "q", **({"VisibilityTimeout": "60"} if side == "pod" else {}))
    pod.call("sqs", "TagQueue", {"QueueUrl": queue_url("q"), "Tags": {"team": "pod"}})
    ours.call("sqs", "UntagQueue", {"QueueUrl": queue_url("q"), "TagKeys": ["team", "other"]})
    _calls, report = _merged(ours, pod, tmp_path)
    records = [each for each in read(tmp_path / "merged").records() if each.head is not None]
    said = [(each.head.operation, each.request.body) for each in records if each.head is not None]

    def sent(operation: str) -> list[Any]:
        return [orjson.loads(body) for name, body in said if name == operation and isinstance(body, bytes)]

    assert not sent("UpdateSecret")
    assert [each["SecretString"] for each in sent("PutSecretValue")] == ["pod"]
    assert [[entry["Id"] for entry in each["Targets"]] for each in sent("PutTargets")] == [["both", "pod"], ["ours"]]
    assert sent("UpdateFunctionCode") == [{"S3Bucket": "b", "S3Key": "pod"}]
    assert sent("UpdateFunctionConfiguration") == [{"Timeout": 3}, {"MemorySize": 256}]
    assert [each["imageTagMutability"] for each in sent("PutImageTagMutability")] == ["MUTABLE"]
    assert [each["TagKeys"] for each in sent("UntagQueue")] == [["other"]]
    assert report.renamed == {}
    assert len({str(each) for each in report.conflicts}) == len(report.conflicts)


def test_a_mapping_of_the_same_source_to_the_same_function_is_one(tmp_path: Path) -> None:
    """Both emulators drew its identifier, and a second mapping is refused: ours is the pod's, and our later change is of that."""
    ours, pod = Tape(), _later(5)
    drawn = {"ours": "11111111-1111-4111-8111-aaaaaaaaaaa1", "pod": "22222222-2222-4222-8222-bbbbbbbbbbb2"}
    for tape, side in ((ours, "ours"), (pod, "pod")):
        function(tape, "f")
        given = {"FunctionName": "f", "EventSourceArn": "arn:aws:sqs:eu-west-1:111122223333:q", "BatchSize": 5}
        answer = {"UUID": drawn[side], "EventSourceArn": given["EventSourceArn"]}
        tape.call("lambda", "CreateEventSourceMapping", given, answer, protocol="rest-json", status=202)
    changed = {"UUID": drawn["ours"], "BatchSize": 7, "MaximumBatchingWindowInSeconds": 2}
    ours.call("lambda", "UpdateEventSourceMapping", changed, {"UUID": drawn["ours"]}, protocol="rest-json", status=202)
    _merged(ours, pod, tmp_path)
    records = [each for each in read(tmp_path / "merged").records() if each.head is not None]
    made = [each for each in records if each.head is not None and each.head.operation == "CreateEventSourceMapping"]
    (later,) = (each for each in records if each.head is not None and each.head.operation == "UpdateEventSourceMapping")
    assert len(made) == 1
    assert later.request.target.endswith(drawn["pod"])
    assert orjson.loads(later.request.body) == {"MaximumBatchingWindowInSeconds": 2}  # type: ignore[arg-type]


def test_what_stays_of_ours_comes_after_what_it_needs_of_the_pod(tmp_path: Path) -> None:
    """A function of ours whose role is the pod's from now on: an emulator refuses it before the role is there."""
    ours, pod = Tape(), _later(2)
    for tape in (ours, pod):
        given = {"RoleName": "worker", "AssumeRolePolicyDocument": "{}"}
        tape.call("iam", "CreateRole", given, protocol="query", body=b"<r><Role><RoleName>worker</RoleName></Role></r>")
    function(ours, "f")
    calls, _report = _merged(ours, pod, tmp_path, "account-region-merge")
    names = [name for name, _given in calls]
    assert names.count("CreateRole") == 1
    assert names.index("CreateRole") < names.index("CreateFunction")


def test_one_thing_that_is_named_by_what_was_drawn_and_by_its_name(tmp_path: Path) -> None:
    """An IP set of one name, which each emulator gave an id of its own: a second one is refused, or hides the pod's."""
    ours, pod = Tape(), _later(2)
    for tape, side, drawn in (
        (ours, "10.0.0.0/32", "11111111-aaaa-4111-8111-aaaaaaaaaaa1"),
        (pod, "10.1.0.0/32", _ITS),
    ):
        given = {"Name": "both", "Scope": "REGIONAL", "IPAddressVersion": "IPV4", "Addresses": [side]}
        arn = f"arn:aws:wafv2:eu-west-1:111122223333:regional/ipset/both/{drawn}"
        shown = {"Name": "both", "Id": drawn, "ARN": arn, "LockToken": drawn[::-1]}
        tape.call("wafv2", "CreateIPSet", given, {"Summary": shown})
    calls, report = _merged(ours, pod, tmp_path)
    assert [given["Addresses"] for name, given in calls if name == "CreateIPSet"] == [["10.1.0.0/32"]]
    assert report.united["11111111-aaaa-4111-8111-aaaaaaaaaaa1"] == _ITS
    assert {each.member for each in report.conflicts} == {"Addresses"}, "not the token, which nobody has set"


_ITS = "22222222-bbbb-4222-8222-bbbbbbbbbbb2"


def test_what_both_sides_say_in_the_same_words_is_said_once(tmp_path: Path) -> None:
    """A role in an instance profile: a second time it is refused. Another one of ours is said all the same."""
    ours, pod = Tape(), _later(9)
    for tape, others in ((ours, ["mine"]), (pod, [])):
        for name in ("worker", *others):
            shown = f"<r><Role><RoleName>{name}</RoleName></Role></r>".encode()
            given = {"RoleName": name, "AssumeRolePolicyDocument": "{}"}
            tape.call("iam", "CreateRole", given, protocol="query", body=shown)
            shown = (
                f"<r><InstanceProfile><InstanceProfileName>{name}</InstanceProfileName></InstanceProfile></r>".encode()
            )
            tape.call("iam", "CreateInstanceProfile", {"InstanceProfileName": name}, protocol="query", body=shown)
            both = {"InstanceProfileName": name, "RoleName": name}
            tape.call("iam", "AddRoleToInstanceProfile", both, protocol="query", body=b"<r></r>")
    _merged(ours, pod, tmp_path)
    said = [each.request.body for each in read(tmp_path / "merged").records() if b"AddRole" in bytes(each.request.body)]  # type: ignore[arg-type]
    assert [b"worker" in bytes(each) for each in said] == [True, False]  # type: ignore[arg-type]
