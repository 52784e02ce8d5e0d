"""`replay-proxy explain`, as a person calls it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.cli.main import main
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.journal.format.encode import encode_record
from replay_proxy.journal.format.records import Credential, Record, RecordKind

CAPTURES = Path(__file__).resolve().parents[1] / "wire" / "captures"
CURL = (
    "curl http://localhost:4566/ -H 'X-Amz-Target: AmazonSQS.CreateQueue' "
    "-H 'Content-Type: application/x-amz-json-1.0' "
    "-H 'Authorization: AWS4-HMAC-SHA256 Credential=111122223333/20240101/eu-west-1/sqs/aws4_request, "
    "SignedHeaders=host, Signature=0' "
    '--data-raw \'{"QueueName":"orders","Attributes":{"DelaySeconds":"5"}}\''
)


@pytest.fixture
def explain(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(["explain", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_an_operation(explain: Any) -> None:
    code, out, err = explain("sqs:ReceiveMessage")
    assert code == 0
    assert err == ""
    assert lines(out)["effect"] == "transient"
    assert lines(out)["recorded"] == "no"
    assert "hand-checked table" in lines(out)["why"]


@pytest.mark.parametrize("name", ["sqs:CreateQueue", "sqs:createqueue", "SQS:create-queue", "sqs:create_queue"])
def test_spellings_of_an_operation(explain: Any, name: str) -> None:
    assert lines(explain(name)[1])["operation"] == "CreateQueue"


def test_service_and_operation_as_two_words(explain: Any) -> None:
    assert lines(explain("sqs", "create-queue")[1])["operation"] == "CreateQueue"


@pytest.mark.parametrize(
    ("name", "service"),
    [("states:StartExecution", "stepfunctions"), ("elasticloadbalancing:CreateTargetGroup", "elbv2")],
)
def test_signing_names_are_understood(explain: Any, name: str, service: str) -> None:
    assert lines(explain(name)[1])["service"].startswith(service)


def test_an_operation_that_depends_on_its_request_says_so(explain: Any) -> None:
    assert "paste the request" in explain("dynamodb:ExecuteStatement")[1]
    assert "paste the request" not in explain("dynamodb:PutItem")[1]


def test_a_service(explain: Any) -> None:
    code, out, _ = explain("sqs")
    assert code == 0
    assert out.startswith("sqs: 23 operations (14 mutates, 6 reads, 3 transient), all reviewed by hand\n")
    (row,) = [line for line in out.splitlines() if line.startswith("SendMessage ")]
    assert row.split()[:3] == ["SendMessage", "mutates", "data"]


def test_a_curl_line(explain: Any) -> None:
    code, out, _ = explain(CURL)
    assert code == 0
    shown = lines(out)
    assert shown["service"].startswith("sqs")
    assert shown["operation"] == "CreateQueue"
    assert shown["protocol"] == "json"
    assert shown["account"] == "111122223333"
    assert shown["region"] == "eu-west-1"
    assert shown["kind"].startswith("infrastructure")
    assert shown["recorded"] == "yes, if it succeeds"
    assert "  QueueName: orders\n  Attributes:\n    DelaySeconds: 5\n" in out


@pytest.mark.parametrize(
    "operation", ["sqs:SendMessage", "logs:PutLogEvents", "dynamodb:ExecuteStatement", "ssm:PutParameter"]
)
def test_why_it_mutates_and_which_kind_it_writes_have_a_reason_each(explain: Any, operation: str) -> None:
    shown = lines(explain(operation)[1])
    why, kind = shown["why"].removesuffix(" (hand-checked table)"), shown["kind"].partition(": ")[2]
    assert why
    assert kind
    assert why not in kind
    assert kind not in why


@pytest.mark.parametrize("service", ["sqs", "logs", "ssm"])
def test_a_service_shows_both_reasons_of_each_operation(explain: Any, service: str) -> None:
    shown = explain(service)[1].splitlines()
    rows = {row["operation"]: row for row in json.loads(explain("--json", service)[1])["operations"]}
    for name, row in rows.items():
        (at,) = [number for number, line in enumerate(shown) if line.split()[:1] == [name]]
        assert f"{row['effect']}: {row['reason']} ({row['layer']})" in shown[at]
        if row["kind"]:
            assert shown[at + 1].strip() == f"{row['kind']}: {row['kind_reason']}"


def test_json_says_the_same(explain: Any) -> None:
    code, out, _ = explain("--json", CURL)
    assert code == 0
    said = json.loads(out)
    assert said["parameters"] == {"QueueName": "orders", "Attributes": {"DelaySeconds": "5"}}
    assert (said["effect"], said["kind"], said["recorded"]) == ("mutates", "infrastructure", True)


def test_json_of_a_service(explain: Any) -> None:
    said = json.loads(explain("--json", "sqs")[1])
    assert said["counts"] == {"mutates": 14, "reads": 6, "transient": 3}
    assert len(said["operations"]) == 23


def test_the_request_decides(explain: Any) -> None:
    line = (
        "curl http://h/ -H 'X-Amz-Target: DynamoDB_20120810.ExecuteStatement' "
        "-H 'Content-Type: application/x-amz-json-1.0' -d '{\"Statement\": \"SELECT * FROM t\"}'"
    )
    shown = lines(explain(line)[1])
    assert shown["effect"] == "reads"
    assert "seen in the request" in shown["why"]


SECRET = (
    "curl http://h/ -H 'X-Amz-Target: secretsmanager.CreateSecret' -H 'Content-Type: application/x-amz-json-1.1' "
    '-d \'{"Name": "n", "SecretString": "hunter2"}\''
)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_sensitive_members_are_hidden(explain: Any, options: list[str]) -> None:
    out = explain(*options, SECRET)[1]
    assert "CreateSecret" in out
    assert "hidden: sensitive" in out
    assert "hunter2" not in out


def test_long_values_are_cut_for_people_and_whole_in_json(explain: Any) -> None:
    line = (
        "curl http://h/ -H 'X-Amz-Target: AmazonSQS.SendMessage' -H 'Content-Type: application/x-amz-json-1.0' "
        '-d \'{"QueueUrl": "http://h/1/q", "MessageBody": "' + "x" * 5000 + "\\u001b[31m\"}'"
    )
    out = explain(line)[1]
    assert max(map(len, out.splitlines())) < 500
    assert "(5005 characters)" in out
    assert "\x1b" not in out
    assert len(json.loads(explain("--json", line)[1])["parameters"]["MessageBody"]) == 5005


def test_standard_input_and_files(explain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "line.txt"
    file.write_text(CURL)
    assert lines(explain(f"@{file}")[1])["operation"] == "CreateQueue"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CURL.encode())))
    assert lines(explain("-")[1])["operation"] == "CreateQueue"


def record() -> Record:
    """A record as the journal keeps it: no Authorization header, the credential's scope beside it."""
    return Record(
        seq=7,
        time="2024-01-01T00:00:00.000000Z",
        duration_ms=1.5,
        kind=RecordKind.MUTATION,
        head=CallHead("ec2", "CreateVpc", "ec2", "111122223333", "eu-west-1", "111122223333"),
        request=Request(
            "POST",
            "/",
            Headers([("Content-Type", "application/x-www-form-urlencoded")]),
            b"Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0%2F16",
        ),
        answer=Answer(200, Headers(), b"<CreateVpcResponse/>"),
        credential=Credential("111122223333", "eu-west-1", "ec2", "v4"),
    )


