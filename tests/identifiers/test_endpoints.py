from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models.endpoint_hosts import parse_host

from .messages import json_answer, wire_request, xml_answer

EAST, WEST = "us-east-1", "eu-west-1"
CLOUD = "localhost.localstack.cloud"
SQS = CallHead("sqs", "CreateQueue", "json", region=EAST)
CFN = CallHead("cloudformation", "DescribeStacks", "query", region=EAST)
LAMBDA = CallHead("lambda", "GetFunction", "rest-json", region=EAST)


def request_of(host: str) -> Request:
    return Request("POST", "/", Headers([("Host", host)]))


def shown(text: str, host: str, head: CallHead = CFN, upstream: str = "http://127.0.0.1:40123") -> str:
    answer = json_answer(json.dumps({"Url": text}).encode())
    result = Endpoints(upstream).to_client(answer, request_of(host), head)
    assert isinstance(result.body, bytes)
    assert result.headers.get("content-length") == str(len(result.body))
    return str(json.loads(result.body)["Url"])


@pytest.mark.parametrize(
    ("emulators", "host", "clients"),
    [
        # Fixed addresses of the emulator, by whatever name of this machine it calls itself.
        ("http://127.0.0.1:40123/000000000000/q", "localhost:4566", "http://localhost:4566/000000000000/q"),
        ("http://localhost:40123/000000000000/q", "localhost:4566", "http://localhost:4566/000000000000/q"),
        ("http://localhost:40123/q", "proxy.internal:8080", "http://proxy.internal:8080/q"),
        ("http://localhost.localstack.cloud:40123/x", "localhost:4566", "http://localhost:4566/x"),
        # LocalStack's queue URLs: the region stays, but for the one that a URL without a region means.
        (f"http://sqs.{WEST}.{CLOUD}:40123/0/q", "localhost:4566", f"http://sqs.{WEST}.{CLOUD}:4566/0/q"),
        (f"http://sqs.{WEST}.{CLOUD}:40123/0/q", "127.0.0.1:4566", f"http://sqs.{WEST}.{CLOUD}:4566/0/q"),
        (f"http://sqs.{WEST}.localhost:40123/0/q", "127.0.0.1:4566", f"http://sqs.{WEST}.localhost:4566/0/q"),
        (f"http://sqs.{WEST}.{CLOUD}:40123/0/q", f"s3.{EAST}.{CLOUD}:4566", f"http://sqs.{WEST}.{CLOUD}:4566/0/q"),
        (f"http://sqs.{WEST}.{CLOUD}:40123/0/q", f"sqs.{EAST}.{CLOUD}:4566", f"http://sqs.{WEST}.{CLOUD}:4566/0/q"),
        (f"http://sqs.{EAST}.{CLOUD}:40123/0/q", f"sqs.{WEST}.{CLOUD}:4566", f"http://sqs.{EAST}.{CLOUD}:4566/0/q"),
        (f"http://sqs.{WEST}.{CLOUD}:40123/0/q", "proxy.internal:80", f"http://sqs.{WEST}.proxy.internal:80/0/q"),
        (f"http://sqs.{WEST}.{CLOUD}:40123/0/q", "10.0.0.7:80", f"http://sqs.{WEST}.{CLOUD}:80/0/q"),
        (f"http://sqs.{WEST}.{CLOUD}:40123/0/q", f"sqs.{EAST}.amazonaws.com", f"https://sqs.{WEST}.amazonaws.com/0/q"),
        (f"http://{WEST}.queue.{CLOUD}:40123/0/q", "localhost:4566", f"http://{WEST}.queue.{CLOUD}:4566/0/q"),
        (f"http://queue.{CLOUD}:40123/0/q", "localhost:4566", "http://localhost:4566/0/q"),
        (f"http://{CLOUD}:40123/queue/{WEST}/0/q", "localhost:4566", f"http://localhost:4566/queue/{WEST}/0/q"),
        (
            f"http://sqs.{EAST}.localhost.localstack.cloud:40123/0/q",
            "localhost:4566",
            "http://localhost:4566/0/q",
        ),
        (
            f"http://sqs.{EAST}.localhost.localstack.cloud:40123/0/q",
            f"sqs.{EAST}.localhost.localstack.cloud:4566",
            f"http://sqs.{EAST}.localhost.localstack.cloud:4566/0/q",
        ),
        (
            f"http://sqs.{EAST}.localhost.localstack.cloud:40123/0/q",
            f"cloudformation.{EAST}.localhost.localstack.cloud:4566",
            "http://localhost.localstack.cloud:4566/0/q",
        ),
        (
            f"http://sqs.{EAST}.localhost.localstack.cloud:40123/0/q",
            f"sqs.{EAST}.amazonaws.com",
            f"https://sqs.{EAST}.amazonaws.com/0/q",
        ),
        # Hosts that route keep their labels.
        (
            "https://a1b2.execute-api.localhost.localstack.cloud:40123/dev",
            "localhost:4566",
            "https://a1b2.execute-api.localhost.localstack.cloud:4566/dev",
        ),
        (
            "http://a1b2.execute-api.localhost:40123",
            "127.0.0.1:4566",
            "http://a1b2.execute-api.localhost:4566",
        ),
        ("http://a1b2.execute-api.localhost:40123", "proxy:80", "http://a1b2.execute-api.proxy:80"),
        ("a1b2.execute-api.localhost:40123", "localhost:4566", "a1b2.execute-api.localhost:4566"),
        ("http://[::1]:40123/x", "localhost:4566", "http://localhost:4566/x"),
        # Not the emulator's.
        ("http://localhost:4012/x", "localhost:4566", "http://localhost:4012/x"),
        ("http://localhost:401234/x", "localhost:4566", "http://localhost:401234/x"),
        ("http://mylocalhost:40123/x", "localhost:4566", "http://mylocalhost:40123/x"),
        ("https://example.com:40123/x", "localhost:4566", "https://example.com:40123/x"),
        ("localhost", "proxy:80", "localhost"),
        ("port 40123", "localhost:4566", "port 40123"),
    ],
)
def test_the_emulators_addresses_are_shown_as_the_proxys(emulators: str, host: str, clients: str) -> None:
    assert shown(emulators, host) == clients


