"""The doctor on a stack in which everything hangs on something: sound, broken link by link, mended, restored."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from replay_proxy.journal.format.records import RecordKind
from replay_proxy.journal.read.reader import read
from tests.support.clients import CREDENTIALS, client
from tests.support.diagnoses import examined
from tests.support.processes import (
    EMULATORS,
    Emulator,
    Proxy,
    aws_cli,
    left_out,
    localstack_python,
    missing,
    replay_proxy,
)
from tests.support.wired_stack import BREAKS, make, table_lines

pytestmark = pytest.mark.emulator

TABLE = Path(__file__).parents[2] / "docs" / "doctor.md"


def command(*options: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*replay_proxy(), "doctor", *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout, done.stderr


def changes_in(proxy: Proxy) -> list[int]:
    """The numbers of the recorded calls of clients that changed state."""
    return [record.seq for record in read(proxy.data_dir).records() if record.kind is RecordKind.MUTATION]


def found_by(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding["type"], finding["member"]) for finding in document["findings"]]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("emulator", EMULATORS)
def test_each_broken_link_is_named_and_mended_and_nothing_else(
    start_proxy: Callable[..., Proxy], emulator: str
) -> None:
    everything = left_out(1) is None
    if emulator != "moto" and not everything:
        pytest.skip(f"the same on {emulator} {left_out(1)}")
    if reason := missing(emulator):
        pytest.skip(reason)
    options = ["--emulator", emulator]
    if emulator == "localstack":
        options += ["--emulator-python", str(localstack_python())]
    proxy = start_proxy(*options)
    make(lambda service: client(service, proxy.url), emulator)
    recorded = changes_in(proxy)
    document = examined(proxy)
    assert found_by(document) == []
    assert document["links"]["held"] == document["links"]["checked"] > (10 if emulator == "localstack" else 30)
    proxy.stop() if emulator == "localstack" else proxy.kill_all()
    proxy = start_proxy(*options, port=proxy.port)
    restored = examined(proxy)
    assert (found_by(restored), restored["links"]) == ([], document["links"])
    emulator_url = proxy.status()["emulator"]["url"]
    left: set[tuple[str, str]] = set()
    for broken in BREAKS if everything else BREAKS[::12]:
        if emulator in broken.unable:
            continue
        broken.carry_out(lambda service: client(service, emulator_url))
        mended = examined(proxy, "?repair=1")
        diagnosis = mended["before"]
        members = (*broken.members, *broken.also.get(emulator, ()))
        assert set(found_by(diagnosis)) == {(broken.type, member) for member in members} | left, broken.link
        for finding in diagnosis["findings"]:
            assert finding["cause"]
            assert finding["answer"]
            assert all(command.startswith("aws ") for command in finding["commands"])
        assert [each for each in mended["repeated"] if each["problem"]] == [], broken.link
        left |= set(broken.left)
        assert set(found_by(mended["after"])) == left, broken.link
    assert changes_in(proxy) == recorded, "neither a diagnosis nor a repair leaves a trace"


def test_the_command_draws_a_tree_asks_before_it_mends_and_exits_by_what_it_found(
    start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    proxy = start_proxy()
    url = client("sqs", proxy.url).create_queue(QueueName="orders")["QueueUrl"]
    topic = client("sns", proxy.url).create_topic(Name="news")["TopicArn"]
    attributes = client("sqs", proxy.url).get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = attributes["Attributes"]["QueueArn"]
    client("sns", proxy.url).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def doctor(*options: str) -> tuple[int, str, str]:
        return command("--listen", f"127.0.0.1:{proxy.port}", *options)

    code, out, _err = doctor("--all")
    assert code == 0
    assert "✓ AWS::SNS::Subscription" in out
    assert "  ✓ Endpoint -> AWS::SQS::Queue orders" in out
    assert out.splitlines()[-1] == "3 of 3 resources there, wired 1 of 1 link; nothing is wrong"
    emulator = proxy.status()["emulator"]["url"]
    client("sqs", emulator).delete_queue(QueueUrl=client("sqs", emulator).get_queue_url(QueueName="orders")["QueueUrl"])
    report, summary = tmp_path / "doctor.xml", tmp_path / "doctor.md"
    code, out, err = doctor("--junit", str(report), "--markdown", str(summary))
    assert code == 3
    assert "✗ AWS::SQS::Queue orders" in out
    assert "Queue not found" in out
    assert "$ aws sqs create-queue --queue-name orders" in out
    assert "  ✗ Endpoint -> AWS::SQS::Queue orders, which is missing" in out
    assert "error: 1 finding" in err
    assert 'failures="1"' in report.read_text()
    assert "| AWS::SQS::Queue orders | missing |" in summary.read_text()
    code, _out, err = doctor("--repair")
    assert code == 2
    assert "nobody can be asked" in err
    code, _out, err = doctor("--repair", "--dry-run")
    assert code == 3
    assert "would be made: aws sqs create-queue" in err
    code, out, _err = doctor("--repair", "--yes")
    assert code == 0
    assert "made again: call 1 sqs:CreateQueue" in out
    code, out, _err = doctor("--json")
    assert json.loads(out)["sound"]


def test_the_commands_that_mend_can_be_pasted_into_a_shell(start_proxy: Callable[..., Proxy]) -> None:
    """With credentials, and no other setting: region and endpoint are in them, and quotes are those of a shell."""
    proxy = start_proxy("--check-wiring", "0")
    said = 'it\'s $HOME `id` "x" \\ | é'
    queue, events = (client(service, proxy.url, region="eu-west-1") for service in ("sqs", "events"))
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Sid": "a"}]})
    queue.create_queue(QueueName="orders", Attributes={"Policy": policy}, tags={"why": "it's ours"})
    events.put_rule(Name="tick", ScheduleExpression="rate(5 days)", Description=said)
    emulator = proxy.status()["emulator"]["url"]
    behind = client("sqs", emulator, region="eu-west-1")
    behind.delete_queue(QueueUrl=behind.get_queue_url(QueueName="orders")["QueueUrl"])
    client("events", emulator, region="eu-west-1").delete_rule(Name="tick")
    _code, out, _err = command("--endpoint", proxy.url)
    pasted = [line.strip().removeprefix("$ ") for line in out.splitlines() if line.strip().startswith("$ ")]
    assert len(pasted) == 2, out
    environment = {"PATH": f"{Path(str(aws_cli())).parent}:/usr/bin:/bin", "HOME": "/nowhere", **CREDENTIALS}
    del environment["AWS_DEFAULT_REGION"]
    for line in pasted:
        done = subprocess.run(
            ["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, (line, done.stderr)
    assert command("--endpoint", proxy.url)[0] == 0
    assert events.describe_rule(Name="tick")["Description"] == said


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_values_of_parameters_are_compared_and_never_shown(start_proxy: Callable[..., Proxy], emulator: str) -> None:
    if emulator != "moto" and (reason := left_out(0.3)):
        pytest.skip(f"the same on {emulator} {reason}")
    proxy = start_proxy("--emulator", emulator)
    client("ssm", proxy.url).put_parameter(Name="/secret", Type="SecureString", Value="hush-hush")
    client("ssm", proxy.url).put_parameter(Name="/plain", Type="String", Value="hush-plain")
    assert found_by(examined(proxy)) == []
    behind = client("ssm", proxy.status()["emulator"]["url"])
    behind.put_parameter(Name="/secret", Type="SecureString", Value="hush-other", Overwrite=True)
    mended = examined(proxy, "?repair=1")
    assert [(each["name"], each["member"]) for each in mended["before"]["findings"]] == [("/secret", "Value")]
    assert mended["after"]["sound"]
    assert "hush" not in json.dumps(mended)
    shown = behind.get_parameter(Name="/secret", WithDecryption=True)["Parameter"]
    assert (shown["Value"], shown["Type"]) == ("hush-hush", "SecureString")


def test_a_proxy_that_is_not_there_or_has_nothing_recorded(start_proxy: Callable[..., Proxy]) -> None:
    code, _out, err = command("--listen", "127.0.0.1:9")
    assert code == 6
    assert "no proxy answers" in err
    assert command("--strict")[0] == command("--dry-run")[0] == 2
    proxy = start_proxy()
    document = examined(proxy)
    assert document["sound"]
    assert document["tree"] == []
    assert command(AWS_ENDPOINT_URL=proxy.url)[0] == 0
    assert command("--listen", "127.0.0.1:9", AWS_ENDPOINT_URL=proxy.url)[0] == 6


def test_the_table_of_the_documents_has_every_kind_of_link() -> None:
    assert "\n".join(table_lines()) in TABLE.read_text(), "python -m tests.support.wired_stack prints it"


def test_what_it_prints_is_what_its_schema_says(start_proxy: Callable[..., Proxy]) -> None:
    schema = json.loads((TABLE.parent / "schemas" / "doctor.schema.json").read_text())
    proxy = start_proxy()
    url = client("sqs", proxy.url).create_queue(QueueName="orders")["QueueUrl"]
    jsonschema.validate(examined(proxy), schema)
    emulator = client("sqs", proxy.status()["emulator"]["url"])
    emulator.delete_queue(QueueUrl=emulator.get_queue_url(QueueName="orders")["QueueUrl"])
    document = examined(proxy)
    jsonschema.validate(document, schema)
    assert document["findings"]
    jsonschema.validate(examined(proxy, "?repair=1"), schema)
    assert client("sqs", proxy.url).get_queue_attributes(QueueUrl=url)["ResponseMetadata"]["HTTPStatusCode"] == 200


def saved(proxy: Proxy, query: str = "") -> tuple[int, list[dict[str, Any]]]:
    request = urllib.request.Request(f"{proxy.url}/_localstack/state/save{query}", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, [json.loads(line) for line in answer]
    except urllib.error.HTTPError as error:
        return error.code, [json.loads(error.read())]


def test_what_is_under_way_is_listed_before_a_save(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    proxy = start_proxy(environment={"REPLAY_CHECK_SAVES": "warn"})
    sqs, s3 = client("sqs", proxy.url), client("s3", proxy.url)
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    s3.create_bucket(Bucket="uploads")
    assert examined(proxy, "?before_save=1")["pending"] == []
    sqs.send_message(QueueUrl=url, MessageBody="one")
    assert sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)["Messages"]
    s3.create_multipart_upload(Bucket="uploads", Key="large")
    found = [(each["name"], each["what"]) for each in examined(proxy, "?before_save=1")["pending"]]
    assert found == [
        ("orders", "1 message in flight, received and not deleted"),
        ("uploads", "1 upload open, neither completed nor aborted"),
    ]
    here = ("--endpoint", proxy.url, "--before-save")
    assert command(*here)[0] == 0
    code, out, err = command(*here, "--strict")
    assert code == 3
    assert "! AWS::SQS::Queue orders: 1 message in flight" in out
    assert "2 things under way" in err
    of_queue = "AWS::SQS::Queue orders: 1 message in flight, received and not deleted"
    of_bucket = "AWS::S3::Bucket uploads: 1 upload open, neither completed nor aborted"
    status, lines = saved(proxy)
    assert status == 200
    assert lines == [
        {"service": "s3", "status": "ok", "warnings": [of_bucket]},
        {"service": "sqs", "status": "ok", "warnings": [of_queue]},
    ]
    assert saved(proxy, "?check=0") == (200, [{"service": each, "status": "ok"} for each in ("s3", "sqs")])
    status, lines = saved(proxy, "?strict=1")
    assert status == 412
    assert lines[0]["error"] == f"not saved: {of_queue}; {of_bucket}"
    pod = [*replay_proxy(), "pod", "save", str(tmp_path / "shop.pod"), "--endpoint", proxy.url]
    done = subprocess.run([*pod, "--strict"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3
    assert f"not saved: {of_queue}" in done.stderr
    assert not (tmp_path / "shop.pod").exists()
    done = subprocess.run(pod, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0
    assert f"warning: {of_queue}\nwarning: {of_bucket}\n" in done.stderr


def test_what_is_not_saved_yet_is_examined_as_the_emulator_holds_it(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    moto = start_emulator("moto")
    proxy = start_proxy("--upstream", moto.url, "--save-strategy", "MANUAL", "--check-wiring", "0")
    sqs = client("sqs", proxy.url)
    first = sqs.create_queue(QueueName="first")["QueueUrl"]
    assert saved(proxy, "?strict=1")[0] == 200
    sqs.create_queue(QueueName="second")
    sqs.delete_queue(QueueUrl=first)
    assert found_by(examined(proxy)) == [], "what was deleted since the save is not missing"
    there = client("sqs", moto.url)
    there.delete_queue(QueueUrl=there.get_queue_url(QueueName="second")["QueueUrl"])
    found = [(each["name"], each["problem"]) for each in examined(proxy, "?before_save=1")["findings"]]
    assert found == [("second", "missing")]
    assert saved(proxy, "?strict=1")[0] == 412


def test_members_of_a_stack_are_not_missed_by_ids_that_no_read_takes(start_proxy: Callable[..., Proxy]) -> None:
    code = {"ZipFile": "def h(e, c): return {}"}
    function = {"Runtime": "python3.12", "Handler": "index.h", "Role": "arn:aws:iam::000000000000:role/r", "Code": code}
    allowed = {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "Work"}, "Principal": "sns.amazonaws.com"}
    version = {"Fn::GetAtt": ["First", "Version"]}
    live = {"FunctionName": {"Ref": "Work"}, "FunctionVersion": version, "Name": "live"}
    template = {
        "Resources": {
            "Log": {"Type": "AWS::Logs::LogGroup"},
            "Setting": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "1"}},
            "Work": {"Type": "AWS::Lambda::Function", "Properties": function},
            "Allowed": {"Type": "AWS::Lambda::Permission", "Properties": allowed},
            "First": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Work"}}},
            "Live": {"Type": "AWS::Lambda::Alias", "Properties": live},
        }
    }
    proxy = start_proxy("--emulator", "ministack", "--check-wiring", "0")
    stacks = client("cloudformation", proxy.url)
    stacks.create_stack(StackName="st", TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName="st", WaiterConfig={"Delay": 1})
    stacks.describe_stack_events(StackName="st")
    for _ in range(2):
        assert found_by(examined(proxy)) == []
        proxy.kill_all()
        proxy = proxy.again()
    behind = client("lambda", proxy.status()["emulator"]["url"])
    (worker,) = (each["FunctionName"] for each in behind.list_functions()["Functions"])
    behind.delete_alias(FunctionName=worker, Name="live")
    assert [(each["name"], each["member"]) for each in examined(proxy)["findings"]] == [("st", "Resources.Live")]


def test_an_emulator_is_examined_without_a_proxy_and_with_the_identifiers_of_its_last_session(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url)
    vpc = client("ec2", proxy.url).create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    client("ec2", proxy.url).create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")
    proxy.stop()
    emulator.end()
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url)
    assert proxy.status()["aliases"] > 0
    proxy.stop()
    here = ("--upstream", emulator.url, "--data-dir", str(proxy.data_dir))
    code, out, err = command(*here)
    assert code == 0, err
    assert out.splitlines()[-1] == "2 of 2 resources there, wired 1 of 1 link; nothing is wrong"
    code, _out, err = command(*here, "--repair")
    assert code == 2
    assert "a repair needs a running proxy" in err
    emulator.end()
    assert command(*here)[0] == 6


def test_each_restore_is_followed_by_a_line_on_its_links(start_proxy: Callable[..., Proxy]) -> None:
    if reason := left_out(0.3):
        pytest.skip(f"a check that comes ten seconds after a restore {reason}")
    proxy = start_proxy()
    topic = client("sns", proxy.url).create_topic(Name="news")["TopicArn"]
    url = client("sqs", proxy.url).create_queue(QueueName="orders")["QueueUrl"]
    attributes = client("sqs", proxy.url).get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = attributes["Attributes"]["QueueArn"]
    client("sns", proxy.url).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    proxy.kill_all()
    proxy = start_proxy(port=proxy.port)
    deadline = time.monotonic() + 60
    while "wired" not in proxy.log and time.monotonic() < deadline:
        time.sleep(0.2)
    assert "wired 1 of 1 link" in proxy.log
    proxy.kill_all()
    silent = start_proxy("--check-wiring", "0", port=proxy.port)
    time.sleep(14)
    assert silent.log.count("wired") == 1, "the log of both: no further line"
