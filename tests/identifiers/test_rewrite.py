from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.table import scan
from replay_proxy.identifiers.table.alias_table import AliasKind, AliasTable, Scope
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.parameters import parse_parameters
from tests.support.processes import amount

from .messages import answer, identifiers, json_answer, run_ids, wire_request, xml_answer

C, E = "vpc-0c11111111111111", "vpc-0e22222222222222222"
C2, E2 = "a1b2c3d4e5", "z9y8x7w6v5"
QUEUE, TOPIC = "http://localhost:4566/1/queue", "arn:aws:sns:us-east-1:1:topic"
UPLOAD_C, UPLOAD_E = "up/load+c1d2e3==", "Emul4tor.upload_id"


@pytest.fixture
def table() -> AliasTable:
    table = AliasTable()
    for client, emulator in ((C, E), (C2, E2), (UPLOAD_C, UPLOAD_E)):
        table.add(client, emulator, scope=Scope("", "us-east-1"))
    return table


def sent(table: AliasTable, service: str, method: str, **params: Any) -> tuple[Request, Request, dict[str, Any]]:
    """A request before and after, and the parameters that the emulator reads."""
    request, head = wire_request(service, method, **params)
    result = request_to_emulator(request, head, table)
    return request, result, parse_parameters(head, result)


def test_ec2_form(table: AliasTable) -> None:
    request, result, params = sent(table, "ec2", "create_subnet", VpcId=C, CidrBlock="10.0.0.0/24")
    assert params["VpcId"] == E
    assert result.headers.get("content-length") == str(len(result.body))
    assert result.target is request.target


def test_query_form_with_a_policy_in_it(table: AliasTable) -> None:
    policy = json.dumps(
        {"Statement": [{"Resource": f"arn:aws:ec2:us-east-1:000000000000:vpc/{C}", "Sid": "a\nb"}]}, indent=1
    )
    _, _, params = sent(table, "iam", "create_policy", PolicyName="p", PolicyDocument=policy)
    assert params["PolicyDocument"] == policy.replace(C, E)


def test_cloudformation_template_in_json_in_a_form(table: AliasTable) -> None:
    template = json.dumps({"Resources": {"X": {"Properties": {"UserData": f"#!/bin/sh\n{C}\necho {C}"}}}})
    _, _, params = sent(table, "cloudformation", "create_stack", StackName="s", TemplateBody=json.dumps(template))
    assert params["TemplateBody"] == json.dumps(template).replace(C, E)


def test_json_body(table: AliasTable) -> None:
    _, result, params = sent(
        table,
        "secretsmanager",
        "put_resource_policy",
        SecretId="s",
        ResourcePolicy=json.dumps({"a": f"x/{C}"}),
    )
    assert json.loads(params["ResourcePolicy"]) == {"a": f"x/{E}"}
    assert int(result.headers.get("content-length")) == len(result.body)


def test_rest_path(table: AliasTable) -> None:
    _, result, params = sent(table, "apigateway", "get_resources", restApiId=C2)
    assert params["restApiId"] == E2 and result.target.startswith(f"/restapis/{E2}/")


def test_rest_query_with_a_compound_identifier(table: AliasTable) -> None:
    request, result, params = sent(table, "s3", "list_parts", Bucket="b", Key="k", UploadId=UPLOAD_C)
    assert quote(UPLOAD_C, safe="") in request.target
    assert params["UploadId"] == UPLOAD_E and quote(UPLOAD_E, safe="") in result.target


def test_a_plain_identifier_that_becomes_a_compound_one_is_percent_encoded_in_a_url() -> None:
    table = AliasTable()
    table.add("plainversion1", "a/b+c=d1234", scope=Scope("", "us-east-1"))
    _, result, params = sent(table, "s3", "get_object", Bucket="b", Key="k", VersionId="plainversion1")
    assert params["VersionId"] == "a/b+c=d1234" and "a%2Fb%2Bc%3Dd1234" in result.target


