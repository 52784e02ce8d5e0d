"""ON_REQUEST and MANUAL: what is restored when, and what happens to those who ask meanwhile."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import SOON, client
from tests.support.processes import Emulator, Proxy, amount, http_status, left_out

pytestmark = pytest.mark.emulator

PATIENT = {"retries": {"max_attempts": 4, "mode": "standard"}, "read_timeout": 120}
STACK = """
Resources:
  Queue:
    Type: AWS::SQS::Queue
  Topic:
    Type: AWS::SNS::Topic
Outputs:
  Url:
    Value: !Ref Queue
"""
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_whole(proxy: Proxy) -> bool:
    status = proxy.status()
    return status["state"] == "ready" and status["restoring"] is None


def post(proxy: Proxy, path: str) -> Iterator[tuple[float, dict[str, Any]]]:
    """The lines of an answer, each with the time at which it came."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=120)
    connection.request("POST", path)
    answer = connection.getresponse()
    assert answer.status == 200
    while line := answer.readline():
        yield time.monotonic(), json.loads(line)
    connection.close()


def again(proxy: Proxy, *options: str, start: Callable[..., Proxy], **more: Any) -> Proxy:
    """After a SIGKILL of proxy and emulator: started anew on the same port and recording."""
    proxy.kill_all()
    return start(*options, port=proxy.port, **more)


