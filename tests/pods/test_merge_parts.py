"""Calls that are about several things, of which the pod has some: its part is the pod's, and the rest of ours stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from replay_proxy.footprint.statements import parse_statement
from replay_proxy.journal.format.records import Record
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import Files
from replay_proxy.pods.limits import PodError
from replay_proxy.pods.merge.merge_recordings import merge_recordings
from replay_proxy.pods.merge.report import MergeReport
from replay_proxy.pods.merge.strategies import MergeStrategy
from replay_proxy.pods.merge.twins import natural_keys
from replay_proxy.replay.recorded_call import call_of
from replay_proxy.resources.kinds import kind_named
from replay_proxy.wire.models.models import operation_model
from tests.resources.recordings import ACCOUNT, REGION, Tape, no_blobs, queue, queue_url, table

Said = list[tuple[str, dict[str, Any]]]


def _merged(ours: Tape, pod: Tape, folder: Path) -> tuple[Said, MergeReport]:
    """Operation and parameters of the merged calls, and the report."""
    place = Files(ours.write(folder / "ours"))
    report = merge_recordings(place, read(pod.write(folder / "pod")), MergeStrategy.SERVICE, folder / "merged")
    return [_said(each) for each in read(folder / "merged").records()], report


def _said(record: Record) -> tuple[str, dict[str, Any]]:
    call = call_of(record, no_blobs)
    assert call is not None
    return call.operation, dict(call.params)


def _of(said: Said, operation: str) -> list[dict[str, Any]]:
    return [params for name, params in said if name == operation]


def _sides(ours_first: int = 0) -> tuple[Tape, Tape]:
    """Two tapes whose calls are at other moments."""
    ours, pod = Tape(), Tape()
    for _each in range(30):
        queue(pod, "moments")
    for _each in range(ours_first):
        queue(ours, "moments")
    return ours, pod


def _records(tape: Tape, *changes: tuple[str, str, str]) -> None:
    """Change record sets of a zone: action, name and text of each, with one call."""
    batch = [
        {
            "Action": action,
            "ResourceRecordSet": {"Name": name, "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": text}]},
        }
        for action, name, text in changes
    ]
    params = {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": batch}}
    tape.call("route53", "ChangeResourceRecordSets", params, protocol="rest-xml", body=b"<a/>")


def test_of_a_batch_of_record_sets_only_ours_alone_is_sent(tmp_path: Path) -> None:
    """What both set is the pod's, what ours deleted and the pod has stays, and all else is done as it was."""
    ours, pod = _sides()
    _records(pod, ("CREATE", "both.test.", "pod"), ("CREATE", "of-pod.test.", "pod"))
    _records(
        ours, ("CREATE", "both.test.", "ours"), ("CREATE", "of-ours.test.", "ours"), ("CREATE", "of-pod.test.", "x")
    )
    _records(ours, ("DELETE", "of-pod.test.", "x"), ("UPSERT", "of-ours.test.", "later"))
    said, report = _merged(ours, pod, tmp_path)
    changes = [
        [(each["Action"], each["ResourceRecordSet"]["Name"]) for each in params["ChangeBatch"]["Changes"]]
        for params in _of(said, "ChangeResourceRecordSets")
    ]
    assert changes == [
        [("CREATE", "both.test."), ("CREATE", "of-pod.test.")],
        [("CREATE", "of-ours.test.")],
        [("UPSERT", "of-ours.test.")],
    ]
    assert any("both.test" in each.resource for each in report.conflicts)