def test_copy_source_header(table: AliasTable) -> None:
    source = {"Bucket": "b", "Key": "k", "VersionId": C2}
    _, _, params = sent(table, "s3", "copy_object", Bucket="b", Key="n", CopySource=source)
    assert params["CopySource"] == f"b/k?versionId={E2}"


def test_cbor_request(table: AliasTable) -> None:
    from .test_cbor import encoded

    body = encoded({"StreamName": "s", "StreamId": C, "Data": b"x"})
    headers = Headers([("Content-Type", "application/x-amz-cbor-1.1"), ("Content-Length", str(len(body)))])
    head = CallHead("kinesis", "PutRecord", "json", region="us-east-1")
    result = request_to_emulator(Request("POST", "/", headers, body), head, table)
    assert result.body == encoded({"StreamName": "s", "StreamId": E, "Data": b"x"})
    assert result.headers.get("content-length") == str(len(result.body))


def test_checksums_of_a_changed_body_fit(table: AliasTable) -> None:
    request, result, params = sent(
        table,
        "s3",
        "put_bucket_tagging",
        Bucket="b",
        Tagging={"TagSet": [{"Key": "vpc", "Value": C}]},
        ChecksumAlgorithm="SHA256",
    )
    assert params["Tagging"]["TagSet"] == [{"Key": "vpc", "Value": E}]
    body = result.body
    assert isinstance(body, bytes) and body != request.body
    assert result.headers.get("x-amz-checksum-sha256") == base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert result.headers.get("x-amz-content-sha256") == hashlib.sha256(body).hexdigest()


def test_a_compressed_body_is_sent_unpacked_where_it_changes(table: AliasTable) -> None:
    body = gzip.compress(json.dumps({"a": C}).encode())
    headers = Headers([("Content-Encoding", "gzip"), ("Content-Length", str(len(body)))])
    head = CallHead("ssm", "PutParameter", "json", region="us-east-1")
    result = request_to_emulator(Request("POST", "/", headers, body), head, table)
    assert result.body == json.dumps({"a": E}).encode() and "content-encoding" not in result.headers
    other = Request("POST", "/", headers, gzip.compress(b"{}"))
    assert request_to_emulator(other, head, table) is other


@pytest.mark.parametrize(
    ("service", "method", "params", "payload"),
    [
        ("sqs", "send_message", {"QueueUrl": QUEUE, "MessageBody": C}, ["MessageBody"]),
        ("sns", "publish", {"TopicArn": TOPIC, "Message": C, "Subject": C}, ["Message", "Subject"]),
        (
            "dynamodb",
            "put_item",
            {"TableName": C2, "Item": {C: {"S": C}, "m": {"M": {"x": {"S": C}}}}},
            ["Item"],
        ),
        ("secretsmanager", "create_secret", {"Name": C2, "SecretString": C}, ["SecretString"]),
        (
            "logs",
            "put_log_events",
            {"logGroupName": C2, "logStreamName": "s", "logEvents": [{"timestamp": 1, "message": C}]},
            ["logEvents"],
        ),
        (
            "stepfunctions",
            "start_execution",
            {"stateMachineArn": f"arn:aws:states:us-east-1:1:x:{C2}", "input": json.dumps({"a": C})},
            ["input"],
        ),
        (
            "events",
            "put_events",
            {"Entries": [{"Source": "s", "DetailType": "d", "Detail": json.dumps({"a": C})}]},
            ["Entries"],
        ),
        (
            "sns",
            "subscribe",
            {"TopicArn": TOPIC, "Protocol": "sqs", "Attributes": {"FilterPolicy": json.dumps({"a": [C]})}},
            ["Attributes"],
        ),
        ("kinesis", "put_record", {"StreamName": C2, "Data": C.encode(), "PartitionKey": "p"}, ["Data"]),
    ],
)
def test_payload_stays_while_references_change(
    table: AliasTable, service: str, method: str, params: dict[str, Any], payload: list[str]
) -> None:
    request, head = wire_request(service, method, **params)
    before, after = (
        parse_parameters(head, request),
        parse_parameters(head, request_to_emulator(request, head, table)),
    )
    for member in payload:
        if member == "Item":  # attribute names are not values
            assert after["Item"][E] == before["Item"][C] and after["Item"]["m"] == before["Item"]["m"]
        else:
            assert after[member] == before[member]
    if C2 in str(params):
        assert E2 in str(after) and C2 not in str({k: v for k, v in after.items() if k not in payload})


