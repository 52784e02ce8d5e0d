"""What explains an identifier, what needs a witness, and how much is remembered of what passes."""

from __future__ import annotations

import json
import random
import tracemalloc
import uuid
from dataclasses import replace
from typing import Any

import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.replay import witness_detector as module
from replay_proxy.replay.fingerprints import Fingerprints
from replay_proxy.replay.witness_detector import BODY_BYTES_MAX, Verdict, WitnessDetector

JSON = Headers([("Content-Type", "application/x-amz-json-1.0")])


def call(service: str, operation: str, **parameters: Any) -> tuple[CallHead, Request]:
    return CallHead(service, operation, "json"), Request("POST", "/", JSON, json.dumps(parameters).encode())


def answer(**result: Any) -> Answer:
    return Answer(200, JSON, json.dumps(result).encode())


def words(count: int, seed: int) -> str:
    drawn = random.Random(seed)
    return " ".join(f"{drawn.getrandbits(64):016x}" for _ in range(count))


PAYLOADS = {
    "a message": lambda text: call("sqs", "SendMessage", QueueUrl="http://h/1/q", MessageBody=text),
    "attributes of a message": lambda text: call(
        "sqs",
        "SendMessage",
        QueueUrl="http://h/1/q",
        MessageBody="m",
        MessageAttributes={"a": {"DataType": "String", "StringValue": text}},
    ),
    "an item": lambda text: call("dynamodb", "PutItem", TableName="t", Item={"id": {"S": text}, "b": {"M": {}}}),
    "a literal": lambda text: call("dynamodb", "ExecuteStatement", Statement=f"INSERT INTO t VALUE {{'a': '{text}'}}"),
    "records of a stream": lambda text: call("kinesis", "PutRecord", StreamName="s", Data=text, PartitionKey="p"),
    "log lines": lambda text: call("logs", "PutLogEvents", logEvents=[{"timestamp": 1, "message": text}]),
    "a secret": lambda text: call("secretsmanager", "PutSecretValue", SecretId="s", SecretString=text),
    "an object": lambda text: (
        CallHead("s3", "PutObject", "rest-xml"),
        Request("PUT", "/b/k", Headers(), text.encode()),
    ),
    "a published message": lambda text: (
        CallHead("sns", "Publish", "query"),
        Request("POST", "/", Headers(), b"Action=Publish&TopicArn=t&Message=" + text.replace(" ", "+").encode()),
    ),
}


@pytest.mark.parametrize("kind", PAYLOADS)
def test_of_payload_nothing_is_remembered(kind: str) -> None:
    witness_detector = WitnessDetector()
    for seed in range(50):
        witness_detector.explain(*PAYLOADS[kind](words(1_000, seed)), answer())
    # Of 50,000 words; what a secret holds is remembered as one, as a whole.
    assert len(witness_detector._data) + len(witness_detector._infrastructure) < 100


def test_many_distinct_calls_have_a_bound_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INFRASTRUCTURE_BYTES_MAX", 1 << 15)
    monkeypatch.setattr(module, "DATA_BYTES_MAX", 1 << 15)
    witness_detector = WitnessDetector()

    def pass_by(begin: int, end: int) -> None:
        for number in range(begin, end):
            put = call("ssm", "PutParameter", Name=f"/a/{number:x}", Value=f"value-{number}")
            witness_detector.explain(*put, answer(Version=1))
            sent = answer(MessageId=f"{number:08x}-aaaa-bbbb-cccc")
            witness_detector.explain(*call("sqs", "SendMessage", QueueUrl="q"), sent)

    pass_by(0, 100)  # the models are loaded
    tracemalloc.start()
    try:
        pass_by(100, 6_000)
        held, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert witness_detector.bytes_held <= 1 << 16
    assert held < 1 << 18


