"""Executions, jobs, commands and replays: what they were is there after a restart, and nothing that they did is done again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy, left_out

pytestmark = pytest.mark.emulator
RESTARTS = 3
ROLE = "arn:aws:iam::000000000000:role/x"
RETRYING = {"retries": {"max_attempts": 6, "mode": "standard"}}


def eventually(ask: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def attempted(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception as error:  # the text of an error is compared, too
        return f"{type(error).__name__}: {error}"


def clean(answer: Any) -> Any:
    """An answer without what belongs to one request."""
    if isinstance(answer, dict):
        return {name: clean(value) for name, value in answer.items() if name != "ResponseMetadata"}
    if isinstance(answer, list):
        return [clean(each) for each in answer]
    return str(answer)


class Machines:
    """State machines: one that acts, one that fails, one that only waits, and one that is deleted with its execution."""

    def make(self, url: str) -> None:
        sfn, sqs, dynamodb = client("stepfunctions", url), client("sqs", url), client("dynamodb", url)
        dynamodb.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.queue = sqs.create_queue(QueueName="side")["QueueUrl"]
        put = {
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:putItem",
            "Parameters": {"TableName": "orders", "Item": {"pk": {"S": "o1"}, "state": {"S": "PENDING"}}},
            "Next": "Send",
        }
        send = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage",
            "Parameters": {"QueueUrl": self.queue, "MessageBody": "charge"},
            "End": True,
        }
        definitions = {
            "acts": {"StartAt": "Put", "States": {"Put": put, "Send": send}},
            "fails": {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "because"}}},
            "waits": {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}},
            "gone": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}},
        }
        self.machines = {
            name: sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)[
                "stateMachineArn"
            ]
            for name, definition in definitions.items()
        }
        self.executions = [
            sfn.start_execution(stateMachineArn=self.machines[name], name=f"{name}-{number}", input='{"a": 1}')[
                "executionArn"
            ]
            for name, number in (("acts", 1), ("acts", 2), ("fails", 1), ("waits", 1), ("gone", 1))
        ]
        for arn in self.executions:
            if "waits" not in arn:
                eventually(lambda arn=arn: sfn.describe_execution(executionArn=arn)["status"] != "RUNNING")
        sfn.delete_state_machine(stateMachineArn=self.machines["gone"])
        for _ in range(2):
            [message] = eventually(
                lambda: sqs.receive_message(QueueUrl=self.queue, WaitTimeSeconds=1).get("Messages", [])
            )
            sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        dynamodb.put_item(TableName="orders", Item={"pk": {"S": "o1"}, "state": {"S": "SHIPPED"}})

    def read(self, url: str) -> dict[str, Any]:
        sfn, sqs, dynamodb = (client(name, url, **RETRYING) for name in ("stepfunctions", "sqs", "dynamodb"))
        found: dict[str, Any] = {
            "item": dynamodb.get_item(TableName="orders", Key={"pk": {"S": "o1"}})["Item"]["state"]["S"],
            "messages": sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["ApproximateNumberOfMessages"])[
                "Attributes"
            ],
        }
        for arn in self.executions[:4]:
            found[arn] = clean(sfn.describe_execution(executionArn=arn))
            history = sfn.get_execution_history(executionArn=arn)["events"]
            found[arn + " history"] = clean(history)
            if "waits" not in arn:
                pages = sfn.get_paginator("get_execution_history")
                paged = pages.paginate(executionArn=arn, reverseOrder=True, PaginationConfig={"PageSize": 2})
                assert clean([event for page in paged for event in page["events"]]) == clean(history[::-1])
        for name in ("acts", "fails", "waits"):
            for size in (1000, 1):
                pages = sfn.get_paginator("list_executions").paginate(
                    stateMachineArn=self.machines[name], PaginationConfig={"PageSize": size}
                )
                found[f"list {name} {size}"] = [clean(each) for page in pages for each in page["executions"]]
        found["succeeded"] = clean(
            sfn.list_executions(stateMachineArn=self.machines["acts"], statusFilter="SUCCEEDED")["executions"]
        )
        found["failed"] = sfn.list_executions(stateMachineArn=self.machines["acts"], statusFilter="FAILED")[
            "executions"
        ]
        return found


def without_times(found: dict[str, Any]) -> dict[str, Any]:
    """What is read, without the times of the execution that was started again."""
    again = {name: value for name, value in found.items() if "waits" in name}
    return {name: value for name, value in found.items() if name not in again} | {
        name: value["status"] if isinstance(value, dict) else len(value) for name, value in again.items()
    }


class Replays:
    """An archive whose events were replayed into a queue, and a command, a build and a job."""

    def make(self, url: str) -> None:
        events, sqs = client("events", url), client("sqs", url)
        self.url = sqs.create_queue(QueueName="replayed")["QueueUrl"]
        bus = events.describe_event_bus(Name="default")["Arn"]
        rule = events.put_rule(Name="all", EventPattern='{"source": ["shop"]}')["RuleArn"]
        arn = "arn:aws:sqs:us-east-1:" + bus.split(":")[4] + ":replayed"
        events.put_targets(Rule="all", Targets=[{"Id": "q", "Arn": arn}])
        archive = events.create_archive(ArchiveName="kept", EventSourceArn=bus)["ArchiveArn"]
        events.put_events(Entries=[{"Source": "shop", "DetailType": "order", "Detail": '{"n": 1}'}])
        self._drain(sqs)
        now = time.time()
        events.start_replay(
            ReplayName="again",
            EventSourceArn=archive,
            EventStartTime=now - 600,
            EventEndTime=now + 1,
            Destination={"Arn": bus, "FilterArns": [rule]},
        )
        eventually(lambda: events.describe_replay(ReplayName="again")["State"] == "COMPLETED")
        self._drain(sqs)

    def _drain(self, sqs: Any) -> None:
        for message in sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=1, MaxNumberOfMessages=10).get(
            "Messages", []
        ):
            sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def read(self, url: str) -> dict[str, Any]:
        events, sqs = client("events", url, **RETRYING), client("sqs", url, **RETRYING)
        return {
            "replay": clean(events.describe_replay(ReplayName="again")),
            "replays": [(each["ReplayName"], each["State"]) for each in events.list_replays()["Replays"]],
            "messages": sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["ApproximateNumberOfMessages"])[
                "Attributes"
            ],
        }


class Jobs:
    """A build, the run of a job, a query, and a command where an emulator takes one."""

    command = ""

    def make(self, url: str, *, with_command: bool) -> None:
        ssm, codebuild, glue, athena = (client(name, url) for name in ("ssm", "codebuild", "glue", "athena"))
        if with_command:
            ec2 = client("ec2", url)
            image = ec2.describe_images()["Images"][0]["ImageId"]
            self.instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
            sent = ssm.send_command(
                DocumentName="AWS-RunShellScript", InstanceIds=[self.instance], Parameters={"commands": ["ls"]}
            )
            self.command = sent["Command"]["CommandId"]
        codebuild.create_project(
            name="project",
            source={"type": "S3", "location": "bucket/path"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=client("iam", url).create_role(RoleName="build", AssumeRolePolicyDocument="{}")["Role"]["Arn"],
        )
        self.build = codebuild.start_build(projectName="project")["build"]["id"]
        glue.create_job(Name="job", Role=ROLE, Command={"Name": "glueetl", "ScriptLocation": "s3://b/k"})
        self.run = glue.start_job_run(JobName="job")["JobRunId"]
        client("s3", url).create_bucket(Bucket="results")
        self.query = athena.start_query_execution(
            QueryString="SELECT 1 AS one", ResultConfiguration={"OutputLocation": "s3://results/"}
        )["QueryExecutionId"]

    def read(self, url: str) -> dict[str, Any]:
        ssm, codebuild, glue, athena = (
            client(name, url, **RETRYING) for name in ("ssm", "codebuild", "glue", "athena")
        )
        found = {
            # (moto changes the other members with each read.)
            "builds": [
                (each["id"], each.get("buildNumber"), each["buildStatus"])
                for each in codebuild.batch_get_builds(ids=[self.build])["builds"]
            ],
            "list of builds": codebuild.list_builds_for_project(projectName="project")["ids"],
            "run": clean(glue.get_job_run(JobName="job", RunId=self.run)["JobRun"]),
            "runs": clean(glue.get_job_runs(JobName="job")["JobRuns"]),
            "query": clean(athena.get_query_execution(QueryExecutionId=self.query)["QueryExecution"]),
            "queries": clean(athena.list_query_executions()["QueryExecutionIds"]),
            "results": attempted(lambda: clean(athena.get_query_results(QueryExecutionId=self.query)["ResultSet"])),
        }
        if self.command:
            found["command"] = clean(ssm.list_commands(CommandId=self.command)["Commands"])
            found["invocation"] = clean(ssm.get_command_invocation(CommandId=self.command, InstanceId=self.instance))
        return found


class Outputs:
    """Jobs that write objects: one that translates, and one that signs."""

    def make(self, url: str) -> None:
        translate, signer, self.s3 = client("translate", url), client("signer", url), client("s3", url)
        for bucket in ("texts", "translated"):
            self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_versioning(Bucket="texts", VersioningConfiguration={"Status": "Enabled"})
        version = self.s3.put_object(Bucket="texts", Key="in/a.txt", Body=b"hello")["VersionId"]
        self.job = translate.start_text_translation_job(
            InputDataConfig={"S3Uri": "s3://texts/in/", "ContentType": "text/plain"},
            OutputDataConfig={"S3Uri": "s3://translated/out/"},
            DataAccessRoleArn=ROLE,
            SourceLanguageCode="en",
            TargetLanguageCodes=["de"],
            ClientToken="once",
        )["JobId"]
        signer.put_signing_profile(profileName="profile", platformId="AWSLambda-SHA384-ECDSA")
        source = {"s3": {"bucketName": "texts", "key": "in/a.txt", "version": version}}
        to = {"s3": {"bucketName": "translated", "prefix": "signed/"}}
        self.signing = signer.start_signing_job(
            profileName="profile", source=source, destination=to, clientRequestToken="once"
        )["jobId"]
        eventually(lambda: self._job(translate)["JobStatus"] == "COMPLETED")
        eventually(lambda: signer.describe_signing_job(jobId=self.signing)["status"] == "Succeeded")

    def _job(self, translate: Any) -> Any:
        return translate.describe_text_translation_job(JobId=self.job)["TextTranslationJobProperties"]

    def read(self, url: str) -> dict[str, Any]:
        translate, signer, s3 = (client(name, url, **RETRYING) for name in ("translate", "signer", "s3"))
        jobs = translate.list_text_translation_jobs()["TextTranslationJobPropertiesList"]
        return {
            "objects": [(each["Key"], each["ETag"]) for each in s3.list_objects_v2(Bucket="translated")["Contents"]],
            "translation": clean(self._job(translate)),
            "translations": [each["JobId"] for each in jobs],
            "signing": clean(signer.describe_signing_job(jobId=self.signing)),
            "signings": [each["jobId"] for each in signer.list_signing_jobs()["jobs"]],
        }


class Tasks:
    """A task that was stopped, and one that runs."""

    def make(self, url: str) -> None:
        ecs, ec2 = client("ecs", url), client("ec2", url)
        ecs.create_cluster(clusterName="main")
        ecs.register_task_definition(family="web", containerDefinitions=[{"name": "a", "image": "i", "memory": 64}])
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        network = {"awsvpcConfiguration": {"subnets": [subnet]}}
        self.tasks = [
            ecs.run_task(
                cluster="main", taskDefinition="web", launchType="FARGATE", networkConfiguration=network, startedBy="me"
            )["tasks"][0]["taskArn"]
            for _ in range(2)
        ]
        ecs.stop_task(cluster="main", task=self.tasks[0], reason="done")

    def read(self, url: str) -> dict[str, Any]:
        ecs = client("ecs", url, **RETRYING)
        tasks = ecs.describe_tasks(cluster="main", tasks=[self.tasks[0], self.tasks[1].rpartition("/")[2]])
        return {
            "tasks": sorted((each["taskArn"], each["desiredStatus"]) for each in tasks["tasks"]),
            "failures": tasks["failures"],
            "stopped": ecs.list_tasks(cluster="main", desiredStatus="STOPPED")["taskArns"],
            "running": ecs.list_tasks(cluster="main", desiredStatus="RUNNING")["taskArns"],
        }


def test_jobs_that_write_objects_on_ministack(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "ministack", "--save-strategy", "ON_REQUEST")
    outputs = Outputs()
    outputs.make(proxy.url)
    eventually(
        lambda: (
            {outputs.job, outputs.signing} <= {each.get("notes", {}).get("run") for each in proxy.records("witness")}
        )
    )
    before = outputs.read(proxy.url)
    keys = {key for key, _tag in before["objects"]}
    eventually(lambda: len([each for each in proxy.records("observation") if each["service"] == "s3"]) >= len(keys))
    for _ in range(RESTARTS):
        proxy.kill_all()
        proxy.again()
        report = proxy.status()["last_restore"]
        assert (report["problems"], report["findings"]) == ([], [])
        time.sleep(0.5)
        assert outputs.read(proxy.url) == before


def test_executions_on_ministack(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "ministack")
    machines, replays, jobs = Machines(), Replays(), Jobs()
    machines.make(proxy.url)
    replays.make(proxy.url)
    jobs.make(proxy.url, with_command=False)
    runs = [*machines.executions[:4], "again", jobs.build, jobs.run, jobs.query]
    eventually(lambda: {*runs} <= {each.get("notes", {}).get("run") for each in proxy.records("witness")})
    eventually(lambda: client("glue", proxy.url).get_job_run(JobName="job", RunId=jobs.run)["JobRun"]["CompletedOn"])
    before = [without_times(machines.read(proxy.url)), replays.read(proxy.url), jobs.read(proxy.url)]
    assert before[0]["item"] == "SHIPPED"
    time.sleep(1.0)
    to = {"OutputLocation": "s3://results/"}
    last = client("athena", proxy.url).start_query_execution(QueryString="SELECT 2", ResultConfiguration=to)
    for _ in range(RESTARTS):
        proxy.kill_all()
        proxy.again()
        seen = client("athena", proxy.url, **RETRYING).get_query_execution(QueryExecutionId=last["QueryExecutionId"])
        assert seen["QueryExecution"]["Query"] == "SELECT 2", "nobody had looked at it before the first kill"
        report = proxy.status()["last_restore"]
        assert (report["problems"], report["findings"]) == ([], [])
        assert report["answered_from_recording"] > 8
        time.sleep(0.5)
        after = [without_times(machines.read(proxy.url)), replays.read(proxy.url), jobs.read(proxy.url)]
        after[2]["queries"].remove(last["QueryExecutionId"])
        for one, other in zip(before, after, strict=True):
            assert {name: value for name, value in other.items() if value != one[name]} == {}
    assert "answered from the recording" in proxy.log


@pytest.mark.skipif(left_out(0.7) is not None, reason=str(left_out(0.7)))
def test_jobs_on_moto(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "moto", "--load-strategy", "ON_REQUEST")
    jobs, tasks = Jobs(), Tasks()
    tasks.make(proxy.url)
    jobs.make(proxy.url, with_command=True)
    runs = [jobs.command, jobs.build, jobs.run, jobs.query]
    eventually(lambda: {*runs} <= {each.get("notes", {}).get("run") for each in proxy.records("witness")})
    before = jobs.read(proxy.url) | tasks.read(proxy.url)
    time.sleep(1.0)
    for _ in range(RESTARTS):
        proxy.kill_all()
        proxy.again()
        after = jobs.read(proxy.url) | tasks.read(proxy.url)
        assert {name: value for name, value in after.items() if value != before[name]} == {}
        assert proxy.status()["last_restore"]["problems"] == []


def test_queries_in_another_account_and_executions_without_end(start_proxy: Callable[..., Proxy]) -> None:
    """moto lists the queries of all work groups where none is named, and is told the account by a field of its own.

    Its executions do not end, and the histories of all of them are alike.
    """
    proxy = start_proxy("--emulator", "moto")
    sfn = client("stepfunctions", proxy.url, **RETRYING)
    put = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:lambda:::f", "End": True}}}
    machine = sfn.create_state_machine(name="1", definition=json.dumps(put), roleArn=ROLE)["stateMachineArn"]

    def start(name: str) -> str:
        arn: str = sfn.start_execution(stateMachineArn=machine, name=name)["executionArn"]
        return arn

    def histories() -> list[Any]:
        return [clean(sfn.get_execution_history(executionArn=each)) for each in executions]

    def kept() -> set[str]:
        found = [each for each in proxy.records("witness") if each["operation"] == "GetExecutionHistory"]
        return {each["notes"]["run"] for each in found if "run" in each.get("notes", {})}

    executions = [start(name) for name in ("1", "e2")]
    shown = histories()
    eventually(lambda: kept() >= {*executions})

    def athena(**options: Any) -> Any:
        made = client("athena", proxy.url, **options)
        made.meta.events.register(
            "request-created", lambda request, **_: request.headers.add_header("x-moto-account-id", "3" * 12)
        )
        return made

    def read(**options: Any) -> list[Any]:
        its = athena(**options)
        lists = [
            its.list_query_executions(**({"WorkGroup": name} if name else {})) for name in ("", "reports", "primary")
        ]
        details = [its.get_query_execution, its.get_query_results, its.get_query_runtime_statistics]
        return [clean(each) for each in (*lists, *(ask(QueryExecutionId=query) for ask in details))]

    athena().create_work_group(Name="reports")
    query = athena().start_query_execution(
        QueryString="SELECT 1", WorkGroup="reports", ResultConfiguration={"OutputLocation": "s3://b/p"}
    )["QueryExecutionId"]
    eventually(lambda: "ListQueryExecutions" in [each["operation"] for each in proxy.records("witness")])
    before = read()
    assert [each["QueryExecutionIds"] for each in before[:3]] == [[query], [query], []]
    proxy.kill_all()
    proxy.again()
    assert read(**RETRYING) == before
    assert proxy.status()["last_restore"]["findings"] == []
    assert histories() == shown
    executions.append(start("e3"))
    shown = histories()
    eventually(lambda: kept() >= {*executions})
    proxy.kill_all()
    proxy.again()
    assert histories() == shown