def test_bodies_of_objects_and_invocations_stay(table: AliasTable) -> None:
    body = json.dumps({"a": C}).encode()
    for service, method, params in (
        ("s3", "put_object", {"Bucket": "b", "Key": "k", "Body": body, "ContentType": "application/json"}),
        ("lambda", "invoke", {"FunctionName": "f", "Payload": body}),
    ):
        request, head = wire_request(service, method, **params)
        assert request_to_emulator(request, head, table) is request


def test_an_imported_api_is_a_document_of_references(table: AliasTable) -> None:
    body = f"openapi: 3.0.1\nx-vpc-link: {C2}\n".encode()
    _, result, params = sent(table, "apigateway", "import_rest_api", body=body)
    assert params["body"] == body.replace(C2.encode(), E2.encode())
    assert result.headers.get("content-length") == str(len(result.body))


def test_user_metadata_stays(table: AliasTable) -> None:
    request, head = wire_request("s3", "put_object", Bucket=C2, Key="k", Body=b"", Metadata={"vpc": C})
    result = request_to_emulator(request, head, table)
    assert result.headers.get("x-amz-meta-vpc") == C and E2 in result.target


@pytest.mark.parametrize(
    "headers",
    [
        [("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), ("Content-Encoding", "aws-chunked")],
        [("Content-Type", "multipart/form-data; boundary=x")],
        [("Content-Type", "application/vnd.amazon.eventstream")],
        [("Content-Encoding", "br")],
    ],
)
def test_bodies_in_framings_of_their_own_stay(table: AliasTable, headers: list[tuple[str, str]]) -> None:
    request = Request("POST", "/", Headers(headers), f'{{"a": "{C}"}}'.encode())
    head = CallHead("ssm", "PutParameter", "json", region="us-east-1")
    assert request_to_emulator(request, head, table) is request


def test_a_blob_is_not_looked_into_but_its_address_is(table: AliasTable) -> None:
    request = Request("PUT", f"/{C2}/k", Headers([("Host", "localhost")]), BlobRef("0" * 64, 10))
    result = request_to_emulator(request, CallHead("s3", "PutObject", "rest-xml"), table)
    assert result.target == f"/{E2}/k" and result.body is request.body


def test_what_is_no_aws_call_changes_in_address_and_headers_only(table: AliasTable) -> None:
    body = C.encode()
    headers = Headers([("Host", f"{C2}.execute-api.localhost.localstack.cloud:4566"), ("x-api-key", C)])
    request = Request("POST", f"/restapis/{C2}/dev/_user_request_/x?vpc={C}", headers, body)
    result = request_to_emulator(request, None, table)
    assert result.target == f"/restapis/{E2}/dev/_user_request_/x?vpc={E}"
    assert result.headers.get("host") == f"{E2}.execute-api.localhost.localstack.cloud:4566"
    assert result.headers.get("x-api-key") == E and result.body is body


def test_the_credential_keeps_accounts_and_changes_access_keys() -> None:
    table = AliasTable()
    table.add("123456789012", "000000000000", kind=AliasKind.ACCOUNT)
    table.add("AKIACLIENTKEY1", "AKIAEMULATOR12")
    signed = "AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=ab"
    head = CallHead("sts", "GetCallerIdentity", "query")

    def through(key: str, target: str = "/") -> Request:
        request = Request("GET", target.format(key), Headers([("Authorization", signed.format(key))]))
        return request_to_emulator(request, head, table)

    assert "Credential=123456789012/" in through("123456789012").headers.get("authorization")
    assert "Credential=AKIAEMULATOR12/" in through("AKIACLIENTKEY1").headers.get("authorization")
    presigned = "/?RoleArn=arn:aws:iam::123456789012:role/r&X-Amz-Credential={}%2F2026&X-Amz-Signature=AKIACLIENTKEY1"
    assert through("123456789012", presigned).target == presigned.format("123456789012").replace(
        "::123456789012:", "::000000000000:"
    )
    assert "X-Amz-Credential=AKIAEMULATOR12%2F" in through("AKIACLIENTKEY1", presigned).target
    assert "Signature=AKIACLIENTKEY1" in through("AKIACLIENTKEY1", presigned).target


def test_headers_that_carry_or_sign_stay(table: AliasTable) -> None:
    headers = Headers(
        [("User-Agent", C), ("x-amz-security-token", C), ("ETag", C), ("X-Amz-Target", C), ("x-other", C)]
    )
    result = request_to_emulator(Request("GET", "/", headers), CallHead("ssm", "GetParameter", "json"), table)
    assert [value for _, value in result.headers] == [C, C, C, C, E]


def test_answers_in_json_xml_cbor_and_headers(table: AliasTable) -> None:
    from .test_cbor import encoded

    request, head = wire_request("ec2", "describe_vpcs")
    body = f"<DescribeVpcsResponse><vpcSet><item><vpcId>{E}</vpcId></item></vpcSet></DescribeVpcsResponse>".encode()
    result = answer_to_client(xml_answer(body), head, request, table)
    assert parse_answer(head, result).parsed["Vpcs"] == [{"VpcId": C}]
    assert result.headers.get("content-length") == str(len(result.body)) and result.headers.get("x-amzn-requestid")

    request, head = wire_request("ssm", "get_parameter", Name="p")
    result = answer_to_client(json_answer(json.dumps({"Parameter": {"Value": E}}).encode()), head, request, table)
    assert parse_answer(head, result).parsed == {"Parameter": {"Value": C}}

    result = answer_to_client(answer(encoded({"Parameter": {"Value": E}}), "application/cbor"), head, request, table)
    assert result.body == encoded({"Parameter": {"Value": C}})

    request, head = wire_request("s3", "put_object", Bucket="b", Key="k", Body=b"x")
    plain = Answer(200, Headers([("x-amz-version-id", E2), ("ETag", E2), ("Content-Length", "0")]))
    assert answer_to_client(plain, head, request, table).headers.get("x-amz-version-id") == C2
    assert answer_to_client(plain, head, request, table).headers.get("etag") == E2  # a digest of the object

    request, head = wire_request("cloudfront", "get_distribution", Id="d")
    assert answer_to_client(plain, head, request, table).headers.get("etag") == C2  # a token for the next update
    request, head = wire_request("cloudfront", "delete_distribution", Id="d", IfMatch=C2)
    assert request_to_emulator(request, head, table).headers.get("if-match") == E2


def test_payload_in_answers_stays(table: AliasTable) -> None:
    request, head = wire_request("sqs", "receive_message", QueueUrl="http://localhost:4566/1/q")
    document = {"Messages": [{"Body": E, "ReceiptHandle": E2, "MessageAttributes": {"a": {"StringValue": E}}}]}
    result = answer_to_client(json_answer(json.dumps(document).encode()), head, request, table)
    [message] = parse_answer(head, result).parsed["Messages"]
    assert message["Body"] == E and message["MessageAttributes"]["a"]["StringValue"] == E
    assert message["ReceiptHandle"] == C2
    request, head = wire_request("s3", "get_object", Bucket="b", Key="k")
    stored = answer(E.encode(), "text/plain")
    assert answer_to_client(stored, head, request, table) is stored


def test_an_error_names_the_clients_identifier(table: AliasTable) -> None:
    request, head = wire_request("ec2", "describe_vpcs", VpcIds=[C])
    error = f"<Error><Code>InvalidVpcID.NotFound</Code><Message>The vpc ID '{E}' does not exist</Message></Error>"
    body = f"<Response><Errors>{error}</Errors></Response>"
    result = answer_to_client(xml_answer(body.encode(), 400), head, request, table)
    assert parse_answer(head, result).error_message == f"The vpc ID '{C}' does not exist"


def test_a_head_answer_keeps_its_length(table: AliasTable) -> None:
    request, head = wire_request("s3", "head_object", Bucket="b", Key="k")
    plain = Answer(200, Headers([("Content-Length", "123"), ("x-amz-version-id", E2)]))
    result = answer_to_client(plain, head, request, table)
    assert result.headers.get("content-length") == "123" and result.headers.get("x-amz-version-id") == C2


class TestCollisions:
    """The emulator gives a new resource an id under which clients know another one."""

    body = "<CreateVpcResponse><vpc><vpcId>{0}</vpcId><ownerId>1</ownerId></vpc></CreateVpcResponse>"

    def test_a_new_resource_gets_a_fresh_client_id(self, table: AliasTable) -> None:
        request, head = wire_request("ec2", "create_vpc", CidrBlock="10.0.0.0/16")
        result = answer_to_client(xml_answer(self.body.format(C).encode()), head, request, table)
        [minted] = table.take_minted()
        assert parse_answer(head, result).parsed["Vpc"]["VpcId"] == minted.client not in (C, E)
        assert minted.client.startswith("vpc-0") and minted.emulator == C and minted.minted
        again = answer_to_client(xml_answer(self.body.format(C).encode()), head, request, table)
        assert again.body == result.body and table.take_minted() == []
        use, use_head = wire_request("ec2", "delete_vpc", VpcId=minted.client)
        assert parse_parameters(use_head, request_to_emulator(use, use_head, table))["VpcId"] == C
        other, other_head = wire_request("ec2", "delete_vpc", VpcId=C)
        assert parse_parameters(other_head, request_to_emulator(other, other_head, table))["VpcId"] == E

    def test_in_an_arn_too(self, table: AliasTable) -> None:
        request, head = wire_request("sns", "subscribe", TopicArn="arn:aws:sns:us-east-1:1:t", Protocol="sqs")
        arn = f"<SubscriptionArn>arn:aws:sns:us-east-1:1:t:{C2}</SubscriptionArn>"
        body = f"<SubscribeResponse><SubscribeResult>{arn}</SubscribeResult></SubscribeResponse>"
        result = answer_to_client(xml_answer(body.encode()), head, request, table)
        [minted] = table.take_minted()
        assert parse_answer(head, result).parsed["SubscriptionArn"].endswith(f":t:{minted.client}")

    def test_a_read_and_an_echo_are_no_news(self, table: AliasTable) -> None:
        request, head = wire_request("ec2", "describe_vpcs")
        body = f"<DescribeVpcsResponse><vpcSet><item><vpcId>{C}</vpcId></item></vpcSet></DescribeVpcsResponse>".encode()
        read = xml_answer(body)
        assert answer_to_client(read, head, request, table) is read
        request, head = wire_request("ec2", "create_vpc", CidrBlock="10.0.0.0/16", Ipv4IpamPoolId=C)
        echo = xml_answer(self.body.format(C).encode())
        assert answer_to_client(echo, head, request, table) is echo
        assert table.take_minted() == []

    def test_a_text_that_looks_like_one_is_left_alone(self, table: AliasTable) -> None:
        request, head = wire_request("ssm", "put_parameter", Name="p", Value="v")
        echo = json_answer(json.dumps({"Tier": C}).encode())
        assert answer_to_client(echo, head, request, table) is echo


def test_nothing_known_gives_the_identical_object(table: AliasTable) -> None:
    request, head = wire_request("ec2", "create_subnet", VpcId="vpc-unknown1", CidrBlock="10.0.0.0/24")
    assert request_to_emulator(request, head, table) is request
    reply = xml_answer(b"<X><vpcId>vpc-unknown1</vpcId></X>")
    assert answer_to_client(reply, head, request, table) is reply
    assert request_to_emulator(request, head, AliasTable()) is request


MACHINE = "arn:aws:states:us-east-1:1:stateMachine:m"
PAYLOAD_CALLS: list[tuple[str, str, Any]] = [
    ("sqs", "send_message", lambda text: {"QueueUrl": QUEUE, "MessageBody": text}),
    ("sns", "publish", lambda text: {"TopicArn": TOPIC, "Message": text}),
    ("dynamodb", "put_item", lambda text: {"TableName": "Table", "Item": {"a": {"S": text}}}),
    ("secretsmanager", "put_secret_value", lambda text: {"SecretId": "secret-name", "SecretString": text}),
    ("stepfunctions", "start_execution", lambda text: {"stateMachineArn": MACHINE, "input": text}),
    ("lambda", "invoke", lambda text: {"FunctionName": "function", "Payload": text.encode()}),
    ("s3", "put_object", lambda text: {"Bucket": "bucket", "Key": "key", "Body": text.encode()}),
]


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(PAYLOAD_CALLS),
    st.lists(st.tuples(run_ids, identifiers), min_size=1, max_size=4),
    st.text(max_size=40),
)
def test_no_alias_changes_a_payload(call: tuple[str, str, Any], pairs: list[tuple[str, str]], noise: str) -> None:
    service, method, make = call
    table = AliasTable()
    for client, emulator in pairs:
        table.add(client, emulator)
    text = json.dumps({"ids": [client for client, _ in pairs], "noise": noise})
    request, head = wire_request(service, method, **make(text))
    result = request_to_emulator(request, head, table)
    assert result.body == request.body or parse_parameters(head, result) == parse_parameters(head, request)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(identifiers, identifiers), min_size=1, max_size=4), st.data())