def test_a_bucket_in_the_clients_host_is_not_the_proxys_name() -> None:
    assert shown("http://localhost:40123/b/k", "bucket.localhost:4566") == "http://localhost:4566/b/k"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rb'{"Url": "http:\/\/localhost:40123\/q"}', rb'{"Url": "http:\/\/localhost:4566\/q"}'),
        (
            b'{"Doc": "{\\"u\\": \\"http://localhost:40123/q\\"}"}',
            b'{"Doc": "{\\"u\\": \\"http://localhost:4566/q\\"}"}',
        ),
        (
            b'{"Url": "x?u=http%3A%2F%2Flocalhost%3A40123%2Fq"}',
            b'{"Url": "x?u=http%3A%2F%2Flocalhost%3A4566%2Fq"}',
        ),
        (
            b"<Url>http://localhost:40123/q?a=1&amp;b=2</Url>",
            b"<Url>http://localhost:4566/q?a=1&amp;b=2</Url>",
        ),
    ],
)
def test_in_every_spelling(body: bytes, expected: bytes) -> None:
    result = Endpoints("127.0.0.1:40123").to_client(xml_answer(body), request_of("localhost:4566"), CFN)
    assert result.body == expected


def test_headers_are_shown_too_and_payload_is_not() -> None:
    endpoints = Endpoints("http://127.0.0.1:40123")
    location = Answer(201, Headers([("Location", "http://127.0.0.1:40123/b")]))
    shown_location = endpoints.to_client(location, request_of("localhost:4566"), None)
    assert shown_location.headers.get("location") == "http://localhost:4566/b"
    stored = Answer(200, Headers([("Content-Type", "text/plain")]), b"http://127.0.0.1:40123/b")
    get = CallHead("s3", "GetObject", "rest-xml")
    assert endpoints.to_client(stored, request_of("localhost:4566"), get) is stored
    receive = CallHead("sqs", "ReceiveMessage", "json")
    message = json_answer(b'{"Messages": [{"Body": "http://127.0.0.1:40123/b"}]}')
    assert endpoints.to_client(message, request_of("localhost:4566"), receive) is message


def test_an_emulator_that_takes_its_address_from_the_host_needs_nothing() -> None:
    answer = json_answer(b'{"QueueUrl": "http://localhost:4566/000000000000/q"}')
    assert Endpoints("127.0.0.1:40123").to_client(answer, request_of("localhost:4566"), SQS) is answer


