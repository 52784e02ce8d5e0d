"""boto3 against real emulators: what it was given and what it returned is what is read off the wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import orjson
import pytest
from botocore.client import Config
from botocore.exceptions import ClientError

from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.wire.codecs.answers import Outcome, parse_answer
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.recognition.recognise import recognise
from tests.wire.test_roundtrip import same

CAPTURES = sorted((Path(__file__).parent / "captures").glob("*.jsonl"))
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
MISSING = object()


class Listener:
    """Calls through boto3, and keeps what went over the wire."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sent: Any = None
        self.received: Any = None

    def client(self, service: str) -> Any:
        client = boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="000000000000",
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        client.meta.events.register("before-send", self._send)
        client.meta.events.register("response-received", self._receive)
        client.meta.events.register("after-call", self._after)
        return client

    def _send(self, request: Any, **_: Any) -> None:
        body = request.body
        if hasattr(body, "read"):
            body = body.read()
            request.body.seek(0)
        self.sent = (request.method, request.url, list(request.headers.items()), body or b"")

    def _receive(self, response_dict: dict[str, Any], **_: Any) -> None:
        self.received = response_dict

    def _after(self, http_response: Any, **_: Any) -> None:
        self.received = http_response

    def call(self, service: str, method: str, **arguments: Any) -> Any:
        """Make the call; check both directions; give back what boto3 gave."""
        client = self.client(service)
        error: ClientError | None = None
        try:
            result = getattr(client, method)(**arguments)
        except ClientError as raised:
            error, result = raised, raised.response
        method_, url, fields, body = self.sent
        parts = urlsplit(url)
        headers = [(name, value if isinstance(value, str) else value.decode("latin-1")) for name, value in fields]
        request = Request(
            method_,
            parts.path + (f"?{parts.query}" if parts.query else ""),
            Headers([("Host", parts.netloc), *headers]),
            body.encode() if isinstance(body, str) else bytes(body),
        )
        head = recognise(request)
        assert head is not None, request
        assert head.operation == client.meta.method_to_api_mapping[method]
        parsed = parse_parameters(head, request)
        for name, value in arguments.items():
            assert same(parsed.get(name, MISSING), value), (name, value, parsed)
        metadata = result.pop("ResponseMetadata")
        streamed = result["Body"].read() if hasattr(result.get("Body"), "read") else None
        if streamed is not None:
            result["Body"] = streamed
        content = streamed if streamed is not None else getattr(self.received, "content", b"")
        if error is not None:
            content = self._error_content()
        received = list(metadata["HTTPHeaders"].items())
        answer = Answer(metadata["HTTPStatusCode"], Headers(received), content or b"")
        outcome = parse_answer(head, answer, request)
        self._compare(outcome, result, error)
        return result

    def _error_content(self) -> bytes:
        body = self.received["body"] if isinstance(self.received, dict) else self.received.content
        return bytes(body)

    @staticmethod
    def _compare(outcome: Outcome, result: dict[str, Any], error: ClientError | None) -> None:
        if error is None:
            assert outcome.ok
            assert same(outcome.parsed, result), (outcome.parsed, result)
        else:
            assert not outcome.ok
            expected = (result["Error"]["Code"], result["Error"]["Message"])
            assert (outcome.error_code, outcome.error_message) == expected


WITHOUT: Mapping[str, Sequence[str]] = {"localstack": ["dynamodb"]}
"""Services that are left out: LocalStack's DynamoDB is a Java program that it would download, and waits for in vain."""


