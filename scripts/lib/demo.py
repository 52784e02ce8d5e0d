"""The whole story, with real clients against an embedded moto.

Makes resources of many kinds through the proxy, kills emulator and proxy with SIGKILL, starts again on the same
recording, and uses the *same* URLs and identifiers. Ends with 0 when every line of the printed table holds.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from rich.console import Console
from rich.table import Table

from replay_proxy.emulators.process import free_port

REGION = "us-east-1"
OBJECT_SIZE = 12 << 20
START_LIMIT = 60.0

out = Console(width=None if sys.stdout.isatty() else 140, highlight=False)


class Proxy:
    """`replay-proxy serve` as a user starts it, with its embedded moto."""

    def __init__(self, port: int, data_dir: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._log_path = data_dir.parent / "proxy.log"
        command = ["replay-proxy", "serve", "--listen", f"127.0.0.1:{port}", "--data-dir", str(data_dir)]
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def wait_ready(self) -> dict[str, Any]:
        """The proxy's status, once requests pass."""
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/_replay/status", timeout=2) as answer:
                    status: dict[str, Any] = json.load(answer)
                if status["state"] == "ready":
                    return status
            except OSError:
                pass
            time.sleep(0.05)
        sys.exit(f"error: the proxy did not become ready; it said:\n{self.log}")

    @property
    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    def kill_everything(self, emulator: int) -> None:
        """SIGKILL for both; nobody gets a chance to save anything."""
        os.kill(emulator, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


class Story:
    """What was made, and whether it is still there."""

    def __init__(self, endpoint: str) -> None:
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)

        def client(service: str) -> Any:
            config = Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"})
            return session.client(service, endpoint_url=endpoint, config=config)

        self.sqs, self.sns, self.s3 = client("sqs"), client("sns"), client("s3")
        self.dynamodb, self.ec2 = client("dynamodb"), client("ec2")
        self.iam, self.awslambda, self.apigateway = client("iam"), client("lambda"), client("apigateway")
        self.ids: dict[str, str] = {}
        self.payload = random.Random(7).randbytes(OBJECT_SIZE)

    def queue(self) -> str:
        url = self.sqs.create_queue(QueueName="orders")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.sqs.send_message(QueueUrl=url, MessageBody="an order that nobody has fetched yet")
        self.ids |= {"queue": url, "queue arn": arn}
        return url

    def topic(self) -> str:
        topic = self.sns.create_topic(Name="events")["TopicArn"]
        subscription = self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=self.ids["queue arn"])
        self.ids |= {"topic": topic, "subscription": subscription["SubscriptionArn"]}
        return self.ids["subscription"]

    def bucket(self) -> str:
        self.s3.create_bucket(Bucket="archive")
        upload = self.s3.create_multipart_upload(Bucket="archive", Key="big.bin")["UploadId"]
        parts = []
        for number, start in enumerate(range(0, OBJECT_SIZE, 5 << 20), 1):
            body = self.payload[start : start + (5 << 20)]
            tag = self.s3.upload_part(Bucket="archive", Key="big.bin", UploadId=upload, PartNumber=number, Body=body)
            parts.append({"PartNumber": number, "ETag": tag["ETag"]})
        self.s3.complete_multipart_upload(
            Bucket="archive", Key="big.bin", UploadId=upload, MultipartUpload={"Parts": parts}
        )
        return f"s3://archive/big.bin, {OBJECT_SIZE >> 20} MB in {len(parts)} parts"

    def table(self) -> str:
        self.dynamodb.create_table(
            TableName="people",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for number in range(3):
            item = {"id": {"S": str(number)}, "visits": {"N": "1"}}
            self.dynamodb.put_item(TableName="people", Item=item)
        self.dynamodb.update_item(
            TableName="people",
            Key={"id": {"S": "1"}},
            UpdateExpression="ADD visits :n",
            ExpressionAttributeValues={":n": {"N": "41"}},
        )
        return "people, 3 items, one of them updated"

    def network(self) -> str:
        self.ids["vpc"] = self.ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=self.ids["vpc"], CidrBlock="10.7.1.0/24")
        self.ids["subnet"] = subnet["Subnet"]["SubnetId"]
        return f"{self.ids['vpc']}, {self.ids['subnet']}"

    def api(self) -> str:
        trust = {"Service": "lambda.amazonaws.com"}
        statement = {"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        role = self.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("app.py", "def handler(event, context):\n    return {'statusCode': 200}\n")
        function = self.awslambda.create_function(
            FunctionName="hello",
            Runtime="python3.12",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": archive.getvalue()},
        )["FunctionArn"]
        api = self.apigateway.create_rest_api(name="front")["id"]
        root = self.apigateway.get_resources(restApiId=api)["items"][0]["id"]
        resource = self.apigateway.create_resource(restApiId=api, parentId=root, pathPart="hello")["id"]
        place = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
        self.apigateway.put_method(**place, authorizationType="NONE")
        uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"
        self.apigateway.put_integration(**place, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        self.apigateway.create_deployment(restApiId=api, stageName="live")
        self.ids |= {"api": api, "resource": resource, "function": function, "uri": uri}
        return f"rest api {api}, resource {resource}"

    def check_queue(self) -> str:
        messages = self.sqs.receive_message(QueueUrl=self.ids["queue"], MaxNumberOfMessages=10)["Messages"]
        assert [each["Body"] for each in messages] == ["an order that nobody has fetched yet"], messages
        return "same URL, the message is waiting"

    def check_topic(self) -> str:
        arn = self.ids["subscription"]
        attributes = self.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        assert attributes["SubscriptionArn"] == arn, attributes
        self.sns.publish(TopicArn=self.ids["topic"], Message="hello again")
        received = self.sqs.receive_message(QueueUrl=self.ids["queue"], MaxNumberOfMessages=10)["Messages"]
        assert json.loads(received[0]["Body"])["Message"] == "hello again", received
        return "same subscription ARN, a new message arrives"

    def check_bucket(self) -> str:
        found = self.s3.get_object(Bucket="archive", Key="big.bin")
        assert hashlib.sha256(found["Body"].read()).digest() == hashlib.sha256(self.payload).digest()
        assert found["ETag"].endswith('-3"'), found["ETag"]
        return f"{OBJECT_SIZE >> 20} MB byte-identical, ETag of 3 parts"

    def check_table(self) -> str:
        items = self.dynamodb.scan(TableName="people")["Items"]
        visits = {item["id"]["S"]: item["visits"]["N"] for item in items}
        assert visits == {"0": "1", "1": "42", "2": "1"}, visits
        return "3 items, the update counted once"

    def check_network(self) -> str:
        vpc = self.ec2.describe_vpcs(VpcIds=[self.ids["vpc"]])["Vpcs"][0]
        subnet = self.ec2.describe_subnets(SubnetIds=[self.ids["subnet"]])["Subnets"][0]
        assert (vpc["VpcId"], vpc["CidrBlock"]) == (self.ids["vpc"], "10.7.0.0/16"), vpc
        assert (subnet["SubnetId"], subnet["VpcId"]) == (self.ids["subnet"], self.ids["vpc"]), subnet
        return "same ids, the subnet is in its VPC"

    def check_api(self) -> str:
        place = {"restApiId": self.ids["api"], "resourceId": self.ids["resource"], "httpMethod": "GET"}
        integration = self.apigateway.get_integration(**place)
        assert integration["uri"] == self.ids["uri"], integration
        stages = self.apigateway.get_stages(restApiId=self.ids["api"])["item"]
        assert [stage["stageName"] for stage in stages] == ["live"], stages
        arn = self.awslambda.get_function(FunctionName="hello")["Configuration"]["FunctionArn"]
        assert arn == self.ids["function"], arn
        return "same api and resource ids, integration points at the function"


def attempt(step: Callable[[], str]) -> tuple[bool, str]:
    """Run one line of the story; what it found, or what went wrong, without a traceback."""
    try:
        return True, step()
    except Exception as error:  # whatever goes wrong belongs in the table
        return False, f"{type(error).__name__}: {error}"


def main() -> int:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="replay-proxy-demo-") as scratch:
        data_dir, port = Path(scratch) / "recordings", free_port()
        out.print(f"[bold]1.[/] Starting the proxy with its embedded moto on http://127.0.0.1:{port} ...")
        proxy = Proxy(port, data_dir)
        try:
            emulator = proxy.wait_ready()["emulator"]["pid"]
            out.print("[bold]2.[/] Making things, with boto3 ...")
            story = Story(proxy.url)
            kinds = {
                "SQS queue": (story.queue, story.check_queue),
                "SNS topic and subscription": (story.topic, story.check_topic),
                "S3 bucket, multipart object": (story.bucket, story.check_bucket),
                "DynamoDB table": (story.table, story.check_table),
                "VPC and subnet": (story.network, story.check_network),
                "REST API, Lambda integration": (story.api, story.check_api),
            }
            made = {name: attempt(make) for name, (make, _check) in kinds.items()}
            out.print(f"[bold]3.[/] SIGKILL for the emulator (pid {emulator}) and the proxy (pid {proxy.process.pid}).")
            proxy.kill_everything(emulator)
            out.print("[bold]4.[/] Starting again. What the proxy logs:")
            proxy = Proxy(port, data_dir)
            report = proxy.wait_ready()["last_restore"]
            for line in proxy.log.splitlines():
                if "Restored" in line:
                    out.print(f"   {line.strip()}", markup=False)
            out.print("[bold]5.[/] Using the same URLs and ids ...")
            found = {name: attempt(check) for name, (_make, check) in kinds.items()}
        finally:
            proxy.stop()
    table = Table("resource", "made before the kill", "found after it", "", title="What came back")
    good = True
    for name in kinds:
        fine = made[name][0] and found[name][0]
        good = good and fine
        table.add_row(name, made[name][1], found[name][1], "[green]ok[/]" if fine else "[red]FAILED[/]")
    counted = f"{report['restored']} of {report['total']} recorded calls restored"
    fine = report["restored"] == report["total"] > 0
    good = good and fine
    table.add_row("the recording", "", counted, "[green]ok[/]" if fine else "[red]FAILED[/]")
    out.print(table)
    for problem in report["problems"]:
        out.print(f"   not restored: {json.dumps(problem)}", markup=False)
    out.print(f"{'Everything is back' if good else 'Something is missing'} ({time.monotonic() - begun:.0f} s).")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
