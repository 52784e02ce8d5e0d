from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.endpoints import Endpoints
from replay_proxy.wire.parameters import parse_parameters

from .messages import json_answer, wire_request, xml_answer

EAST = "us-east-1"
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
        # LocalStack's queue URLs: the path says it all.
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


def test_a_queue_url_of_the_recording_is_understood() -> None:
    endpoints = Endpoints("http://127.0.0.1:40123", clients=("old-host:1111",))
    endpoints.observe(SQS, json_answer(b'{"QueueUrl": "http://localhost:40123/0/q"}'))
    request, head = wire_request("sqs", "purge_queue", QueueUrl="http://old-host:1111/0/q")
    assert parse_parameters(head, endpoints.to_emulator(request, head))["QueueUrl"] == "http://localhost:40123/0/q"
    request, head = wire_request("sqs", "purge_queue", QueueUrl="http://elsewhere:1111/0/q")
    assert endpoints.to_emulator(request, head) is request


def test_the_url_of_a_template_is_the_emulators() -> None:
    # An emulator that fetched it from the proxy during a restore would wait for the restore to end.
    request, head = wire_request(
        "cloudformation", "create_stack", StackName="s", TemplateURL="http://localhost:4566/b/t"
    )
    result = Endpoints("http://127.0.0.1:40123").to_emulator(request, head)
    assert parse_parameters(head, result)["TemplateURL"] == "http://127.0.0.1:40123/b/t"


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