def test_an_address_of_its_own_that_differs_from_where_we_reach_it_is_learned_from_queue_urls() -> None:
    # An emulator in a container says :4566, wherever that port is mapped to.
    endpoints = Endpoints("http://127.0.0.1:40123")
    created = json_answer(b'{"QueueUrl": "http://emulator:4566/000000000000/q"}')
    result = endpoints.to_client(created, request_of("localhost:8000"), SQS)
    assert result.body == b'{"QueueUrl": "http://localhost:8000/000000000000/q"}'
    code = json_answer(b'{"Code": {"Location": "http://emulator:4566/code"}}')
    assert (
        endpoints.to_client(code, request_of("localhost:8000"), LAMBDA).body
        == b'{"Code": {"Location": "http://localhost:8000/code"}}'
    )


def test_a_queue_url_comes_back_as_the_emulator_said_it() -> None:
    endpoints = Endpoints("http://127.0.0.1:40123")
    own = b"http://sqs.us-east-1.localhost.localstack.cloud:40123/0/q"
    endpoints.to_client(json_answer(b'{"QueueUrl": "%s"}' % own), request_of("localhost:4566"), SQS)
    request, head = wire_request("sqs", "purge_queue", QueueUrl="http://localhost:4566/0/q")
    result = endpoints.to_emulator(request, head)
    assert parse_parameters(head, result)["QueueUrl"] == own.decode()
    assert result.headers.get("content-length") == str(len(result.body))


@pytest.mark.parametrize(
    ("shown_of", "host", "written", "region", "sent"),
    [
        # The region of the URL counts, whatever the region of the call; without one the call's.
        (f"sqs.{WEST}.{CLOUD}:40123", "localhost:4566", f"sqs.{WEST}.{CLOUD}:4566", WEST, f"sqs.{WEST}.{CLOUD}:40123"),
        (f"sqs.{WEST}.{CLOUD}:40123", "localhost:4566", f"sqs.{WEST}.{CLOUD}:4566", EAST, f"sqs.{WEST}.{CLOUD}:40123"),
        (f"sqs.{EAST}.{CLOUD}:40123", "localhost:4566", f"sqs.{WEST}.{CLOUD}:4566", WEST, f"sqs.{WEST}.{CLOUD}:40123"),
        (f"sqs.{WEST}.{CLOUD}:40123", "localhost:4566", "localhost:4566", EAST, f"sqs.{EAST}.{CLOUD}:40123"),
        (f"sqs.{EAST}.{CLOUD}:40123", "localhost:4566", "127.0.0.1:4566", WEST, f"sqs.{WEST}.{CLOUD}:40123"),
        (f"sqs.{EAST}.{CLOUD}:40123", "localhost:4566", "localhost:4566", "", f"sqs.{EAST}.{CLOUD}:40123"),
        (f"sqs.{EAST}.{CLOUD}:40123", "p.internal:80", f"sqs.{WEST}.p.internal:80", WEST, f"sqs.{WEST}.{CLOUD}:40123"),
        (f"sqs.{EAST}.{CLOUD}:40123", "10.0.0.7:80", f"sqs.{WEST}.{CLOUD}:80", WEST, f"sqs.{WEST}.{CLOUD}:40123"),
        (f"{WEST}.queue.{CLOUD}:40123", "localhost:4566", "localhost:4566", WEST, f"{WEST}.queue.{CLOUD}:40123"),
        (f"{WEST}.queue.{CLOUD}:40123", "localhost:4566", "localhost:4566", EAST, f"queue.{CLOUD}:40123"),
        (f"sqs.{WEST}.amazonaws.com", "localhost:4566", "localhost:4566", EAST, f"sqs.{EAST}.amazonaws.com"),
        ("localhost:40123", "localhost:4566", "localhost:4566", WEST, "localhost:40123"),
        # Not the proxy's.
        (f"sqs.{EAST}.{CLOUD}:40123", "localhost:4566", f"sqs.{WEST}.{CLOUD}:4567", WEST, f"sqs.{WEST}.{CLOUD}:4567"),
    ],
)
def test_a_queue_url_means_its_own_region(shown_of: str, host: str, written: str, region: str, sent: str) -> None:
    endpoints = Endpoints("http://127.0.0.1:40123")
    endpoints.to_client(json_answer(b'{"QueueUrl": "http://%s/0/q"}' % shown_of.encode()), request_of(host), SQS)
    request, head = wire_request("sqs", "purge_queue", QueueUrl=f"http://{written}/0/q")
    asked = endpoints.to_emulator(request, replace(head, region=region))
    assert parse_parameters(head, asked)["QueueUrl"] == f"http://{sent}/0/q"