def test_a_request_there_and_back_is_the_identity(pairs: list[tuple[str, str]], data: st.DataObject) -> None:
    table = AliasTable()
    for client, emulator in pairs:
        table.add(client, emulator)
    clients = {alias.client for alias in table}
    assume(clients and not {alias.emulator for alias in table} & clients)
    name = data.draw(st.sampled_from(sorted(clients)))
    value = data.draw(st.sampled_from(sorted(clients)))
    head = CallHead("ssm", "PutParameter", "json")
    body = json.dumps({"Name": name, "Value": json.dumps({"Ref": f"arn:aws:x:{value}"})}).encode()
    request = Request(
        "POST",
        f"/{quote(name, safe='')}?x={quote(value, safe='')}",
        Headers([("Content-Length", str(len(body)))]),
        body,
    )
    assume(not any(alias.emulator.encode() in body + request.target.encode() for alias in table))
    there = request_to_emulator(request, head, table)
    reply = Answer(200, there.headers, there.body)
    back = answer_to_client(reply, head, request, table)
    assert back.body == request.body and back.headers.pairs == request.headers.pairs


HEADS = [
    CallHead("sqs", "SendMessageBatch", "json"),
    CallHead("sqs", "SendMessageBatch", "query"),
    CallHead("sns", "SetSubscriptionAttributes", "query"),
    CallHead("dynamodb", "BatchWriteItem", "json"),
    CallHead("s3", "PutBucketTagging", "rest-xml"),
    CallHead("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor"),
    CallHead("nosuch", "Thing", "json"),
    None,
]
_SIGNS = b'{ } [ ] " : , <a> </a> & = % \\ \\u &#x ; \xbf\x7f \xa1t \x1f\x8b'.split()
_BEGINNINGS = [b'{"Entries":[{"MessageBody":"', b"AttributeName=FilterPolicy&AttributeValue=", C.encode()]
bodies = st.lists(st.one_of(st.binary(max_size=6), st.sampled_from([*_SIGNS, *_BEGINNINGS])), max_size=12).map(b"".join)
types = st.sampled_from(["application/json", "application/cbor", "text/xml", "application/x-www-form-urlencoded", ""])


