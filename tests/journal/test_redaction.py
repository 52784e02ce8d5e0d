"""No secret is in what leaves the machine: whatever member, call and spelling it stands in."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
from collections.abc import Iterator
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.journal.format.records import UNSIGNED, Record, RecordKind
from replay_proxy.journal.interchange.redaction.redact import Redactor
from replay_proxy.journal.interchange.redaction.secret_catalogue import CannotRedactError, SecretCatalogue
from replay_proxy.wire.models import models
from replay_proxy.wire.sensitive.secret_names import names_secret
from tests.support.processes import amount
from tests.wire.generated import Maker, request_of

SERVICES = """
    acm cloudformation codebuild cognito-idp dms ec2 ecs elasticache events fsx glue iam iot kafka lambda
    lightsail memorydb mq opensearch organizations pinpoint rds redshift sagemaker secretsmanager ses sns ssm
    storagegateway transfer workmail workspaces
"""
SECRET = re.compile(
    r"(?:passwords?|passphrase|secretstring|clientsecret|privatekey|secretaccesskey|sessiontoken|accesstoken|authtoken"
    r"|apikeyvalue|sharedsecret)$",
    re.IGNORECASE,
)
"""What a person would call a secret; not the list that is tested."""

TEXTS = st.text(st.sampled_from("abcXYZ019 \"'\\/&<>%+=;,:{}[]()!?*#@~`^|_-é漢😀"), min_size=10, max_size=24).filter(
    lambda text: text == text.strip() and len(set(text)) > 5
)
HEAD = CallHead("sqs", "SendMessage", "json", "123456789012", "us-east-1", "test")


def spelled(text: str, kind: str) -> str:
    match kind:
        case "json":
            return json.dumps(text)[1:-1]
        case "utf-8 json":
            return json.dumps(text, ensure_ascii=False)[1:-1]
        case "xml":
            return escape(text)
        case "form":
            return quote_plus(text)
        case "path":
            return quote(text, safe="").replace("%2F", "%2f")
        case "base64":
            return base64.b64encode(f"x {text} y".encode()).decode()
        case "urlsafe":
            return base64.urlsafe_b64encode(f"a:{text}".encode()).decode()
        case "hex":
            return f"before {text}".encode().hex()
        case "gzip":
            return base64.b64encode(gzip.compress(text.encode())).decode()
    return text


KINDS = ("plain", "json", "utf-8 json", "xml", "form", "path", "base64", "urlsafe", "hex", "gzip")


def traces(text: str) -> Iterator[bytes]:
    """How a secret would be seen by somebody who looks for it."""
    data = text.encode()
    yield data
    yield data.hex().encode()
    for kind in ("json", "utf-8 json", "xml", "form", "path"):
        yield spelled(text, kind).encode()
    yield json.dumps(json.dumps(text))[3:-3].encode()
    for offset in range(3):
        coded = base64.b64encode(b"x" * offset + data)
        yield coded[4 if offset else 0 : len(coded) - 4]


def record_of(seq: int, head: CallHead | None, request: Request, answer: Answer) -> Record:
    return Record(seq, "2026-01-01T00:00:00.000Z", 1.0, RecordKind.MUTATION, head, request, answer, UNSIGNED, {})


def redacted(*records: Record) -> tuple[list[Record], Redactor, list[str]]:
    catalogue = SecretCatalogue(lambda _ref: b"")
    redactor = Redactor(catalogue)
    for record in records:
        catalogue.learn(record)
    for record in records:
        catalogue.spare(record)
    kept, left_out = [], []
    for record in records:
        try:
            kept.append(redactor.redacted(record))
        except CannotRedactError as error:
            left_out.append(str(error))
    return kept, redactor, left_out


def everything(records: list[Record]) -> bytes:
    parts: list[bytes] = []
    for record in records:
        parts += [record.request.target.encode("latin-1"), json.dumps(dict(record.notes)).encode()]
        for message in (record.request, record.answer):
            assert isinstance(message.body, bytes)
            parts += [message.body, *(value.encode("latin-1") for _name, value in message.headers)]
    return b"\n".join(parts)


def document(content: Any) -> Answer:
    return Answer(200, Headers([("Content-Type", "application/json")]), json.dumps(content).encode(), "OK")


def message(content: Any, headers: tuple[tuple[str, str], ...] = (), head: CallHead | None = HEAD) -> Record:
    fields = Headers([("Host", "localhost"), ("Content-Type", "application/x-amz-json-1.0"), *headers])
    return record_of(1, head, Request("POST", "/", fields, json.dumps(content).encode()), document({}))


def named_in(shape: Shape | None, above: frozenset[str] = frozenset()) -> bool:
    if shape is None or shape.name in above:
        return False
    above |= {shape.name}
    if isinstance(shape, StructureShape):
        return any(
            (SECRET.search(name) and _is_texts(member)) or named_in(member, above)
            for name, member in shape.members.items()
        )
    if isinstance(shape, ListShape):
        return named_in(shape.member, above)
    return isinstance(shape, MapShape) and named_in(shape.value, above)


def _is_texts(shape: Shape) -> bool:
    inner = shape.member if isinstance(shape, ListShape) else shape
    return inner.type_name == "string" and not inner.metadata.get("enum")


@lru_cache(maxsize=1)
def operations() -> tuple[tuple[str, str], ...]:
    return tuple(
        (service, name)
        for service in SERVICES.split()
        for name in models.service_model(service).operation_names
        if named_in(models.operation_model(service, name).input_shape)
    )


class Planter(Maker):
    """Makes parameters with a secret in every member that is named like one."""

    def __init__(self, source: random.Random, protocol: str, secret: str) -> None:
        super().__init__(source, protocol)
        self.secret = secret
        self.planted = 0

    def parameters(self, operation: Any) -> dict[str, Any]:
        params = super().parameters(operation)
        self._plant(operation.input_shape, params, 0)
        return params

    def _plant(self, shape: Shape, made: Any, depth: int) -> None:
        if isinstance(shape, StructureShape) and isinstance(made, dict) and not shape.is_tagged_union:
            for name, member in shape.members.items():
                located = member.serialization.get("location") in ("header", "headers", "uri", "querystring")
                if SECRET.search(name) and _is_texts(member) and not located:
                    made[name] = [self.secret] if isinstance(member, ListShape) else self.secret
                    self.planted += 1
                elif name in made:
                    self._plant(member, made[name], depth + 1)
                elif depth < 3 and named_in(member):
                    made[name] = [{}] if isinstance(member, ListShape) else {}
                    if isinstance(member, MapShape):
                        del made[name]
                    else:
                        self._plant(member, made[name], depth + 1)
        elif isinstance(shape, ListShape) and isinstance(made, list):
            for each in made:
                self._plant(shape.member, each, depth)
        elif isinstance(shape, MapShape) and isinstance(made, dict):
            for each in made.values():
                self._plant(shape.value, each, depth)


@settings(max_examples=amount(60, 1500), deadline=None)
@given(st.data(), st.randoms(use_true_random=False), TEXTS, st.lists(st.sampled_from(KINDS), max_size=3))
def test_a_planted_secret_is_nowhere_in_the_copy(
    data: st.DataObject, source: random.Random, secret: str, kinds: list[str]
) -> None:
    service, name = data.draw(st.sampled_from(operations()))
    operation = models.operation_model(service, name)
    protocol = operation.service_model.metadata["protocol"]
    planter = Planter(source, protocol, secret)
    params = planter.parameters(operation)
    assume(planter.planted)
    request = request_of(operation, params, protocol)
    assert isinstance(request.body, bytes)
    echo = secret
    for kind in kinds:
        echo = spelled(echo, kind)
    head = CallHead(service, name, protocol, "123456789012", "us-east-1", "test")
    records = [
        message({"QueueUrl": "q", "MessageBody": f"seen: {echo}"}),
        record_of(2, head, request, Answer(500, Headers([("X-Echo", quote(secret))]), b"", "")),
    ]
    kept, redactor, _left_out = redacted(*records)
    assert redactor.counts
    copy = everything(kept)
    for trace in traces(secret):
        assert trace not in copy, (trace, kinds)
    assert len(kept) == 2


@pytest.mark.parametrize("chain", [(one, two) for one in KINDS for two in KINDS])
def test_a_secret_is_found_in_a_spelling_of_a_spelling(chain: tuple[str, str]) -> None:
    secret = 'Zq9 "x" & <y> \\ ü/+%2'
    echo = spelled(spelled(secret, chain[0]), chain[1])
    kept, _redactor, _left_out = redacted(message({"MessageBody": echo}), message({"password": secret}))
    assert "Redacted-0000001" in decoded(kept[0], chain)


def run(text: str) -> str:
    """The longest run of digits of base64 or hex."""
    return max(re.findall(r"[\w+/=-]+", unquote(text)), key=len).replace("+", "-").replace("/", "_")


def decoded(record: Record, chain: tuple[str, str]) -> str:
    """The message body, its spellings undone again."""
    assert isinstance(record.request.body, bytes)
    text: str = json.loads(record.request.body)["MessageBody"]
    for kind in reversed(chain):
        match kind:
            case "base64" | "urlsafe":
                text = base64.urlsafe_b64decode(run(text)).decode()
            case "hex":
                text = bytes.fromhex(run(text)).decode()
            case "gzip":
                text = gzip.decompress(base64.urlsafe_b64decode(run(text))).decode()
    return text


WORD = "Zq9canaryxW7pKm3"
PAIRS: list[tuple[str, Any]] = [
    ("a list", {"Passwords": [WORD]}),
    ("a map", {"ProviderDetails": {"client_secret": WORD}}),
    ("a map in capitals", {"AuthParameters": {"PASSWORD": WORD}}),
    ("a plain member", {"PlatformCredential": WORD}),
    ("CodeBuild", {"environment": {"environmentVariables": [{"name": "DB_PASSWORD", "value": WORD}]}}),
    ("ECS", {"containerDefinitions": [{"environment": [{"name": "API_TOKEN", "value": WORD}]}]}),
    ("Lambda", {"Environment": {"Variables": {"SECRET_KEY": WORD}}}),
    ("App Runner", {"RuntimeEnvironmentVariables": {"STRIPE_API_KEY": WORD}}),
    ("Glue", {"DefaultArguments": {"--db_password": WORD}}),
    ("CloudFormation", {"Parameters": [{"ParameterKey": "DbPassword", "ParameterValue": WORD}]}),
    ("Elastic Beanstalk", {"OptionSettings": [{"Namespace": "a", "OptionName": "DBPassword", "Value": WORD}]}),
    ("an item", {"Item": {"password": {"S": WORD}}}),
    ("a document in a text", {"MessageBody": json.dumps({"user": "u", "auth_token": WORD})}),
    ("user data", {"UserData": base64.b64encode(f"#!/bin/sh\nexport DB_PASSWORD='{WORD}'\n".encode()).decode()}),
    ("packed user data", {"UserData": base64.b64encode(gzip.compress(f"PASSWORD={WORD}\n".encode())).decode()}),
    ("a connection string", {"ConnectionInput": f"postgres://admin:{WORD}@db.example:5432/x"}),
    ("another one", {"Text": f"Server=db;User Id=sa;Password={WORD};Encrypt=yes"}),
    ("an option", {"Command": f"mysql --user root --password {WORD} -h db"}),
    ("an option in a list", {"command": ["mysql", "--user", "root", "--password", WORD, "-h", "db"]}),
    ("a presigned URL", {"Location": f"http://b/k?X-Amz-Date=1&X-Amz-Security-Token={WORD}&X-Amz-Signature={WORD}1"}),
    ("YAML", {"Content": f"database:\n  host: db\n  password: {WORD}\n"}),
    ("a key", {"Material": f"-----BEGIN RSA PRIVATE KEY-----\n{WORD}\n-----END RSA PRIVATE KEY-----\n"}),
    ("a number of digits", {"pin": 9173550461}),
]


@pytest.mark.parametrize("head", [HEAD, None], ids=["known", "unrecognised"])
@pytest.mark.parametrize("content", [content for _name, content in PAIRS], ids=[name for name, _content in PAIRS])
def test_a_name_tells_a_secret_wherever_it_stands(content: Any, head: CallHead | None) -> None:
    kept, redactor, left_out = redacted(message(content, head=head))
    if left_out:
        assert "pin" in content
        return
    assert WORD.encode() not in everything(kept)
    assert b"Redacted-00" in everything(kept) or b"UmVkYWN0ZWQt" in everything(kept) or "UserData" in content
    assert redactor.counts


@pytest.mark.parametrize(
    "name", ["X-Api-Key", "X-Auth-Token", "Cookie", "Set-Cookie", "Proxy-Authorization", "X-Vault-Token"]
)
def test_header_fields(name: str) -> None:
    kept, _redactor, _left_out = redacted(message({}, ((name, f"Bearer {WORD}"),)), message({"Text": WORD}))
    assert WORD.encode() not in everything(kept)


def test_query_parameters_and_paths() -> None:
    request = Request("GET", f"/things/{WORD}?api_key={WORD}&x=1", Headers([("Host", "h")]), b"")
    (kept,), _redactor, _left_out = redacted(record_of(1, None, request, document({"you sent": WORD})))
    assert kept.request.target == "/things/Redacted-0000001?api_key=Redacted-0000001&x=1"
    assert WORD.encode() not in everything([kept])


TEMPLATES = (
    json.dumps({"Parameters": {"Who": {"Type": "String", "NoEcho": True, "Default": f"{WORD}2"}}, "Resources": {}}),
    f"Parameters:\n  Other:\n    Type: String\n  Who:\n    Type: String\n    NoEcho: true\n    Default: {WORD}2\nResources:\n",
    "Parameters:\n  Who: {Type: String, NoEcho: true}\nResources: {}\n",
)


@pytest.mark.parametrize("template", TEMPLATES, ids=["json", "yaml", "flow"])
def test_parameters_that_a_template_declares_with_no_echo(template: str) -> None:
    content = {"TemplateBody": template, "Parameters": [{"ParameterKey": "Who", "ParameterValue": WORD}]}
    kept, _redactor, _left_out = redacted(message(content))
    assert WORD.encode() not in everything(kept)


@pytest.mark.parametrize("value", ["abc", "a", "password", "us-east-1", "QueueUrl"])
def test_values_that_are_words_of_the_messages_are_replaced_where_they_were_told_only(value: str) -> None:
    content = {"QueueUrl": f"http://localhost/{value}", "password": value, "note": f"a {value} of {value}"}
    (kept,), _redactor, _left_out = redacted(message(content))
    assert isinstance(kept.request.body, bytes)
    assert json.loads(kept.request.body) == {**content, "password": "Redacted-0000001"}


def test_the_name_of_a_thing_among_sensitive_variables_stays() -> None:
    head = CallHead("lambda", "CreateFunction", "rest-json", "123456789012", "us-east-1", "test")
    variables = {"TABLE": "orders-table", "GREETING": "confidential-mode", "DB_PASSWORD": WORD}
    body = json.dumps({"FunctionName": "f", "Environment": {"Variables": variables}}).encode()
    fields = Headers([("Host", "h"), ("Content-Type", "application/json")])
    function = record_of(1, head, Request("POST", "/2015-03-31/functions", fields, body), document({}))
    table = CallHead("dynamodb", "CreateTable", "json", "123456789012", "us-east-1", "test")
    kept, _redactor, _left_out = redacted(
        function,
        message({"TableName": "orders-table"}, head=table),
        message({"MessageBody": f"in confidential-mode, {WORD}; not-confidential-mode"}),
    )
    assert b"orders-table" in everything(kept[1:2])
    assert b"in Redacted-0000002, Redacted-0000003; not-confidential-mode" in everything(kept[2:])
    for secret in ("orders-table", "confidential-mode", WORD):
        assert secret.encode() not in everything(kept[:1])


@pytest.mark.parametrize(
    ("service", "operation", "method", "target", "host"),
    [
        ("s3", "CreateBucket", "PUT", "/prod-assets", "localhost"),
        ("s3", "CreateBucket", "PUT", "/", "prod-assets.s3.localhost"),
        ("s3", "PutObject", "PUT", "/bucket/prod-assets", "localhost"),
        ("apigateway", "GetUsagePlan", "GET", "/usageplans/prod-assets", "localhost"),
        ("eks", "DescribeAddon", "GET", "/clusters/cluster/addons/prod-assets", "localhost"),
    ],
)
def test_the_name_of_a_thing_in_a_path_or_a_host_stays(
    service: str, operation: str, method: str, target: str, host: str
) -> None:
    """Also where a parameter has it as its value, which the model marks as secret."""
    parameter = CallHead("ssm", "PutParameter", "json", "123456789012", "us-east-1", "test")
    protocol = "rest-xml" if service == "s3" else "rest-json"
    head = CallHead(service, operation, protocol, "123456789012", "us-east-1", "test")
    request = Request(method, target, Headers([("Host", host)]), b"")
    kept, _redactor, left_out = redacted(
        message({"Name": "where", "Value": "prod-assets", "Type": "String"}, head=parameter),
        record_of(2, head, request, Answer(200, Headers([("Location", "/prod-assets")]), b"")),
    )
    assert not left_out
    assert b"prod-assets" not in everything(kept[:1])
    assert kept[1].request == request


def test_what_cannot_be_judged_is_named() -> None:
    head = CallHead("lambda", "CreateFunction", "rest-json", "123456789012", "us-east-1", "test")
    code = base64.b64encode(b"PK\x03\x04\x00\xff\xfe\x00").decode()
    body = json.dumps({"FunctionName": "f", "Code": {"ZipFile": code}}).encode()
    fields = Headers([("Host", "h"), ("Content-Type", "application/json")])
    function = record_of(1, head, Request("POST", "/2015-03-31/functions", fields, body), document({}))
    put = CallHead("s3", "PutObject", "rest-xml", "123456789012", "us-east-1", "test")
    image = record_of(
        2, put, Request("PUT", "/b/k", Headers([("Host", "h")]), b"\x89PNG\x00\xff"), Answer(200, Headers(), b"", "")
    )
    unknown = record_of(3, None, Request("POST", "/x", fields, b"{}"), document({}))
    _kept, redactor, _left_out = redacted(function, image, unknown)
    assert set(redactor.catalogue.not_judged) == {
        "no text: lambda:CreateFunction:Code.ZipFile",
        "no text: s3:PutObject:the body",
        "no model of the call (names and values were judged): POST request",
    }


def test_a_secret_in_a_body_that_is_no_text_is_left_out() -> None:
    put = CallHead("s3", "PutObject", "rest-xml", "123456789012", "us-east-1", "test")
    body = b"\x00\xff" + WORD.encode() + b"\x00"
    image = record_of(2, put, Request("PUT", "/b/k", Headers([("Host", "h")]), body), Answer(200, Headers(), b"", ""))
    kept, _redactor, left_out = redacted(message({"password": WORD}), image)
    assert len(kept) == 1
    assert left_out == ["its body is no text"]


def test_a_redacted_copy_is_redacted_to_itself_and_new_secrets_get_new_numbers() -> None:
    records = [
        message({"password": WORD, "token": WORD + "2", "seen": WORD}),
        message({"SecretBinary": "aGVsbG8gd29ybGQh"}),
    ]
    once, _redactor, _left_out = redacted(*records)
    twice, redactor, left_out = redacted(*once)
    assert (everything(twice), left_out) == (everything(once), [])
    assert not redactor.counts
    more, _redactor, _left_out = redacted(*once, message({"api_key": "another-secret"}))
    assert everything(more[:2]) == everything(once)
    assert b"Redacted-0000004" in everything(more[2:])


def test_half_a_character_is_no_error() -> None:
    body = b'{"password": "\\ud800 and more", "x": 1}'
    fields = Headers([("Host", "h"), ("Content-Type", "application/x-amz-json-1.0")])
    redacted(record_of(1, HEAD, Request("POST", "/", fields, body), document({})))


SECRETS = """
    Password Passwords client_secret PASSWORD PlatformCredential DB_PASSWORD --db_password db-password dbPassword
    MYSQLPASSWORD apikey API_KEY ApiKeys X-Api-Key X-Auth-Token secretAccessKey SecretString SecretBinary
    sessionToken AccessTokens PASSWORD_1 SECRET_KEY_BASE AuthToken PrivateKey privateKeyPem Token tokens
    /app/prod/db/password webhookSecret jwtToken Pwd CREDENTIALS authorization Cookie X-Amz-Signature authCode
    HECToken apiToken SASToken OTPs GITHUB_PAT apiKeyValue passphrase