def make_some_of_everything(url: str) -> dict[str, str]:
    """A function with a role and a queue that triggers it, parameters, a bucket with an object, a network."""
    iam, sqs, function, ssm = (client(name, url) for name in ("iam", "sqs", "lambda", "ssm"))
    s3, ec2 = client("s3", url), client("ec2", url)
    role = iam.create_role(RoleName="runner", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    queue = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    other = sqs.create_queue(QueueName="letters")["QueueUrl"]
    sqs.send_message(QueueUrl=other, MessageBody="kept")
    function.create_function(
        FunctionName="worker",
        Runtime="python3.12",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": code()},
    )
    mapping = function.create_event_source_mapping(FunctionName="worker", EventSourceArn=arn)["UUID"]
    ssm.put_parameter(Name="/a", Value="1", Type="String")
    s3.create_bucket(Bucket="things")
    s3.put_object(Bucket="things", Key="k", Body=b"content")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    return {"queue": queue, "other": other, "mapping": mapping, "vpc": vpc, "role": role}


@dataclass(frozen=True)
class Recorded:
    """What `make_some_of_everything` recorded with moto, killed then; `made` has URLs with the port."""

    made: dict[str, str]
    data_dir: Path
    port: int
    calls: int

    def go_on(self, start: Callable[..., Proxy], *options: str) -> Proxy:
        """A proxy that is started on a copy of the recording."""
        copy = Path(tempfile.mkdtemp(dir=self.data_dir.parent)) / "recordings"
        shutil.copytree(self.data_dir, copy)
        return start(*options, port=self.port, data_dir=copy)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    proxy = Proxy(tmp_path_factory.mktemp("recorded"))
    try:
        made = make_some_of_everything(proxy.url)
        calls = len(proxy.records())
        proxy.kill_all()
    finally:
        proxy.end()
    return Recorded(made, proxy.data_dir, proxy.port, calls)


def code() -> bytes:
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return 1\n")
    return buffer.getvalue()


def all_is_there(url: str, made: dict[str, str]) -> None:
    sqs, s3 = client("sqs", url, **PATIENT), client("s3", url, **PATIENT)
    assert client("lambda", url, **PATIENT).get_event_source_mapping(UUID=made["mapping"])["UUID"] == made["mapping"]
    assert client("ec2", url, **PATIENT).describe_vpcs(VpcIds=[made["vpc"]])["Vpcs"][0]["CidrBlock"] == "10.9.0.0/16"
    assert client("ssm", url, **PATIENT).get_parameter(Name="/a")["Parameter"]["Value"] == "1"
    assert client("iam", url, **PATIENT).get_role(RoleName="runner")["Role"]["Arn"] == made["role"]
    assert s3.get_object(Bucket="things", Key="k")["Body"].read() == b"content"
    assert len(sqs.list_queues()["QueueUrls"]) == 2
    attributes = sqs.get_queue_attributes(QueueUrl=made["other"], AttributeNames=["ApproximateNumberOfMessages"])
    assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "1"


class TestOnRequest:
    @pytest.mark.parametrize("name", ["moto", "ministack"])
    def test_the_first_request_restores_its_service_with_what_that_needs_and_the_rest_follows(
        self, start_proxy: Callable[..., Proxy], name: str
    ) -> None:
        if name != "moto" and (reason := left_out(0.1)):
            pytest.skip(f"the same on {name} {reason}")
        options = ("--emulator", name, "--load-strategy", "ON_REQUEST")
        proxy = start_proxy(*options)
        made = make_some_of_everything(proxy.url)
        recorded = len(proxy.records())
        proxy = again(proxy, *options, start=start_proxy)
        mapping = client("lambda", proxy.url, **PATIENT).get_event_source_mapping(UUID=made["mapping"])
        assert mapping["UUID"] == made["mapping"]
        wait_until(lambda: is_whole(proxy))
        all_is_there(proxy.url, made)
        assert proxy.status()["last_restore"]["restored"] == recorded
        assert proxy.log.count("API calls from persistent file") == 1, "one line for the whole"
        assert f"Restored {recorded} API calls" in proxy.log
        assert "restored lambda" in proxy.log
        assert len(proxy.records()) == recorded, "nothing was recorded anew"

    def test_many_first_requests_at_the_same_time(self, start_proxy: Callable[..., Proxy], recorded: Recorded) -> None:
        options = ("--load-strategy", "ON_REQUEST")
        proxy, made = recorded.go_on(start_proxy, *options), recorded.made
        clients = {name: client(name, proxy.url, **PATIENT) for name in ("sqs", "lambda", "ec2", "ssm", "s3", "iam")}
        asks: list[Callable[[], bool]] = [
            lambda: clients["sqs"].get_queue_url(QueueName="jobs")["QueueUrl"] == made["queue"],
            lambda: len(clients["lambda"].list_functions()["Functions"]) == 1,
            lambda: clients["ec2"].describe_vpcs(VpcIds=[made["vpc"]])["Vpcs"][0]["VpcId"] == made["vpc"],
            lambda: clients["ssm"].get_parameter(Name="/a")["Parameter"]["Value"] == "1",
            lambda: clients["s3"].get_object(Bucket="things", Key="k")["Body"].read() == b"content",
            lambda: clients["iam"].get_role(RoleName="runner")["Role"]["Arn"] == made["role"],
        ]
        with ThreadPoolExecutor(24) as pool:
            assert all(pool.map(lambda ask: ask(), asks * 4))
        wait_until(lambda: is_whole(proxy))
        assert proxy.status()["last_restore"]["restored"] == recorded.calls, "each call was made once"

    def test_what_a_new_call_names_is_restored_before_it(
        self, start_proxy: Callable[..., Proxy], recorded: Recorded
    ) -> None:
        options = ("--load-strategy", "ON_REQUEST")
        proxy, made = recorded.go_on(start_proxy, *options), recorded.made
        rds = client("ec2", proxy.url, **PATIENT)
        subnet = rds.create_subnet(VpcId=made["vpc"], CidrBlock="10.9.1.0/24")["Subnet"]
        assert subnet["VpcId"] == made["vpc"]
        sns = client("sns", proxy.url, **PATIENT)
        topic = sns.create_topic(Name="news")["TopicArn"]
        arn = f"arn:aws:sqs:us-east-1:{topic.split(':')[4]}:jobs"
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        sns.publish(TopicArn=topic, Message="hello")
        received = client("sqs", proxy.url, **PATIENT).receive_message(QueueUrl=made["queue"])
        assert "hello" in received["Messages"][0]["Body"]

    def test_calls_in_between_are_recorded_and_not_made_twice(
        self, start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
    ) -> None:
        emulator = start_emulator("moto")
        options = ("--upstream", emulator.url, "--load-strategy", "ON_REQUEST")
        proxy = start_proxy(*options)
        made = make_some_of_everything(proxy.url)
        ec2 = client("ec2", proxy.url, **PATIENT)
        before = len(ec2.describe_vpcs()["Vpcs"])
        for _boot in range(amount(1, 2)):
            proxy.kill()
            emulator.restart()
            proxy.again()
            ec2.create_vpc(CidrBlock="10.10.0.0/16")
            client("sqs", proxy.url, **PATIENT).send_message(QueueUrl=made["queue"], MessageBody="new")
            wait_until(lambda: is_whole(proxy))
            before += 1
            assert len(ec2.describe_vpcs()["Vpcs"]) == before
        proxy.kill()
        proxy.again()
        assert "nothing to restore" in proxy.log
        assert len(ec2.describe_vpcs()["Vpcs"]) == before

    def test_what_is_no_call_of_aws_waits_for_everything(
        self, start_proxy: Callable[..., Proxy], recorded: Recorded
    ) -> None:
        options = ("--load-strategy", "ON_REQUEST")
        proxy = recorded.go_on(start_proxy, *options)
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(proxy.url + "/restapis/abc/dev/_user_request_/", timeout=120)
        stages = (
            proxy.status()["restoring"] or {}
        )  # for a moment after the last service, what was done is still put down
        assert not stages.get("waiting") and not stages.get("restoring")
        wait_until(lambda: is_whole(proxy))

    @pytest.mark.parametrize("name", ["moto", "ministack"])
    def test_what_a_stack_made_is_there_for_the_services_of_its_resources(
        self, start_proxy: Callable[..., Proxy], name: str
    ) -> None:
        if name != "moto" and (reason := left_out(0.1)):
            pytest.skip(f"the same on {name} {reason}")
        options = ("--emulator", name, "--load-strategy", "ON_REQUEST")
        proxy = start_proxy(*options)
        stacks = client("cloudformation", proxy.url)
        stacks.create_stack(StackName="pair", TemplateBody=STACK)
        stacks.get_waiter("stack_create_complete").wait(StackName="pair", WaiterConfig=SOON)
        stacks.describe_stack_resources(StackName="pair")
        url = stacks.describe_stacks(StackName="pair")["Stacks"][0]["Outputs"][0]["OutputValue"]
        client("sqs", proxy.url).send_message(QueueUrl=url, MessageBody="kept")
        time.sleep(0.5)  # for the witness, which is written off the latency path
        proxy = again(proxy, *options, start=start_proxy)
        received = client("sqs", proxy.url, **PATIENT).receive_message(QueueUrl=url)
        assert [each["Body"] for each in received["Messages"]] == ["kept"]
        wait_until(lambda: is_whole(proxy))

    def test_an_emulator_that_dies_in_the_middle_is_restored_from_the_beginning(
        self, start_proxy: Callable[..., Proxy], recorded: Recorded
    ) -> None:
        options = ("--load-strategy", "ON_REQUEST")
        proxy, made = recorded.go_on(start_proxy, *options), recorded.made
        client("ssm", proxy.url, **PATIENT).get_parameter(Name="/a")
        os.kill(proxy.status()["emulator"]["pid"], signal.SIGKILL)
        all_is_there(proxy.url, made)
        wait_until(lambda: is_whole(proxy))
        all_is_there(proxy.url, made)

    def test_half_a_restore_is_not_taken_for_a_whole_one(
        self, start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
    ) -> None:
        emulator = start_emulator("moto")
        options = ("--upstream", emulator.url, "--load-strategy", "ON_REQUEST")
        proxy = start_proxy(*options)
        sqs = client("sqs", proxy.url)
        for number in range(250):
            sqs.create_queue(QueueName=f"q{number}")
        client("ssm", proxy.url).put_parameter(Name="/a", Value="1", Type="String")
        proxy.kill()
        emulator.restart()
        proxy.again()
        assert http_status(proxy.url + "/_localstack/health") == 200
        assert client("ssm", proxy.url, **PATIENT).get_parameter(Name="/a")["Parameter"]["Value"] == "1"
        assert not is_whole(proxy), "the first answer does not wait for the rest"
        direct = client("sqs", emulator.url)
        # A part of them has to be made, and not only announced.
        wait_until(lambda: bool(direct.list_queues().get("QueueUrls")))
        proxy.kill()
        proxy.again(wait=False)
        assert proxy.process.wait(60) == 6
        assert "holds a part of this recording" in proxy.log
        emulator.restart()
        proxy.again()
        wait_until(lambda: is_whole(proxy))
        assert len(direct.list_queues()["QueueUrls"]) == 250

    def test_damage_is_refused_before_anything_is_restored(
        self, start_proxy: Callable[..., Proxy], recorded: Recorded
    ) -> None:
        options = ("--load-strategy", "ON_REQUEST")
        proxy = recorded.go_on(start_proxy, *options)
        proxy.kill_all()
        content = proxy.journal.read_bytes()
        proxy.journal.write_bytes(content.replace(b"things", b"thingz", 1))
        proxy.again(wait=False)
        assert proxy.process.wait(60) == 4
        assert "its checksum does not match" in proxy.log


class TestManual:
    def test_nothing_is_restored_until_it_is_asked_for(
        self, start_proxy: Callable[..., Proxy], recorded: Recorded
    ) -> None:
        proxy, made = recorded.go_on(start_proxy, "--load-strategy", "MANUAL"), recorded.made
        sqs, ssm = client("sqs", proxy.url, **PATIENT), client("ssm", proxy.url, **PATIENT)
        assert sqs.list_queues().get("QueueUrls", []) == []
        assert proxy.status()["restoring"]["waiting"] == ["ec2", "iam", "lambda", "s3", "sqs", "ssm"]
        lines = [line for _time, line in post(proxy, "/_localstack/state/ssm/load")]
        assert lines == [{"service": "ssm", "status": "ok", "restored": 1, "calls": 1}]
        assert ssm.get_parameter(Name="/a")["Parameter"]["Value"] == "1"
        assert sqs.list_queues().get("QueueUrls", []) == []
        assert proxy.status()["restoring"]["restored"] == ["ssm"]
        lines = [line for _time, line in post(proxy, "/_localstack/state/load")]
        assert sorted(line["service"] for line in lines) == ["ec2", "iam", "lambda", "s3", "sqs", "ssm"]
        assert all(line["status"] == "ok" for line in lines)
        assert sum(line["calls"] for line in lines) == recorded.calls
        wait_until(lambda: is_whole(proxy))
        all_is_there(proxy.url, made)
        assert f"Restored {recorded.calls} API calls" in proxy.log

    def test_a_service_that_is_loaded_brings_what_it_needs(
        self, start_proxy: Callable[..., Proxy], recorded: Recorded
    ) -> None:
        proxy, made = recorded.go_on(start_proxy, "--load-strategy", "MANUAL"), recorded.made
        assert [line["service"] for _time, line in post(proxy, "/_localstack/state/lambda/load")] == ["lambda"]
        mapping = client("lambda", proxy.url).get_event_source_mapping(UUID=made["mapping"])
        assert mapping["EventSourceArn"].endswith(":jobs")
        assert client("iam", proxy.url).get_role(RoleName="runner")["Role"]["Arn"] == made["role"]
        assert client("s3", proxy.url).list_buckets()["Buckets"] == []

    def test_lines_come_as_the_services_are_done(self, start_proxy: Callable[..., Proxy]) -> None:
        proxy = start_proxy()
        sqs, ssm = client("sqs", proxy.url), client("ssm", proxy.url)
        for number in range(120):
            sqs.create_queue(QueueName=f"q{number}")
        ssm.put_parameter(Name="/a", Value="1", Type="String")
        proxy = again(proxy, "--load-strategy", "MANUAL", start=start_proxy)
        arrived = list(post(proxy, "/_localstack/state/load"))
        assert [line["service"] for _time, line in arrived] == ["ssm", "sqs"]
        assert arrived[1][0] - arrived[0][0] > 0.05
        assert [line for _time, line in post(proxy, "/_localstack/state/load")] == [{"status": "ok"}]
        whole = list(post(proxy, "/_localstack/state/load?reset=1"))
        assert [line["calls"] for _time, line in sorted(whole, key=lambda each: str(each[1]["service"]))] == [120, 1]

    def test_a_request_waits_while_its_service_is_loaded(self, start_proxy: Callable[..., Proxy]) -> None:
        proxy = start_proxy()
        sqs = client("sqs", proxy.url)
        for number in range(250):
            sqs.create_queue(QueueName=f"q{number}")
        proxy = again(proxy, "--load-strategy", "MANUAL", start=start_proxy)
        loading = threading.Thread(target=lambda: list(post(proxy, "/_localstack/state/sqs/load")))
        loading.start()
        wait_until(lambda: (proxy.status()["restoring"] or {}).get("waiting") != ["sqs"])
        assert len(client("sqs", proxy.url, **PATIENT).list_queues()["QueueUrls"]) == 250
        loading.join()

    def test_what_nobody_knows_is_loaded_at_once(self, start_proxy: Callable[..., Proxy]) -> None:
        proxy = start_proxy()
        client("ssm", proxy.url).put_parameter(Name="/a", Value="1", Type="String")
        proxy = again(proxy, "--load-strategy", "MANUAL", start=start_proxy)
        lines = [line for _time, line in post(proxy, "/_localstack/state/kinesis/load")]
        assert lines == [{"service": "kinesis", "status": "ok", "restored": 0, "calls": 0}]