def story(call: Callable[..., Any], without: Sequence[str] = ()) -> None:
    queue = call("sqs", "create_queue", QueueName="q", Attributes={"DelaySeconds": "1"}, tags={"a": "b"})["QueueUrl"]
    call("sqs", "send_message", QueueUrl=queue, MessageBody="é <&>",
         MessageAttributes={"b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}})  # fmt: skip
    call("sqs", "send_message_batch", QueueUrl=queue, Entries=[{"Id": "1", "MessageBody": "x"}])
    call("sqs", "receive_message", QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    call("sqs", "get_queue_attributes", QueueUrl=queue, AttributeNames=["All"])
    call("sqs", "get_queue_url", QueueName="absent")
    topic = call("sns", "create_topic", Name="t", Tags=[{"Key": "k", "Value": "v"}])["TopicArn"]
    call("sns", "subscribe", TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:q",
         Attributes={"RawMessageDelivery": "true"}, ReturnSubscriptionArn=True)  # fmt: skip
    call("sns", "list_subscriptions_by_topic", TopicArn=topic)
    call("sns", "get_topic_attributes", TopicArn=topic + "x")
    call("s3", "create_bucket", Bucket="bucket-1")
    call("s3", "put_bucket_versioning", Bucket="bucket-1", VersioningConfiguration={"Status": "Enabled"})
    call("s3", "put_object", Bucket="bucket-1", Key="/a//b c+é", Body=b"\x00\xffdata", Metadata={"colour": "blue"},
         ContentType="text/x", CacheControl="no-store", Tagging="a=b")  # fmt: skip
    call("s3", "get_object", Bucket="bucket-1", Key="/a//b c+é")
    call("s3", "head_object", Bucket="bucket-1", Key="/a//b c+é")
    call("s3", "head_object", Bucket="bucket-1", Key="absent")
    call("s3", "list_objects_v2", Bucket="bucket-1", Prefix="/")
    call("s3", "list_object_versions", Bucket="bucket-1")
    call("s3", "put_bucket_tagging", Bucket="bucket-1", Tagging={"TagSet": [{"Key": "k", "Value": "<v>"}]})
    call("s3", "get_bucket_tagging", Bucket="bucket-1")
    call("s3", "get_bucket_location", Bucket="bucket-1")
    upload = call("s3", "create_multipart_upload", Bucket="bucket-1", Key="big")["UploadId"]
    part = call("s3", "upload_part", Bucket="bucket-1", Key="big", UploadId=upload, PartNumber=1, Body=b"part")
    call("s3", "complete_multipart_upload", Bucket="bucket-1", Key="big", UploadId=upload,
         MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})  # fmt: skip
    call("s3", "copy_object", Bucket="bucket-1", Key="copy", CopySource="bucket-1/big")
    call("s3", "delete_objects", Bucket="bucket-1", Delete={"Objects": [{"Key": "copy"}, {"Key": "none"}]})
    call("s3", "get_bucket_policy", Bucket="bucket-1")
    call("s3", "list_buckets")
    if "dynamodb" not in without:
        call("dynamodb", "create_table", TableName="t", BillingMode="PAY_PER_REQUEST",
             KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
             AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])  # fmt: skip
        item = {"id": {"S": "1"}, "b": {"B": b"\x00"}, "m": {"M": {"l": {"L": [{"N": "1"}, {"NULL": True}]}}}}
        call("dynamodb", "put_item", TableName="t", Item=item)
        call("dynamodb", "get_item", TableName="t", Key={"id": {"S": "1"}})
        call("dynamodb", "describe_table", TableName="t")
        call("dynamodb", "describe_table", TableName="absent")
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "v"}]}]
    vpc = call("ec2", "create_vpc", CidrBlock="10.0.0.0/16", TagSpecifications=tags)["Vpc"]["VpcId"]
    call("ec2", "create_subnet", VpcId=vpc, CidrBlock="10.0.1.0/24")
    call("ec2", "describe_vpcs", Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    call("ec2", "describe_vpcs", VpcIds=["vpc-00000000"])
    call("iam", "create_role", RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    call("iam", "put_role_policy", RoleName="r", PolicyName="p", PolicyDocument=json.dumps(TRUST))
    call("iam", "get_role_policy", RoleName="r", PolicyName="p")
    call("sts", "get_caller_identity")
    api = call("apigateway", "create_rest_api", name="api", tags={"k": "v"})["id"]
    call("apigateway", "get_resources", restApiId=api, limit=5)
    call("apigateway", "get_rest_api", restApiId="absent")
    call("kms", "create_key", Description="d")
    call("secretsmanager", "create_secret", Name="s", SecretBinary=b"\x00\x01")
    call("ssm", "put_parameter", Name="/a/b", Value="v", Type="String")
    call("ssm", "get_parameters_by_path", Path="/a", Recursive=True)
    call("cloudwatch", "put_metric_data", Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.5}])
    call("cloudwatch", "list_metrics", Namespace="n")
    call("logs", "create_log_group", logGroupName="/g")
    call("logs", "describe_log_groups")
    call("events", "put_rule", Name="r", ScheduleExpression="rate(5 minutes)")
    call("route53", "create_hosted_zone", Name="example.com.", CallerReference="1")
    call("route53", "list_hosted_zones")
    call("kinesis", "create_stream", StreamName="s", ShardCount=1)
    call("kinesis", "describe_stream_summary", StreamName="s")


@pytest.mark.emulator
def test_both_directions_of_a_story_are_read_as_boto3_reads_them(
    start_emulator: Callable[..., Any], emulator_name: str
) -> None:
    listener = Listener(start_emulator(emulator_name).url)
    story(listener.call, WITHOUT.get(emulator_name, ()))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_every_captured_call_has_parameters(path: Path) -> None:
    """The captures keep the bodies of forms only: paths, query strings and headers are what is read here."""
    calls = 0
    for line in path.read_bytes().splitlines():
        capture = orjson.loads(line)
        fields = Headers((name, value) for name, value in capture["headers"])
        request = Request(capture["method"], capture["target"], fields, capture["body"].encode())
        head = recognise(request)
        if head is not None and head.operation != "PostObject":
            calls += 1
            assert isinstance(parse_parameters(head, request), dict)
    assert calls > 10