def test_tags_of_several_resources_are_the_pods_where_it_has_them(tmp_path: Path) -> None:
    """By each resource: the one that the pod has keeps its value, and gets what it lacks; the others get all."""
    ours, pod = Tape(), Tape()
    for tape, names in ((ours, ("vpc-1", "vpc-2", "vpc-3")), (pod, ("vpc-1", "vpc-2"))):
        for name in names:
            answer = f"<CreateVpcResponse><vpc><vpcId>{name}</vpcId></vpc></CreateVpcResponse>".encode()
            tape.call("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16"}, protocol="ec2", body=answer)
    for _each in range(5):
        queue(pod, "moments")
    for tape, value, more in ((pod, "pod", []), (ours, "ours", [{"Key": "more", "Value": "ours"}])):
        tags = [{"Key": "both", "Value": value}, *more]
        named = ["vpc-1"] if tape is pod else ["vpc-1", "vpc-2", "vpc-3"]
        tape.call("ec2", "CreateTags", {"Resources": named, "Tags": tags}, protocol="ec2", body=b"<a/>")
    said, report = _merged(ours, pod, tmp_path)
    tagged = [
        (params["Resources"], {each["Key"]: each["Value"] for each in params["Tags"]})
        for params in _of(said, "CreateTags")
    ]
    assert tagged[0] == (["vpc-1"], {"both": "pod"})
    assert (["vpc-2", "vpc-3"], {"both": "ours", "more": "ours"}) in tagged
    assert (["vpc-1"], {"more": "ours"}) in tagged
    assert len(tagged) == 3
    assert [each.member for each in report.conflicts] == ["Tags.both"]


def test_one_tagging_of_resources_of_several_services_is_taken_apart(tmp_path: Path) -> None:
    """`TagResources` names them by ARNs in a list; of the topic that the pod has, the pod's value stays."""
    ours, pod = _sides()
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"
    for tape, side in ((ours, "ours"), (pod, "pod")):
        body = f"<CreateTopicResponse><CreateTopicResult><TopicArn>{arn}</TopicArn></CreateTopicResult></CreateTopicResponse>"
        tape.call("sns", "CreateTopic", {"Name": "topic"}, protocol="query", body=body.encode())
        queue(tape, f"q-{side}")
    pod.call("resourcegroupstaggingapi", "TagResources", {"ResourceARNList": [arn], "Tags": {"k": "pod"}})
    both = [arn, f"arn:aws:sqs:{REGION}:{ACCOUNT}:q-ours"]
    ours.call("resourcegroupstaggingapi", "TagResources", {"ResourceARNList": both, "Tags": {"k": "ours"}})
    said, _report = _merged(ours, pod, tmp_path)
    assert _of(said, "TagResources") == [
        {"ResourceARNList": [arn], "Tags": {"k": "pod"}},
        {"ResourceARNList": [both[1]], "Tags": {"k": "ours"}},
    ]


def _item(key: str, side: str) -> dict[str, Any]:
    return {"id": {"S": key}, "v": {"S": side}}


def test_items_of_the_pod_are_taken_out_of_every_kind_of_batch(tmp_path: Path) -> None:
    """Over two tables of which the pod has one: batches, transactions, and statements, each entry by its key."""
    ours, pod = _sides()
    for tape, names in ((ours, ("shared", "of-ours")), (pod, ("shared",))):
        for name in names:
            table(tape, name)
    for key in ("a", "b"):
        pod.call("dynamodb", "PutItem", {"TableName": "shared", "Item": _item(key, "pod")})
    statement = "INSERT INTO \"shared\" VALUE {'id': ?, 'v': 'pod'}"
    pod.call("dynamodb", "ExecuteStatement", {"Statement": statement, "Parameters": [{"S": "c"}]})
    for name in ("shared", "of-ours"):
        ours.call("dynamodb", "PutItem", {"TableName": name, "Item": _item("b", "ours")})
    writes = {
        name: [{"PutRequest": {"Item": _item(key, "ours")}} for key in ("a", "own")] for name in ("shared", "of-ours")
    }
    ours.call("dynamodb", "BatchWriteItem", {"RequestItems": writes}, {"UnprocessedItems": {}})
    puts = [{"Put": {"TableName": name, "Item": _item("c", "ours")}} for name in ("shared", "of-ours")]
    ours.call("dynamodb", "TransactWriteItems", {"TransactItems": puts})
    statements = [{"Statement": f"UPDATE \"shared\" SET v = 'ours' WHERE id = '{key}'"} for key in ("a", "own")]
    ours.call("dynamodb", "BatchExecuteStatement", {"Statements": statements}, {"Responses": [{}, {}]})
    ours.call("dynamodb", "ExecuteStatement", {"Statement": "DELETE FROM shared WHERE id = 'b'"})
    said, _report = _merged(ours, pod, tmp_path)
    (batch,) = _of(said, "BatchWriteItem")
    left = {
        name: [each["PutRequest"]["Item"]["id"]["S"] for each in writes]
        for name, writes in batch["RequestItems"].items()
    }
    assert left == {"shared": ["own"], "of-ours": ["a", "own"]}
    assert [params["TransactItems"] for params in _of(said, "TransactWriteItems")] == [puts[1:]]
    assert [params["Statements"] for params in _of(said, "BatchExecuteStatement")] == [statements[1:]]
    assert [params["Statement"] for params in _of(said, "ExecuteStatement")] == [statement]
    written = [(each["TableName"], each["Item"]["v"]["S"]) for each in _of(said, "PutItem")]
    assert written == [("shared", "pod"), ("shared", "pod"), ("of-ours", "ours")]


