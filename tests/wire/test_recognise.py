"""Recognition, by the forms that requests take. What botocore and other clients send is in `conformance`, `captures`."""

from __future__ import annotations

import gzip

import pytest

from replay_proxy.exchange import BlobRef, CallHead, Headers, Request
from replay_proxy.wire.recognition.recognise import needs_body, recognise

FORM = "application/x-www-form-urlencoded"
LOCAL = "localhost:4566"


def scope(service: str, region: str = "us-east-1", key: str = "AKIAIOSFODNN7EXAMPLE") -> str:
    return (
        f"AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )


def request(
    method: str, target: str, service: str = "", body: bytes = b"", host: str = LOCAL, **headers: str
) -> Request:
    pairs = [("Host", host)]
    if service:
        pairs.append(("Authorization", scope(service)))
    pairs += [(name if "-" in name else name.replace("_", "-"), value) for name, value in headers.items()]
    return Request(method, target, Headers(pairs), body)


def named(made: Request) -> str | None:
    head = recognise(made)
    return f"{head.service}:{head.operation}" if head else None


class TestAccountAndRegion:
    def test_an_access_key_that_is_an_account_is_the_account(self):
        head = recognise(Request("GET", "/", Headers([("Authorization", scope("s3", "eu-west-1", "123456789012"))])))
        assert head == CallHead("s3", "ListBuckets", "rest-xml", "123456789012", "eu-west-1", "123456789012")

    @pytest.mark.parametrize("key", ["AKIAIOSFODNN7EXAMPLE", "test", "1234", "１２３４５６７８９０１２"])
    def test_any_other_access_key_leaves_the_account_to_the_emulator(self, key):
        wire = key.encode().decode("latin-1")
        head = recognise(Request("GET", "/", Headers([("Authorization", scope("s3", key=wire))])))
        assert head and head.account == "" and head.access_key == wire

    def test_sigv4a_has_its_region_in_a_header(self):
        value = "AWS4-ECDSA-P256-SHA256 Credential=AKID/20260101/s3/aws4_request, SignedHeaders=host, Signature=0"
        for region_set, region in (("eu-west-1", "eu-west-1"), ("*", ""), ("eu-west-1,us-east-1", "")):
            head = recognise(
                Request("GET", "/b", Headers([("Authorization", value), ("X-Amz-Region-Set", region_set)]))
            )
            assert head == CallHead("s3", "ListObjects", "rest-xml", "", region, "AKID")

    def test_an_unsigned_request_has_the_region_of_its_host(self):
        made = request(
            "GET",
            "/?Action=ListQueues&Version=2012-11-05",
            host="sqs.eu-central-1.localhost.localstack.cloud",
        )
        assert recognise(made) == CallHead("sqs", "ListQueues", "query", "", "eu-central-1", "")


class TestPresignedLinks:
    def test_sigv4(self):
        query = (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=000000000042%2F20260101%2Feu-west-1%2Fs3%2Faws4_request"
        )
        head = recognise(request("PUT", f"/b/k?{query}&X-Amz-Signature=0"))
        assert head == CallHead("s3", "PutObject", "rest-xml", "000000000042", "eu-west-1", "000000000042")

    def test_sigv2_of_s3(self):
        head = recognise(request("PUT", "/b/k?AWSAccessKeyId=test&Expires=1&Signature=x"))
        assert head == CallHead("s3", "PutObject", "rest-xml", "", "", "test")

    def test_sigv2_of_a_query_service(self):
        head = recognise(request("GET", "/?Action=ListUsers&Version=2010-05-08&AWSAccessKeyId=test&Signature=x"))
        assert head == CallHead("iam", "ListUsers", "query", "", "", "test")

    def test_sigv2_in_a_form(self):
        body = b"Action=ListUsers&Version=2010-05-08&AWSAccessKeyId=000000000042&Signature=x"
        head = recognise(request("POST", "/", body=body, Content_Type=FORM))
        assert head == CallHead("iam", "ListUsers", "query", "000000000042", "", "000000000042")

    def test_sigv2_in_a_header(self):
        made = Request("DELETE", "/b/k", Headers([("Host", LOCAL), ("Authorization", "AWS test:abc=")]))
        assert recognise(made) == CallHead("s3", "DeleteObject", "rest-xml", "", "", "test")


class TestForms:
    @pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=utf-8", FORM.upper(), ""])
    def test_a_form_names_its_action(self, content_type):
        headers = {"Content_Type": content_type} if content_type else {}
        made = request("POST", "/", "sns", b"Version=2010-03-31&Action=Pub%6Cish&Message=Action=Nothing", **headers)
        assert needs_body(made)
        assert named(made) == "sns:Publish"

    def test_a_compressed_form(self):
        body = gzip.compress(b"Action=PutMetricData&Version=2010-08-01&Namespace=n")
        made = request("POST", "/", "monitoring", body, Content_Type=FORM, Content_Encoding="gzip")
        assert named(made) == "cloudwatch:PutMetricData"

    def test_a_form_that_says_gzip_and_is_not(self):
        made = request("POST", "/", "monitoring", b"Action=PutMetricData", Content_Type=FORM, Content_Encoding="gzip")
        assert recognise(made) is None

    def test_a_form_that_lies_in_a_blob(self):
        made = request("POST", "/", "sqs", Content_Type=FORM)
        assert recognise(Request(made.method, made.target, made.headers, BlobRef("0" * 64, 10**9))) is None

    def test_an_unsigned_form_is_known_by_its_version(self):
        body = b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
        assert named(request("POST", "/", body=body, Content_Type=FORM)) == "sts:AssumeRoleWithWebIdentity"

    def test_an_unsigned_form_without_a_version_is_known_by_its_action(self):
        assert named(request("POST", "/", body=b"Action=ListUsers")) == "iam:ListUsers"

    def test_both_versions_of_load_balancing(self):
        for version, service in (("2012-06-01", "elb"), ("2015-12-01", "elbv2")):
            body = f"Action=DescribeLoadBalancers&Version={version}".encode()
            assert named(request("POST", "/", "elasticloadbalancing", body)) == f"{service}:DescribeLoadBalancers"

    def test_an_action_that_no_service_has(self):
        assert named(request("POST", "/", "iam", b"Action=MakeCoffee&Version=2010-05-08", Content_Type=FORM)) is None


class TestNeedsBody:
    @pytest.mark.parametrize(
        "made",
        [
            request("POST", "/", "dynamodb", X_Amz_Target="DynamoDB_20120810.PutItem"),
            request("POST", "/?Action=ListQueues", "sqs", Content_Type=FORM),
            request("POST", "/bucket/key?uploads", "s3"),
            request("POST", "/bucket", "s3", Content_Type="multipart/form-data; boundary=x"),
            request("POST", "/bucket", Content_Type="multipart/form-data; boundary=x"),
            request("POST", "/2015-03-31/functions/f/invocations", "lambda", Content_Type=FORM),
            request("POST", "/restapis/a/b/_user_request_/c", Content_Type=FORM),
            request("POST", "/", host="abc.lambda-url.us-east-1.localhost.localstack.cloud", Content_Type=FORM),
            request("PUT", "/bucket/key", "s3", Content_Type=FORM),
            request("GET", "/", "sqs"),
            request("POST", "/", "monitoring", smithy_protocol="rpc-v2-cbor", Content_Type="application/cbor"),
        ],
        ids=lambda made: f"{made.method} {made.target}",
    )
    def test_not_where_the_headers_say_it(self, made):
        assert not needs_body(made)

    @pytest.mark.parametrize("path", ["/", "/000000000000/orders", "/queue/us-east-1/000000000000/orders"])
    @pytest.mark.parametrize("service", ["", "sqs"])
    def test_where_only_a_form_can_say_it(self, path, service):
        assert needs_body(request("POST", path, service, Content_Type=FORM))
        assert needs_body(request("POST", path, service))


class TestQueueUrls:
    @pytest.mark.parametrize(
        ("host", "path", "region"),
        [
            (LOCAL, "/000000000000/orders", ""),
            (LOCAL, "/000000000000/orders.fifo/", ""),
            (LOCAL, "/queue/eu-west-1/000000000000/orders", "eu-west-1"),
            ("sqs.eu-west-1.localhost.localstack.cloud:4566", "/000000000000/orders", "eu-west-1"),
            ("eu-west-1.queue.localhost.localstack.cloud:4566", "/000000000000/orders", "eu-west-1"),
            ("queue.localhost.localstack.cloud:4566", "/000000000000/orders", ""),
            ("queue.amazonaws.com", "/000000000000/orders", ""),
            ("eu-west-1.queue.amazonaws.com", "/000000000000/orders", "eu-west-1"),
            ("sqs.eu-west-1.amazonaws.com", "/000000000000/orders", "eu-west-1"),
        ],
    )
    def test_every_style_of_queue_url_is_an_endpoint(self, host, path, region):
        expected = CallHead("sqs", "ReceiveMessage", "query", "", region, "")
        assert recognise(request("GET", f"{path}?Action=ReceiveMessage&Version=2012-11-05", host=host)) == expected
        assert recognise(request("POST", path, "", b"Action=ReceiveMessage", host, Content_Type=FORM)) == expected
        json = recognise(request("POST", path, "sqs", b"{}", host, X_Amz_Target="AmazonSQS.ReceiveMessage"))
        assert json and (json.service, json.operation, json.protocol) == ("sqs", "ReceiveMessage", "json")


class TestProtocolsOfOneService:
    def test_cloudwatch_speaks_three(self):
        heads = [
            recognise(
                request(
                    "POST",
                    "/service/GraniteServiceVersion20100801/operation/ListMetrics",
                    "monitoring",
                    smithy_protocol="rpc-v2-cbor",
                )
            ),
            recognise(request("POST", "/", "monitoring", X_Amz_Target="GraniteServiceVersion20100801.ListMetrics")),
            recognise(request("POST", "/", "monitoring", b"Action=ListMetrics&Version=2010-08-01")),
        ]
        assert [head and (head.operation, head.protocol) for head in heads] == [
            ("ListMetrics", "smithy-rpc-v2-cbor"),
            ("ListMetrics", "json"),
            ("ListMetrics", "query"),
        ]

    def test_kinesis_with_cbor_bodies_is_a_json_call_with_another_content_type(self):
        made = request(
            "POST",
            "/",
            "kinesis",
            X_Amz_Target="Kinesis_20131202.PutRecord",
            Content_Type="application/x-amz-cbor-1.1",
        )
        head = recognise(made)
        assert head and (head.operation, head.protocol) == ("PutRecord", "json")


class TestSharedSigningNames:
    @pytest.mark.parametrize(
        ("made", "expected"),
        [
            (request("GET", "/v2/email/account", "ses"), "sesv2:GetAccount"),
            (request("GET", "/2015-01-01/domain", "es"), "es:ListDomainNames"),
            (request("GET", "/2021-01-01/domain", "es"), "opensearch:ListDomainNames"),
            (request("GET", "/v2/apis", "apigateway"), "apigatewayv2:GetApis"),
            (request("GET", "/restapis", "apigateway"), "apigateway:GetRestApis"),
            (
                request("POST", "/", "dynamodb", X_Amz_Target="DynamoDBStreams_20120810.ListStreams"),
                "dynamodbstreams:ListStreams",
            ),
            (request("POST", "/model/a.b%3A0/invoke", "bedrock"), "bedrock-runtime:InvokeModel"),
            (request("POST", "/endpoints/e/invocations", "sagemaker"), "sagemaker-runtime:InvokeEndpoint"),
            (
                request("POST", "/prod/@connections/abc%3D", "execute-api"),
                "apigatewaymanagementapi:PostToConnection",
            ),
            (
                request("POST", "/", "rds", b"Action=CreateDBCluster&Version=2014-10-31"),
                "rds:CreateDBCluster",
            ),
        ],
    )
    def test_path_target_or_version_tells_them_apart(self, made, expected):
        assert named(made) == expected

    def test_so_does_the_host(self):
        made = request("GET", "/tags/x", "ivs", host="ivsrealtime.us-east-1.amazonaws.com")
        assert named(made) == "ivs-realtime:ListTagsForResource"

    def test_and_the_user_agent_where_an_sdk_names_its_service(self):
        made = request("POST", "/", "rds", b"Action=CreateDBCluster&Version=2014-10-31")
        assert named(made) == "rds:CreateDBCluster"
        agent = "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24 api/docdb#1.41.2"
        headers = Headers([*made.headers.pairs, ("User-Agent", agent)])
        assert named(Request("POST", "/", headers, made.body)) == "docdb:CreateDBCluster"


class TestUnsigned:
    @pytest.mark.parametrize(
        ("made", "expected"),
        [
            (
                request("POST", "/", X_Amz_Target="AWSCognitoIdentityProviderService.SignUp"),
                "cognito-idp:SignUp",
            ),
            (request("GET", "/2015-03-31/functions/"), "lambda:ListFunctions"),
            (request("GET", "/bucket/some/key"), "s3:GetObject"),
            (request("PUT", "/bucket"), "s3:CreateBucket"),
            (request("GET", "/assignment/accounts", **{"x-amz-sso_bearer_token": "t"}), "sso:ListAccounts"),
            (request("POST", "/client/register", Content_Type="application/json"), "sso-oidc:RegisterClient"),
            (
                request("GET", "/restapis", host="apigateway.us-east-1.amazonaws.com"),
                "apigateway:GetRestApis",
            ),
            (request("GET", "/anything", User_Agent="aws-sdk-js/3.7 api/s3#3.7"), "s3:ListObjects"),
        ],
    )
    def test_something_else_names_the_service(self, made, expected):
        assert named(made) == expected

    @pytest.mark.parametrize(
        "made",
        [
            request("GET", "/"),
            request("GET", "/_localstack/health"),
            request("GET", "/_replay/status"),
            request("GET", "/moto-api/"),
            request("POST", "/moto-api/reset"),
            request("POST", "/restapis/abc/dev/_user_request_/orders"),
            request("POST", "/restapis/abc/dev/_user_request_/orders", "execute-api"),
            request("GET", "/orders", host="abc.execute-api.us-east-1.amazonaws.com"),
            request("GET", "/dev/orders", host="abc.execute-api.localhost.localstack.cloud:4566"),
            request("GET", "/x", host="abc.lambda-url.us-east-1.localhost.localstack.cloud:4566"),
            request("GET", "/index.html", host="site.s3-website.us-east-1.amazonaws.com"),
            request("GET", "/simple/botocore/", host="pypi.org"),
            request("PUT", "/bucket/key", host="example.org"),
            request("POST", "/bucket/key"),
            request("OPTIONS", "*"),
            request("CONNECT", "sqs.us-east-1.amazonaws.com:443"),
            request("GET", "/x", "no-such-service"),
            request("POST", "/", X_Amz_Target="NoSuchService.Do"),
            request("POST", "/", X_Amz_Target="AmazonSQS.NoSuchOperation"),
        ],
        ids=lambda made: f"{made.method} {made.headers.get('host')}{made.target}",
    )
    def test_what_is_no_call_of_an_aws_api(self, made):
        assert recognise(made) is None


def test_a_bearer_token_leaves_the_service_to_the_host():
    headers = Headers([("Host", "bedrock-runtime.us-east-1.amazonaws.com"), ("Authorization", "Bearer abc")])
    head = recognise(Request("POST", "/model/a/converse", headers))
    assert head == CallHead("bedrock-runtime", "Converse", "rest-json", "", "us-east-1", "")


def test_the_absolute_form_of_a_target():
    assert named(request("GET", "http://localhost:4566/bucket/key?acl", "s3")) == "s3:GetObjectAcl"


def test_a_service_signed_for_by_another_of_its_names():
    for name in ("states", "stepfunctions", "States"):
        made = request("POST", "/", name, X_Amz_Target="ListActivities")
        assert named(made) == "stepfunctions:ListActivities"