def test_a_queue_url_of_the_recording_is_understood() -> None:
    endpoints = Endpoints("http://127.0.0.1:40123", clients=("old-host:1111",))
    endpoints.observe(SQS, json_answer(b'{"QueueUrl": "http://localhost:40123/0/q"}'))
    request, head = wire_request("sqs", "purge_queue", QueueUrl="http://old-host:1111/0/q")
    assert parse_parameters(head, endpoints.to_emulator(request, head))["QueueUrl"] == "http://localhost:40123/0/q"
    request, head = wire_request("sqs", "purge_queue", QueueUrl="http://elsewhere:1111/0/q")
    assert endpoints.to_emulator(request, head) is request


@pytest.mark.parametrize(
    ("emulator", "written", "sent"),
    [
        # Names of this machine keep the host that the client wrote: emulators take addresses apart by it.
        ("127.0.0.1:40123", "http://localhost:4566/b/t", "http://localhost:40123/b/t"),
        (
            "127.0.0.1:40123",
            "http://127.0.0.1:4566/b/t?X-Amz-Expires=3600",
            "http://127.0.0.1:40123/b/t?X-Amz-Expires=3600",
        ),
        ("127.0.0.1:40123", "http://b.localhost:4566/t", "http://b.localhost:40123/t"),
        (
            "localhost:40123",
            "http://b.s3.localhost.localstack.cloud:4566/t",
            "http://b.s3.localhost.localstack.cloud:40123/t",
        ),
        # An emulator elsewhere cannot be reached under a name of this machine.
        ("emulator:5000", "http://localhost:4566/b/t", "http://emulator:5000/b/t"),
        ("127.0.0.1:40123", "http://[::1]:4566/b/t", "http://127.0.0.1:40123/b/t"),
        # Not the proxy's.
        ("127.0.0.1:40123", "http://localhost:4567/b/t", "http://localhost:4567/b/t"),
        ("127.0.0.1:40123", "https://b.s3.amazonaws.com/t", "https://b.s3.amazonaws.com/t"),
    ],
)
def test_the_url_of_a_template_is_the_emulators(emulator: str, written: str, sent: str) -> None:
    # An emulator that fetched it from the proxy during a restore would wait for the restore to end.
    request, head = wire_request("cloudformation", "create_stack", StackName="s", TemplateURL=written)
    endpoints = Endpoints(f"http://{emulator}", clients=("localhost:4566", "[::1]:4566"))
    assert parse_parameters(head, endpoints.to_emulator(request, head))["TemplateURL"] == sent


def test_other_text_stays_as_the_client_wrote_it() -> None:
    endpoints = Endpoints("http://127.0.0.1:40123", clients=("localhost:4566",))
    for request, head in (
        wire_request("ssm", "put_parameter", Name="p", Value="http://localhost:4566/x"),
        wire_request("sqs", "send_message", QueueUrl="http://localhost:4566/0/q", MessageBody="http://localhost:4566/"),
    ):
        assert endpoints.to_emulator(request, head) is request


def test_a_client_without_host_is_shown_what_there_is() -> None:
    answer = json_answer(b'{"Url": "http://localhost:40123/"}')
    assert Endpoints("127.0.0.1:40123").to_client(answer, Request("GET", "/", Headers()), CFN) is answer


def test_form_of_an_old_sdk() -> None:
    endpoints = Endpoints("http://127.0.0.1:40123")
    endpoints.observe(SQS, xml_answer(b"<QueueUrl>http://localhost:40123/0/q</QueueUrl>"))
    body = f"Action=PurgeQueue&QueueUrl={quote('http://proxy:1/0/q', safe='')}&Version=1".encode()
    head = CallHead("sqs", "PurgeQueue", "query", region=EAST)
    result = endpoints.to_emulator(Request("POST", "/", Headers([("Host", "proxy:1")]), body), head)
    assert parse_parameters(head, result)["QueueUrl"] == "http://localhost:40123/0/q"