def test_what_each_side_has_left_of_one_batch_is_united(tmp_path: Path) -> None:
    """Two people who load one pod, and take other messages, and other items: together they have all that one of them has."""
    ours, pod = Tape(), Tape()
    for tape, left in ((ours, ("a", "b")), (pod, ("b", "c"))):
        queue(tape, "q")
        table(tape, "t")
        entries = [{"Id": each, "MessageBody": f"message {each}"} for each in left]
        answer = {"Successful": [{"Id": each, "MessageId": f"{each * 8}-1111-4111-8111-111111111111"} for each in left]}
        tape.call("sqs", "SendMessageBatch", {"QueueUrl": queue_url("q"), "Entries": entries}, answer)
        writes = [{"PutRequest": {"Item": _item(each, "x")}} for each in left]
        tape.call("dynamodb", "BatchWriteItem", {"RequestItems": {"t": writes}}, {"UnprocessedItems": {}})
    said, _report = _merged(ours, pod, tmp_path)
    sent = [[each["Id"] for each in params["Entries"]] for params in _of(said, "SendMessageBatch")]
    assert sent == [["b", "c"], ["a"]]
    keys = [
        [each["PutRequest"]["Item"]["id"]["S"] for each in params["RequestItems"]["t"]]
        for params in _of(said, "BatchWriteItem")
    ]
    assert keys == [["b", "c"], ["a"]]


def test_objects_are_the_pods_and_what_ours_read_was_ours(tmp_path: Path) -> None:
    """An object that the pod has is not overwritten, or deleted with others; one that ours copied is there when it is copied."""
    ours, pod = _sides()
    for tape, keys in ((pod, ("both", "code", "kept")), (ours, ("both", "code", "gone"))):
        tape.call("s3", "CreateBucket", {"Bucket": "things"}, protocol="rest-xml", body=b"")
        for key in keys:
            content = b"pod" if tape is pod else b"ours"
            tape.call(
                "s3", "PutObject", {"Bucket": "things", "Key": key, "Body": content}, protocol="rest-xml", body=b""
            )
    copy = {"Bucket": "things", "Key": "copied", "CopySource": "things/code"}
    ours.call(
        "s3", "CopyObject", copy, protocol="rest-xml", body=b"<CopyObjectResult><ETag>1</ETag></CopyObjectResult>"
    )
    objects = [{"Key": each} for each in ("kept", "gone")]
    ours.call(
        "s3", "DeleteObjects", {"Bucket": "things", "Delete": {"Objects": objects}}, protocol="rest-xml", body=b"<a/>"
    )
    said, _report = _merged(ours, pod, tmp_path)
    written = [(params["Key"], params.get("Body", b"")) for name, params in said if name in ("PutObject", "CopyObject")]
    assert written[:3] == [("both", b"pod"), ("code", b"pod"), ("kept", b"pod")]
    assert written[-3:] == [("code", b"ours"), ("copied", b""), ("code", b"pod")]
    assert ("both", b"ours") not in written
    deleted = [each["Key"] for params in _of(said, "DeleteObjects") for each in params["Delete"]["Objects"]]
    assert "kept" not in deleted