def test_data_does_not_displace_infrastructure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DATA_BYTES_MAX", 1 << 15)
    witness_detector = WitnessDetector()
    arn = "arn:aws:sns:us-east-1:123456789012:topic-0123456789"
    made = CallHead("kms", "CreateKey", "json"), Request("POST", "/", JSON, b"{}")
    witness_detector.explain(*made, answer(KeyMetadata={"KeyId": "0b9a5f3c-4a3e-4f0e-9d5b-1f2e3d4c5b6a", "Arn": arn}))
    for number in range(20_000):
        witness_detector.explain(
            *call("sqs", "SendMessage", QueueUrl="q"), answer(MessageId=f"{number:08x}-aaaa-bbbb-cccc")
        )
    read = call("kms", "DescribeKey", KeyId="alias/a")
    shown = answer(KeyMetadata={"KeyId": "0b9a5f3c-4a3e-4f0e-9d5b-1f2e3d4c5b6a"})
    assert not witness_detector.is_witness(*read, shown)
    assert witness_detector.is_witness(*read, answer(KeyMetadata={"KeyId": "5f3c0b9a-4a3e-4f0e-9d5b-1f2e3d4c5b6a"}))


def test_a_read_of_payload_that_looks_like_an_identifier_is_no_witness() -> None:
    witness_detector = WitnessDetector()
    read = CallHead("s3", "HeadObject", "rest-xml"), Request("HEAD", "/bucket/key", Headers())
    fields = Headers([("ETag", '"e"'), ("x-amz-meta-orderId", "order-1234567890")])
    assert not witness_detector.is_witness(*read, Answer(200, fields))
    versioned = Headers([*fields.pairs, ("x-amz-version-id", "n0t.explained-1234567890")])
    assert witness_detector.is_witness(*read, Answer(200, versioned))


def test_what_a_client_named_in_a_reference_is_explained() -> None:
    witness_detector = WitnessDetector()
    name = "arn:aws:lambda:us-east-1:123456789012:function:resize-images-01"
    read = call("events", "ListTargetsByRule", Rule="r")
    shown = answer(Targets=[{"Id": "target-000001", "Arn": name}])
    assert witness_detector.is_witness(*read, shown)
    witness_detector.explain(
        *call("events", "PutTargets", Rule="r", Targets=[{"Id": "target-000001", "Arn": name}]), answer()
    )
    assert not witness_detector.is_witness(*read, shown)


def test_a_witness_explains_what_it_shows_also_in_cbor() -> None:
    witness_detector = WitnessDetector()
    head = CallHead("kinesis", "DescribeStreamSummary", "smithy-rpc-v2-cbor")
    cbor = Headers([("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")])
    arn = b"arn:aws:kinesis:us-east-1:123456789012:stream/clicks-2024"
    body = b"\xa1\x78\x18StreamDescriptionSummary\xa1\x69StreamARN\x78" + bytes([len(arn)]) + arn
    request = Request("POST", "/service/Kinesis_20131202/operation/DescribeStreamSummary", cbor, b"\xa0")
    shown = Answer(200, cbor, body)
    assert witness_detector.is_witness(head, request, shown)
    witness_detector.explain(head, request, shown)
    assert not witness_detector.is_witness(head, request, shown)