@settings(deadline=None, max_examples=amount(100, 300))
@given(st.sampled_from(HEADS), bodies, types, st.text(st.characters(codec="latin-1"), max_size=20), st.booleans())
def test_nothing_that_somebody_sends_can_break_it(
    head: CallHead | None, body: bytes, content_type: str, text: str, gzipped: bool
) -> None:
    table = AliasTable()
    table.add(C, UPLOAD_E)
    table.add(UPLOAD_C, E2)
    table.add("10.0.0.4", "10.0.0.5")
    fields = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("x-any", text + C)]
    if gzipped:
        fields.append(("Content-Encoding", "gzip"))
    request = Request("POST", f"/{text}{C}?{text}", Headers([*fields, ("Host", text)]), body)
    endpoints = Endpoints("http://127.0.0.1:40123")
    request_to_emulator(request, head, table, endpoints)
    answer_to_client(Answer(200, Headers(fields), body), head, request, table, endpoints)


def test_a_body_changes_also_where_no_header_depends_on_it() -> None:
    """Requests of a journal have no `Content-Length`."""
    table = AliasTable()
    table.add("sg-484a4a9cb910bb220", "sg-2131208d3865a15fc")
    form = Headers([("Content-Type", "application/x-www-form-urlencoded")])
    head = CallHead("ec2", "DeleteSecurityGroup", "ec2")
    request = Request("POST", "/", form, b"Action=DeleteSecurityGroup&GroupId=sg-484a4a9cb910bb220")
    assert request_to_emulator(request, head, table).body == b"Action=DeleteSecurityGroup&GroupId=sg-2131208d3865a15fc"
    answer = Answer(200, Headers([("Content-Type", "text/xml")]), b"<a><groupId>sg-2131208d3865a15fc</groupId></a>")
    assert b"sg-484a4a9cb910bb220" in answer_to_client(answer, head, request, table).body