def test_what_ours_has_ended_stays_as_the_pod_has_it(tmp_path: Path) -> None:
    """The deletion of something that the pod has is not sent, and neither is an emptying of its queue."""
    ours, pod = _sides()
    for tape in (ours, pod):
        tape.call("ssm", "PutParameter", {"Name": "/p", "Value": "1", "Type": "String"}, {"Version": 1})
        queue(tape, "q")
    ours.call("ssm", "DeleteParameter", {"Name": "/p"})
    ours.call("sqs", "PurgeQueue", {"QueueUrl": queue_url("q")})
    said, _report = _merged(ours, pod, tmp_path)
    assert not _of(said, "DeleteParameter") and not _of(said, "PurgeQueue")
    assert len(_of(said, "PutParameter")) == 1


def test_what_the_pod_has_ended_stays_as_ours_has_it(tmp_path: Path) -> None:
    """Both have the creation from one ancestor, and the pod has the deletion, too."""
    ours, pod = Tape(), Tape()
    for tape in (ours, pod):
        tape.call("ssm", "PutParameter", {"Name": "/p", "Value": "1", "Type": "String"}, {"Version": 1})
        tape.call(
            "iam", "CreateRole", {"RoleName": "r", "AssumeRolePolicyDocument": "{}"}, protocol="query", body=b"<a/>"
        )
    pod.call("ssm", "DeleteParameter", {"Name": "/p"})
    said, _report = _merged(ours, pod, tmp_path)
    operations = [name for name, _params in said]
    assert operations.count("CreateRole") == 1
    assert operations[-1] == "PutParameter"


def test_metrics_of_both_sides_are_told_once(tmp_path: Path) -> None:
    """A datum has no name that two could share: both sides' are there, and a pod that is loaded again adds none."""
    ours, pod = _sides()
    for tape, value in ((ours, 1.0), (pod, 2.0)):
        data = [{"MetricName": name, "Value": value} for name in ("a", "b")]
        tape.call("cloudwatch", "PutMetricData", {"Namespace": "n", "MetricData": data})
    said, _report = _merged(ours, pod, tmp_path)
    assert [params["MetricData"][0]["Value"] for params in _of(said, "PutMetricData")] == [2.0, 1.0]
    again = merge_recordings(
        Files(tmp_path / "merged"), read(tmp_path / "pod"), MergeStrategy.SERVICE, tmp_path / "again"
    )
    assert (again.calls, again.changes_anything) == (len(said), False)


def test_resources_of_one_path_are_one_and_so_is_what_is_below(tmp_path: Path) -> None:
    """Both sides made `/a` and `/a/b` in an API that they have in common: what ours says of its own is said of the pod's."""
    ours, pod = Tape(), Tape()
    for tape in (ours, pod):
        tape.call("apigateway", "CreateRestApi", {"name": "n"}, {"id": "ab12cd34ef", "name": "n"}, protocol="rest-json")
    for _each in range(5):
        queue(pod, "moments")
    for tape, ids in ((ours, ("ours11aaaa", "ours22bbbb")), (pod, ("pods11aaaa", "pods22bbbb"))):
        for own, parent, part in ((ids[0], "root000000", "a"), (ids[1], ids[0], "b")):
            given = {"restApiId": "ab12cd34ef", "parentId": parent, "pathPart": part}
            tape.call("apigateway", "CreateResource", given, {"id": own, "parentId": parent}, protocol="rest-json")
    method = {"restApiId": "ab12cd34ef", "resourceId": "ours22bbbb", "httpMethod": "GET", "authorizationType": "NONE"}
    ours.call("apigateway", "PutMethod", method, {"httpMethod": "GET"}, protocol="rest-json")
    said, report = _merged(ours, pod, tmp_path)
    assert len(_of(said, "CreateResource")) == 2
    assert [params["resourceId"] for params in _of(said, "PutMethod")] == ["pods22bbbb"]
    assert report.united == {"ours11aaaa": "pods11aaaa", "ours22bbbb": "pods22bbbb"}