def test_bodies_that_are_too_large_are_not_looked_into() -> None:
    witness_detector = WitnessDetector()
    filler = "x" * BODY_BYTES_MAX
    made = answer(KeyMetadata={"KeyId": "0b9a5f3c-4a3e-4f0e-9d5b-1f2e3d4c5b6a", "Description": filler})
    assert not witness_detector.is_witness(*call("kms", "DescribeKey", KeyId="alias/a"), made)
    witness_detector.explain(*call("kms", "CreateKey", Description=words(BODY_BYTES_MAX // 16, 1)), made)
    assert len(witness_detector._infrastructure) == 0


def test_a_full_set_forgets_and_a_read_is_a_witness_again(monkeypatch: pytest.MonkeyPatch) -> None:
    witness_detector = WitnessDetector()
    monkeypatch.setattr(witness_detector, "_infrastructure", Fingerprints(1 << 15))
    key = {"KeyId": "0b9a5f3c-4a3e-4f0e-9d5b-1f2e3d4c5b6a"}
    read, shown = call("kms", "DescribeKey", KeyId="alias/a"), answer(KeyMetadata=key)
    witness_detector.explain(*call("kms", "CreateKey"), shown)
    assert not witness_detector.is_witness(*read, shown)
    for number in range(10_000):
        witness_detector.explain(
            *call("kms", "CreateKey"), answer(KeyMetadata={"KeyId": f"{number:08x}-4a3e-4f0e-9d5b-1f2e"})
        )
    assert witness_detector.is_witness(*read, shown)


@pytest.mark.parametrize(
    ("read", "shown"),
    [
        (
            call("servicediscovery", "GetOperation", OperationId="op"),
            {"Operation": {"Targets": {"NAMESPACE": "nsqwer"}}},
        ),
        (call("ecs", "ListTasks", cluster="c"), {"taskArns": ["abcde"]}),
        (call("dynamodb", "ListTables"), {"TableNames": ["generated"]}),
        (call("codebuild", "ListBuilds"), {"ids": ["4711"]}),
        (call("kms", "ListKeys", Marker="page-2"), {"Keys": [{"KeyId": "zzzz"}]}),
        (
            call("acm", "DescribeCertificate", CertificateArn="op"),
            {"Certificate": {"DomainValidationOptions": [{"ResourceRecord": {"Value": "drawn.acm.example."}}]}},
        ),
    ],
    ids=["a value in a map", "letters alone", "a name", "digits alone", "a later page", "a record of a certificate"],
)
def test_an_identifier_is_told_by_its_member(read: tuple[CallHead, Request], shown: dict[str, Any]) -> None:
    witness_detector = WitnessDetector()
    witness_detector.explain(*call("servicediscovery", "CreateHttpNamespace", Name="c"), answer(OperationId="op"))
    assert witness_detector.is_witness(*read, answer(**shown)) is Verdict.WITNESS
    witness_detector.explain(*read, answer(**shown))
    assert witness_detector.is_witness(*read, answer(**shown)) is Verdict.NOTHING_NEW


def test_an_arn_is_an_identifier_in_any_member() -> None:
    """What an alarm does is called `AlarmActions`: a text by its member, and whom it tells all the same."""
    witness_detector = WitnessDetector()
    described = call("cloudwatch", "DescribeAlarms")
    one = {"AlarmName": "a", "AlarmDescription": "made-by-drawn1"}
    witness_detector.explain(*call("cloudwatch", "PutMetricAlarm", AlarmName="a"), answer())
    assert witness_detector.is_witness(*described, answer(MetricAlarms=[one])) is Verdict.NOTHING_NEW
    action = {"AlarmActions": ["arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:drawn1:policyName/p"]}
    shown = answer(MetricAlarms=[one | action])
    assert witness_detector.is_witness(*described, shown) is Verdict.WITNESS
    large = Answer(200, JSON)
    assert witness_detector.is_large_witness(*described, large, lambda: iter([shown.body])) is Verdict.WITNESS
    witness_detector.explain(*described, shown)
    assert witness_detector.is_witness(*described, shown) is Verdict.NOTHING_NEW


def test_a_read_that_names_what_nothing_explains_explains_nothing() -> None:
    witness_detector = WitnessDetector()
    one = {"KeyId": "key-drawn", "Arn": "arn:aws:kms:us-east-1:123456789012:key/key-drawn", "AWSAccountId": "owner1"}
    described = call("kms", "DescribeKey", KeyId="key-drawn")
    assert witness_detector.is_witness(*described, answer(KeyMetadata=one)) is Verdict.DEPENDENT
    witness_detector.note_dependent(*described)
    assert witness_detector.is_witness(*described, answer(KeyMetadata=one)) is Verdict.NOTHING_NEW
    elsewhere = replace(described[0], region="eu-west-1"), described[1]
    assert witness_detector.is_witness(*elsewhere, answer(KeyMetadata=one)) is Verdict.DEPENDENT
    listed = call("kms", "ListKeys"), answer(Keys=[{"KeyId": "key-drawn"}])
    assert witness_detector.is_witness(*listed[0], listed[1]) is Verdict.WITNESS
    witness_detector.explain(*listed[0], listed[1])
    # Now that something teaches the name, the read is a witness by itself.
    again = call("kms", "DescribeKey", KeyId="key-drawn", GrantTokens=[])
    assert witness_detector.is_witness(*again, answer(KeyMetadata=one)) is Verdict.WITNESS


def test_a_read_that_shows_only_what_it_names_is_no_witness() -> None:
    read = call("kms", "DescribeKey", KeyId="key-drawn")
    assert WitnessDetector().is_witness(*read, answer(KeyMetadata={"KeyId": "key-drawn"})) is Verdict.NOTHING_NEW


def test_of_a_large_answer_every_identifier_counts() -> None:
    witness_detector = WitnessDetector()
    read = call("kms", "ListKeys")
    bare = Answer(200, JSON)

    def listing(*keys: str) -> list[bytes]:
        body = json.dumps({"Keys": [{"KeyId": key} for key in keys]}).encode()
        return [body[at : at + 1000] for at in range(0, len(body), 1000)]

    keys = [f"key-{number}" for number in range(5_000)]
    assert witness_detector.is_large_witness(*read, bare, lambda: iter(listing(*keys))) is Verdict.WITNESS
    witness_detector.explain_large(*read, bare, lambda: iter(listing(*keys)))
    assert witness_detector.is_large_witness(*read, bare, lambda: iter(listing(*keys))) is Verdict.NOTHING_NEW
    assert witness_detector.is_large_witness(*read, bare, lambda: iter(listing(*keys, "new"))) is Verdict.WITNESS


def test_what_a_secret_holds_is_a_witness_unless_somebody_has_put_it_in() -> None:
    witness_detector = WitnessDetector()
    listed = call("secretsmanager", "ListSecrets"), answer(SecretList=[{"Name": "made", "VersionId": "v-1"}])
    witness_detector.explain(*listed[0], listed[1])
    read = call("secretsmanager", "GetSecretValue", SecretId="made")

    def verdict(value: str, **more: str) -> Verdict:
        return witness_detector.is_witness(*read, answer(Name="made", SecretString=value, **more))

    assert verdict("drawn by a stack") is Verdict.WITNESS
    witness_detector.explain(*read, answer(Name="made", SecretString="drawn by a stack"))
    assert verdict("drawn by a stack") is Verdict.NOTHING_NEW
    put = call("secretsmanager", "PutSecretValue", SecretId="made", SecretString='it\'s {"p": "q"} \n \u00e9')
    witness_detector.explain(*put, answer(Name="made"))
    assert verdict('it\'s {"p": "q"} \n \u00e9') is Verdict.NOTHING_NEW
    assert verdict("another one") is Verdict.WITNESS


def test_what_secrets_hold_is_a_witness_also_where_a_list_shows_it() -> None:
    witness_detector = WitnessDetector()
    read = call("secretsmanager", "BatchGetSecretValue", SecretIdList=["made", "other"])

    def values(first: str) -> Answer:
        names = {"made": first, "other": "put in"}
        return answer(SecretValues=[{"Name": name, "SecretString": value} for name, value in names.items()])

    put = call("secretsmanager", "PutSecretValue", SecretId="other", SecretString="put in")
    witness_detector.explain(*put, answer(Name="other"))
    witness_detector.explain(*call("secretsmanager", "ListSecrets"), answer(SecretList=[{"Name": "made"}]))
    assert witness_detector.is_witness(*read, values("put in")) is Verdict.NOTHING_NEW
    assert witness_detector.is_witness(*read, values("drawn by a stack")) is Verdict.WITNESS
    witness_detector.explain(*read, values("drawn by a stack"))
    assert witness_detector.is_witness(*read, values("drawn by a stack")) is Verdict.NOTHING_NEW


def test_the_value_of_an_api_key_is_a_witness_of_its_own() -> None:
    witness_detector = WitnessDetector()
    witness_detector.explain(*call("cloudformation", "DescribeStacks"), answer(Stacks=[{"Outputs": []}]))
    read = CallHead("apigateway", "GetApiKey", "rest-json"), Request("GET", "/apikeys/091c0849", Headers())
    witness_detector.explain(*read, answer(id="091c0849"))
    assert witness_detector.is_witness(*read, answer(id="091c0849", value="fe32daf2147f409f")) is Verdict.WITNESS


def test_the_print_of_code_is_a_witness_unless_the_call_that_brought_the_code_showed_it() -> None:
    def function(code: str) -> Answer:
        return answer(FunctionName="f", CodeSha256=code, CodeSize=180)

    witness_detector = WitnessDetector()
    brought = Request("POST", "/2015-03-31/functions", JSON, b'{"FunctionName": "f"}')
    target = "/2015-03-31/functions/f/configuration"
    read = CallHead("lambda", "GetFunctionConfiguration", "rest-json"), Request("GET", target, Headers())
    witness_detector.explain(CallHead("lambda", "CreateFunction", "rest-json"), brought, function("choiV7fAP3tpwxdo="))
    assert witness_detector.is_witness(*read, function("choiV7fAP3tpwxdo=")) is Verdict.NOTHING_NEW
    assert witness_detector.is_witness(*read, function("pDKPeacaRcUI04PA=")) is Verdict.WITNESS


def test_a_revision_that_an_update_may_have_to_name_is_a_witness_unless_a_call_showed_it() -> None:
    detector = WitnessDetector()
    made = {"FunctionName": "web", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:web"}
    first, second = ({"RevisionId": str(uuid.UUID(int=number))} for number in (1, 2))
    detector.explain(*call("lambda", "CreateFunction", FunctionName="web"), answer(**made, **first))
    read = call("lambda", "GetFunctionConfiguration", FunctionName="web")
    assert detector.is_witness(*read, answer(**made, **first)) is Verdict.NOTHING_NEW
    shown = answer(**made, **second)
    assert detector.is_witness(*read, shown) is Verdict.WITNESS
    detector.explain(*read, shown)
    assert detector.is_witness(*read, shown) is Verdict.NOTHING_NEW
    listed = call("lambda", "ListFunctions")
    body = json.dumps({"Functions": [{**made, "RevisionId": str(uuid.UUID(int=3))}]}).encode()
    whole = Answer(200, JSON, b"")
    assert detector.is_large_witness(*listed, whole, lambda: iter([body])) is Verdict.WITNESS


def test_the_first_read_that_shows_a_time_of_what_the_emulator_has_by_itself_is_a_witness() -> None:
    witness_detector = WitnessDetector()
    shown = answer(WorkGroup={"Name": "primary", "CreationTime": 1700000000})
    read = call("athena", "GetWorkGroup", WorkGroup="primary")
    assert witness_detector.is_witness(*read, shown) is Verdict.WITNESS
    witness_detector.explain(*read, shown)
    assert not witness_detector.is_witness(*read, shown)
    witness_detector.explain(*call("athena", "CreateWorkGroup", Name="ours"), answer())
    own = answer(WorkGroup={"Name": "ours", "CreationTime": 1700000000})
    assert not witness_detector.is_witness(*call("athena", "GetWorkGroup", WorkGroup="ours"), own)


def test_the_first_read_that_shows_when_a_stack_made_something_is_a_witness() -> None:
    witness_detector = WitnessDetector()

    def queue(operation: str, name: str, **more: Any) -> tuple[CallHead, Request]:
        return call("sqs", operation, QueueUrl=f"http://h/123456789012/{name}", **more)

    shown = answer(Attributes={"CreatedTimestamp": "1700000000"})
    listed = call("sqs", "ListQueues"), answer(QueueUrls=["http://h/123456789012/orders", "http://h/123456789012/jobs"])
    witness_detector.explain(
        *call("sqs", "CreateQueue", QueueName="orders"), answer(QueueUrl="http://h/123456789012/orders")
    )
    witness_detector.explain(*listed[0], listed[1])
    witness_detector.explain(
        *call("cloudformation", "CreateStack", StackName="s", TemplateBody="jobs"), answer(StackId="s")
    )
    # To be changed is not to be made.
    witness_detector.explain(*queue("SetQueueAttributes", "jobs", Attributes={"VisibilityTimeout": "5"}), answer())
    read = queue("GetQueueAttributes", "jobs", AttributeNames=["All"])
    assert witness_detector.is_witness(*read, shown) is Verdict.WITNESS
    assert not witness_detector.is_witness(*queue("GetQueueAttributes", "orders"), shown)
    assert not witness_detector.is_witness(*queue("ListQueueTags", "jobs"), answer(Tags={}))
    assert not witness_detector.is_witness(*read, Answer(400, JSON, b"{}"))
    witness_detector.explain(*read, shown)
    assert not witness_detector.is_witness(*queue("GetQueueAttributes", "jobs", AttributeNames=["X"]), shown)
    # What a stack has made, it may change.
    change = call("cloudformation", "UpdateStack", StackName="s", TemplateBody="jobs, slower"), answer(StackId="s")
    witness_detector.explain(*call("cloudformation", "DescribeStacks"), answer())
    assert not witness_detector.is_witness(*read, shown)
    witness_detector.explain(*change[0], change[1])
    assert witness_detector.is_witness(*read, shown) is Verdict.WITNESS
    witness_detector.explain(*read, shown)
    assert not witness_detector.is_witness(*read, shown)


def test_who_holds_credentials_is_told_once() -> None:
    """An emulator may draw the unique id of a role for each answer."""
    detector = WitnessDetector()
    request = Request("POST", "/", JSON, b"{}")

    def asked(key: str, drawn: str) -> tuple[CallHead, Request, Answer]:
        head = CallHead("sts", "GetCallerIdentity", "json", region="us-east-1", access_key=key)
        return head, request, answer(UserId=f"{drawn}:s", Account="1", Arn="arn:aws:sts::1:assumed-role/role/s")

    given = {"AssumedRoleUser": {"AssumedRoleId": "AROAONE:s", "Arn": "arn:aws:sts::1:assumed-role/role/s"}}
    detector.explain(CallHead("sts", "AssumeRole", "json", region="us-east-1"), request, answer(**given))
    assert detector.is_witness(*asked("ASIAONE", "AROAONE")) is Verdict.WITNESS
    detector.explain(*asked("ASIAONE", "AROAONE"))
    assert detector.is_witness(*asked("ASIAONE", "AROATWO")) is Verdict.NOTHING_NEW
    assert detector.is_witness(*asked("ASIATWO", "AROATWO")) is Verdict.WITNESS


def test_the_first_list_that_shows_when_a_stack_made_something_is_a_witness() -> None:
    """No call that names a bucket tells when it was made."""
    detector = WitnessDetector()
    head = CallHead("s3", "ListBuckets", "rest-xml", region="us-east-1")
    listed = Request("GET", "/", Headers([("Host", "h")]))

    def buckets(*names: str) -> Answer:
        each = "".join(
            f"<Bucket><Name>{name}</Name><CreationDate>2026-01-01T00:00:00Z</CreationDate></Bucket>" for name in names
        )
        body = f"<ListAllMyBucketsResult><Buckets>{each}</Buckets></ListAllMyBucketsResult>".encode()
        return Answer(200, Headers([("Content-Type", "application/xml")]), body)

    making = CallHead("s3", "CreateBucket", "rest-xml", region="us-east-1")
    detector.explain(making, Request("PUT", "/my-logs", Headers([("Host", "h")])), Answer(200, Headers([]), b""))
    detector.explain(*call("cloudformation", "CreateStack", StackName="s", TemplateBody="my-bucket, my-logs"), answer())
    assert not detector.is_witness(head, listed, buckets("my-logs"))
    assert detector.is_witness(head, listed, buckets("my-logs", "my-bucket")) is Verdict.WITNESS
    detector.explain(head, listed, buckets("my-logs", "my-bucket"))
    assert not detector.is_witness(head, listed, buckets("my-logs", "my-bucket"))