"""
NO_SECRETS = """
    NextToken ClientToken ClientRequestToken ContinuationToken PageToken SecretArn SecretId secretName
    PasswordPolicy PasswordLength passwordResetRequired PASSWORD_FILE TokenType tokenEndpoint Author KmsKeyId Name
    Value KeyName LockToken ChangeToken AccessKeyId kmsMasterKeyId uploadSequenceToken authorizationScopes
    authType httpTokens PasswordLastUsed MaxTokens Key SecretStatus signatureAlgorithm AWSAccessKeyId
    authenticationType SpotPrice PublicKeyMaterial ExplicitAuthFlows pinned tokenized
"""


def test_names() -> None:
    assert [name for name in SECRETS.split() if not names_secret(name)] == []
    assert [name for name in NO_SECRETS.split() if names_secret(name)] == []


def test_tokens_of_pages_and_of_idempotency_are_no_secrets_in_any_model() -> None:
    wrong = set()
    for service in models.service_names():
        folder = models._newest_version(service)
        assert folder is not None
        pages = (models._read(folder, "paginators-1") or {}).get("pagination", {})
        for page in pages.values():
            for place in ("input_token", "output_token"):
                tokens = page.get(place) or []
                for token in [tokens] if isinstance(tokens, str) else tokens:
                    wrong |= {name for name in re.findall(r"\w+", token) if names_secret(name)}
    assert wrong == set()


@settings(max_examples=amount(100, 1000), deadline=None)
@given(st.text(max_size=60), st.dictionaries(st.text(max_size=12), st.text(max_size=40), max_size=4))
@example("\\u00", {"password": "\ud800x"})
def test_any_text_is_read_without_an_error(text: str, content: dict[str, str]) -> None:
    request = Request("POST", "/", Headers([("Host", "h"), ("Content-Type", "x")]), text.encode("utf-8", "replace"))
    redacted(record_of(1, None, request, document(content)), message({"Message": text, "password": text}))