def test_a_queue_url_on_a_public_name_claims_that_name_only() -> None:
    endpoints = Endpoints("http://127.0.0.1:40123")
    created = json_answer(b'{"QueueUrl": "https://sqs.us-east-1.amazonaws.com/0/q"}')
    assert b'"https://localhost:4566/0/q"' in bytes(
        endpoints.to_client(created, request_of("localhost:4566"), SQS).body
    )
    other = json_answer(b'{"Url": "https://s3.us-east-1.amazonaws.com/b/k", "Service": "sqs.us-east-1.amazonaws.com"}')
    assert endpoints.to_client(other, request_of("localhost:4566"), CFN) is other


def test_of_very_many_client_hosts_the_latest_are_remembered() -> None:
    endpoints = Endpoints("http://127.0.0.1:40123", clients=("old-host:1111",))
    endpoints.observe(SQS, json_answer(b'{"QueueUrl": "http://localhost:40123/0/q"}'))
    for number in range(1000):
        endpoints.remember_client(f"bucket-{number}.localhost:4566")
    request, head = wire_request("sqs", "purge_queue", QueueUrl="http://bucket-999.localhost:4566/0/q")
    assert endpoints.to_emulator(request, head) is not request
    request, head = wire_request("sqs", "purge_queue", QueueUrl="http://old-host:1111/0/q")
    assert endpoints.to_emulator(request, head) is request


AT_AWS = [
    # The emulator's address, the client's `Host`, and what it is shown.
    ("http://localhost:40123/0/q", "sqs.eu-west-1.amazonaws.com", "https://sqs.eu-west-1.amazonaws.com/0/q"),
    ("http://localhost:40123/0/q", "eu-west-1.queue.amazonaws.com", "https://eu-west-1.queue.amazonaws.com/0/q"),
    ("http://localhost:40123/0/q", "sqs.eu-west-1.api.aws", "https://sqs.eu-west-1.api.aws/0/q"),
    ("http://localhost:40123/0/q", "sqs.cn-north-1.amazonaws.com.cn", "https://sqs.cn-north-1.amazonaws.com.cn/0/q"),
    ("http://localhost:40123/0/q", "sqs-fips.us-east-1.amazonaws.com", "https://sqs-fips.us-east-1.amazonaws.com/0/q"),
    ("http://localhost:40123/0/q", "sqs.us-isob-east-1.sc2s.sgov.gov", "https://sqs.us-isob-east-1.sc2s.sgov.gov/0/q"),
    (f"http://sqs.{WEST}.{CLOUD}:40123/0/q", f"{EAST}.queue.amazonaws.com", f"https://{WEST}.queue.amazonaws.com/0/q"),
    (f"http://sqs.{WEST}.{CLOUD}:40123/0/q", f"sqs-fips.{EAST}.amazonaws.com", f"https://sqs-fips.{WEST}.amazonaws.com/0/q"),
    (f"http://sqs.{WEST}.{CLOUD}:40123/0/q", f"cloudformation.{EAST}.api.aws", f"https://sqs.{WEST}.api.aws/0/q"),
    ("http://a1b2.execute-api.localhost:40123/dev", f"apigateway.{EAST}.amazonaws.com", f"https://a1b2.execute-api.{EAST}.amazonaws.com/dev"),
    (f"http://ab.lambda-url.{WEST}.{CLOUD}:40123/", f"lambda.{WEST}.amazonaws.com", f"https://ab.lambda-url.{WEST}.on.aws/"),
]  # fmt: skip


def test_a_queue_in_another_services_answer_has_a_host_of_queues() -> None:
    head = CallHead("cloudformation", "DescribeStacks", "query", region="eu-west-1")
    request = Request("POST", "/", Headers([("Host", "cloudformation.eu-west-1.amazonaws.com")]))
    body = b"<Output>http://localhost:40123/000000000000/q</Output><Output>http://localhost:40123/b/k</Output>"
    shown = Endpoints("http://127.0.0.1:40123").to_client(xml_answer(body), request, head)
    assert b"<Output>https://sqs.eu-west-1.amazonaws.com/000000000000/q</Output>" in bytes(shown.body)
    assert b"<Output>https://cloudformation.eu-west-1.amazonaws.com/b/k</Output>" in bytes(shown.body)