templates = st.sampled_from(
    [
        '{{"Name":"{0}","Value":"{1} {1}","Policy":"{{\\"a\\":\\"x/{2}\\"}}"}}',
        '{{"MessageBody":"{0}","QueueUrl":"http://h/{1}","Ids":["{2}\\n{0}","{1}-west"]}}',
        "<R><a>{0}</a><b>{1}</b><b>arn:aws:x:{2}/{0}</b><c>{1}{2}</c></R>",
        "Action=X&Name={0}&Entries.1={1}&Attributes={2}%2F{0}",
        '{{"other":"words"}}',
    ]
)


@settings(deadline=None, max_examples=amount(66, 200))
@given(
    st.sampled_from(HEADS),
    st.lists(st.tuples(identifiers, identifiers), min_size=1, max_size=4),
    templates,
    types,
    st.booleans(),
    st.data(),
)
def test_the_short_way_changes_no_message_otherwise_than_the_long_way(
    head: CallHead | None,
    pairs: list[tuple[str, str]],
    template: str,
    content_type: str,
    gzipped: bool,
    data: st.DataObject,
) -> None:
    def table() -> AliasTable:
        made = AliasTable()
        for client, emulator in pairs:
            made.add(client, emulator)
        return made

    draw = st.sampled_from([text for pair in pairs for text in pair])
    first, second, third = data.draw(st.tuples(draw, draw, draw))
    body = template.format(first, second, third).encode()
    fields = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Content-MD5", "x"), ("x-a", second)]
    if gzipped:
        body, fields = gzip.compress(body), [*fields, ("Content-Encoding", "gzip")]
    request = Request("POST", f"/{quote(third, safe='')}", Headers([*fields, ("Host", "localhost")]), body)
    answer = Answer(200, Headers(fields), body, "OK")
    short = request_to_emulator(request, head, table()), answer_to_client(answer, head, request, table())
    with mock.patch.object(scan, "replace_simple", return_value=None):
        long = request_to_emulator(request, head, table()), answer_to_client(answer, head, request, table())
    # A fresh client id for a collision is chosen at random.
    collides = {client for client, _ in pairs} & {first, second, third}
    assert short[0] == long[0] and (short[0] is request) == (long[0] is request)
    assert collides or (short[1] == long[1] and (short[1] is answer) == (long[1] is answer))