def test_a_line_of_a_recording(explain: Any) -> None:
    line = encode_record(record(), 7).decode()
    for text in (line, json.dumps(json.loads(line), indent=2)):
        out = explain(text)[1]
        shown = lines(out)
        assert (shown["operation"], shown["account"], shown["region"]) == (
            "CreateVpc",
            "111122223333",
            "eu-west-1",
        )
        assert "CidrBlock: 10.0.0.0/16" in out


def test_a_line_of_a_recording_with_a_dry_run(explain: Any) -> None:
    line = encode_record(record(), 7).decode().replace("Action=", "DryRun=true&Action=")
    line = json.dumps({name: value for name, value in json.loads(line).items() if name != "crc"})
    assert lines(explain(line)[1])["effect"] == "reads"


def test_a_line_of_localstack_s_recording(explain: Any) -> None:
    line = {
        "a": "sqs",
        "m": "POST",
        "p": "/",
        "d": b64encode(b"Action=CreateQueue&QueueName=q&Version=2012-11-05").decode(),
        "h": {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/sqs/aws4_request, SignedHeaders=host",
        },
    }
    shown = lines(explain(json.dumps(line))[1])
    assert (shown["operation"], shown["protocol"]) == ("CreateQueue", "query")


def test_captured_requests_as_har(explain: Any) -> None:
    captured = (CAPTURES / "boto3.jsonl").read_text().splitlines()[:40]
    assert len(captured) > 10
    for line in captured:
        capture = json.loads(line)
        entry = {
            "method": capture["method"],
            "url": "http://localhost:4566" + capture["target"],
            "headers": [{"name": name, "value": value} for name, value in capture["headers"]],
        }
        if "body" in capture:
            entry["postData"] = {"text": capture["body"]}
        said = json.loads(explain("--json", json.dumps(entry))[1])
        assert f"{said['service']}:{said['operation']}" == capture["expect"]


def test_what_is_no_call_says_what_happens_to_it(explain: Any) -> None:
    code, out, _ = explain("curl http://localhost:4566/_localstack/health")
    assert code == 0
    assert "none that is known" in lines(out)["call"]
    assert "forwarded untouched" in lines(out)["recorded"]


def test_parameters_that_cannot_be_read(explain: Any) -> None:
    line = CURL.replace('{"QueueName', '{{"QueueName')
    code, out, _ = explain(line)
    assert code == 0
    assert lines(out)["parameters"].startswith("cannot be read")
    assert lines(out)["effect"] == "mutates"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["sqs:CreteQueue"], "no operation 'CreteQueue'", "did you mean CreateQueue"),
        (["sqs:Xyzzy"], "no operation", "explain sqs"),
        (["dynmodb"], "no AWS service is called 'dynmodb'", "dynamodb"),
        (["zzzzzz:Get"], "no AWS service", "botocore"),
        (["what is this?"], "no request", "paste"),
        (["@/no/such/file"], "cannot read", "path"),
        (["curl", "http://h"], "taken this command line apart", "quotes"),
        (["a", "b", "c"], "3 arguments", "--help"),
        ([""], "nothing was given", "--help"),
        (['{"seq": 1, "request": {}}'], "line of a recording", "whole line"),
        (["curl http://h -d @/no/such/file"], "cannot read", "path"),
    ],
)
def test_bad_input_is_one_message_with_a_hint(explain: Any, words: list[str], message: str, hint: str) -> None:
    code, out, err = explain(*words)
    assert code == 2
    assert out == ""
    error, advice = err.splitlines()
    assert error.startswith("error: ")
    assert message in error
    assert advice.startswith("hint: ")
    assert hint in advice


def test_help_is_quick_to_import() -> None:
    program = "import sys, replay_proxy.cli.explain.command; assert not {'botocore', 'orjson'} & sys.modules.keys()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def lines(out: str) -> dict[str, str]:
    """The labelled lines of what was printed."""
    labelled = {}
    for line in out.splitlines():
        label = line[:12].strip()
        if label and not line.startswith(" "):
            labelled[label] = line[12:]
    return labelled