@pytest.mark.parametrize(("emulators", "host", "clients"), AT_AWS)
def test_a_client_of_aws_is_shown_hosts_of_aws(emulators: str, host: str, clients: str) -> None:
    head = CallHead("sqs" if "0/q" in emulators else "lambda", "ListQueues", "json", region=parse_host(host).region)
    answer = json_answer(b'{"QueueUrls": ["' + emulators.encode() + b'"]}')
    shown = Endpoints("http://127.0.0.1:40123").to_client(answer, Request("POST", "/", Headers([("Host", host)])), head)
    assert shown.body == b'{"QueueUrls": ["' + clients.encode() + b'"]}'


@pytest.mark.parametrize("host", ["sqs.eu-west-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com:443"])
def test_a_queue_url_made_of_the_host_of_a_client_of_aws_is_encrypted(host: str) -> None:
    endpoints = Endpoints("http://127.0.0.1:40123")
    head = CallHead("sqs", "ListQueues", "json", region="eu-west-1")
    body = b'{"QueueUrls": ["http://sqs.eu-west-1.amazonaws.com/0/q", "http://sqs.eu-west-1.amazonaws.com/0/r"]}'
    for _ in range(2):
        shown = endpoints.to_client(json_answer(body), Request("POST", "/", Headers([("Host", host)])), head)
        assert shown.body == body.replace(b"http:", b"https:")


@pytest.mark.parametrize(
    "authority", ["sqs.eu-west-1.amazonaws.com", "eu-west-1.queue.amazonaws.com", "sqs.cn-north-1.amazonaws.com.cn"]
)
def test_a_queue_url_of_aws_is_understood_at_either_door(authority: str) -> None:
    endpoints = Endpoints("http://127.0.0.1:40123")
    head = CallHead("sqs", "CreateQueue", "json", region="eu-west-1")
    made = json_answer(b'{"QueueUrl": "http://localhost:40123/0/q"}')
    endpoints.to_client(made, Request("POST", "/", Headers([("Host", "localhost:4566")])), head)
    body = b'{"QueueUrl": "https://' + authority.encode() + b'/0/q"}'
    for host in ("localhost:4566", "sqs.eu-west-1.amazonaws.com"):
        request = Request("POST", "/", Headers([("Host", host)]), body)
        assert b"localhost:40123/0/q" in bytes(
            endpoints.to_emulator(request, replace(head, operation="SendMessage")).body
        )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("a1b2.execute-api.eu-west-1.amazonaws.com", "a1b2.execute-api.localhost:40123"),
        ("a1b2.execute-api.localhost:4566", "a1b2.execute-api.localhost:4566"),
        ("s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com"),
    ],
)
def test_an_api_is_asked_below_the_emulators_own_name(host: str, expected: str) -> None:
    request = Request("GET", "/dev/x", Headers([("Host", host)]))
    assert Endpoints("http://127.0.0.1:40123").to_emulator(request).headers.get("host") == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("https://b.c.s3.eu-west-1.amazonaws.com/t.json", "https://s3.eu-west-1.amazonaws.com/b.c/t.json"),
        ("https://s3.eu-west-1.amazonaws.com/b/t.json", "https://s3.eu-west-1.amazonaws.com/b/t.json"),
        ("https://b.s3-eu-west-1.amazonaws.com/t.json", "https://s3-eu-west-1.amazonaws.com/b/t.json"),
    ],
)
def test_a_template_in_a_bucket_is_found_by_emulators_that_know_buckets_in_paths(written: str, expected: str) -> None:
    endpoints = Endpoints("http://127.0.0.1:40123")
    endpoints.remember_client("b.c.s3.eu-west-1.amazonaws.com")
    head = CallHead("cloudformation", "CreateStack", "query", region="eu-west-1")
    fields = [("Host", "cloudformation.eu-west-1.amazonaws.com"), ("Content-Type", "application/x-www-form-urlencoded")]
    body = b"Action=CreateStack&TemplateURL=" + quote(written, safe="").encode() + b"&StackName=s"
    sent = endpoints.to_emulator(Request("POST", "/", Headers(fields), body), head)
    assert parse_parameters(head, sent)["TemplateURL"] == expected