def test_a_resource_of_both_has_the_identifiers_that_the_pod_drew(tmp_path: Path) -> None:
    """A secret's ARN ends in letters that the emulator draws: what ours says by its own ARN is said by the pod's."""
    ours, pod = _sides()
    arns = {side: f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:s-{side}" for side in ("OurAbC", "PodDeF")}
    for tape, arn in ((ours, arns["OurAbC"]), (pod, arns["PodDeF"])):
        tape.call("secretsmanager", "CreateSecret", {"Name": "s", "SecretString": arn[-3:]}, {"Name": "s", "ARN": arn})
    tags = [{"Key": "k", "Value": "v"}]
    ours.call("secretsmanager", "TagResource", {"SecretId": arns["OurAbC"], "Tags": tags})
    said, _report = _merged(ours, pod, tmp_path)
    assert [params["SecretString"] for params in _of(said, "CreateSecret")] == ["DeF"]
    assert [params["SecretId"] for params in _of(said, "TagResource")] == [arns["PodDeF"]]


def test_natural_keys_are_of_kinds_and_members_that_there_are() -> None:
    for (service, noun), members in natural_keys().items():
        kind = kind_named(service, noun)
        assert kind is not None, (service, noun)
        shapes = [operation_model(service, operation).input_shape for operation in kind.made_by]
        for path in members:
            member, _, below = path.partition(".")
            assert any(
                member in shape.members and (not below or below in shape.members[member].members) for shape in shapes
            )


@pytest.mark.parametrize(
    ("statement", "parameters", "expected"),
    [
        ("INSERT INTO \"t\" VALUE {'id': 'k''1', 'n': -1.5, 's': <<'a'>>, 'm': {'b': true, 'l': [?, null]}}", ["x"],
         ("put", {"id": {"S": "k'1"}, "n": {"N": "-1.5"}, "s": {"SS": ["a"]},
                  "m": {"M": {"b": {"BOOL": True}, "l": {"L": [{"S": "x"}, {"NULL": True}]}}}})),
        ("update t set v = ?, w = w + 1 where id = ? and \"r\" = 5 returning all old *;", ["v", "k"],
         ("update", {"id": {"S": "k"}, "r": {"N": "5"}})),
        ("DELETE FROM \"t\" WHERE id = 'a'", [], ("delete", {"id": {"S": "a"}})),
        ("DELETE FROM \"t\" WHERE id = 'a' OR id = 'b'", [], None),
        ("SELECT * FROM t WHERE id = 'a'", [], None),
        ("INSERT INTO t VALUE {'id' 'k'}", [], None),
        ("INSERT INTO t VALUE {'id': ?}", [], None),
        ("UPDATE t", [], None),
        ("", [], None),
    ],
)  # fmt: skip
def test_statements_name_their_item(statement: str, parameters: list[str], expected: Any) -> None:
    found = parse_statement(statement, [{"S": each} for each in parameters])
    assert (found and (found.verb, dict(found.item))) == expected
    assert found is None or found.table == "t"
    assert orjson.dumps(statement)


@pytest.mark.parametrize("strategy", list(MergeStrategy))
def test_a_pod_of_which_nothing_can_be_carried_out_is_refused_as_a_whole(
    tmp_path: Path, strategy: MergeStrategy
) -> None:
    """Its calls would control an emulator; with one that can be sent among them, it is loaded."""
    ours, pod = _sides()
    queue(ours, "ours")
    pod.items.clear()
    queue(pod, "q")
    harmless = pod.items[0]
    assert isinstance(harmless, Record)
    target = replace(harmless.request, target="/_localstack/state/reset")
    pod.items[0] = replace(harmless, request=target)
    place = Files(ours.write(tmp_path / "ours"))
    with pytest.raises(PodError, match=r"none of the pod's calls can be carried out \(1 call\).*control an emulator"):
        merge_recordings(place, read(pod.write(tmp_path / "pod")), strategy, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    pod.items.append(replace(harmless, seq=2))
    report = merge_recordings(place, read(pod.write(tmp_path / "other")), strategy, None)
    assert report.services["sqs"].added
