"""What went wrong in public, and does not go wrong here: one test for each thread, named by its number.

The threads are those of LocalStack's old record-and-replay persistence (plain numbers) and of its successors. Rows whose
subject has a test file of its own are tested there: 1494 and 9277 in tests/journal, 3464's time in the restore benchmark.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from tests.support.clients import REGION, client
from tests.support.processes import Proxy

pytestmark = pytest.mark.emulator

ROOT = Path(__file__).parent.parent.parent


def restarted(proxy: Proxy) -> Proxy:
    """Kill proxy and emulator, start again; everything recorded has to be back."""
    proxy.kill_all()
    proxy = proxy.again()
    report = proxy.status()["last_restore"]
    assert report["problems"] == [], report
    return proxy


def test_2527_4087_multipart_uploads_come_back_whole(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="archive")
    content = hashlib.shake_256(b"multipart").digest(17 << 20)
    (tmp_path / "file").write_bytes(content)
    s3.upload_file(str(tmp_path / "file"), "archive", "of eight megabytes and more")
    aborted = s3.create_multipart_upload(Bucket="archive", Key="aborted")["UploadId"]
    s3.upload_part(Bucket="archive", Key="aborted", UploadId=aborted, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(Bucket="archive", Key="aborted", UploadId=aborted)
    begun = s3.create_multipart_upload(Bucket="archive", Key="goes on")["UploadId"]
    part = s3.upload_part(Bucket="archive", Key="goes on", UploadId=begun, PartNumber=1, Body=b"one part")
    before = s3.head_object(Bucket="archive", Key="of eight megabytes and more")
    restarted(proxy)
    found = s3.get_object(Bucket="archive", Key="of eight megabytes and more")
    assert found["Body"].read() == content
    assert found["ETag"] == before["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="archive", Key="goes on", UploadId=begun, MultipartUpload=parts)
    assert s3.get_object(Bucket="archive", Key="goes on")["Body"].read() == b"one part"
    assert "aborted" not in {item["Key"] for item in s3.list_objects_v2(Bucket="archive")["Contents"]}


def test_3881_1202_long_polls_are_never_run_again(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    sqs = client("sqs", proxy.url)
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    for _ in range(3):
        sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
    size = proxy.journal.stat().st_size
    sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
    assert proxy.journal.stat().st_size == size
    assert proxy.operations() == ["sqs:CreateQueue"]
    proxy = restarted(proxy)
    assert (proxy.status()["last_restore"]["total"], sqs.get_queue_url(QueueName="q")["QueueUrl"]) == (1, queue)


def test_3464_4297_4655_odd_signatures_cannot_hang_a_boot(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    client("s3", proxy.url).create_bucket(Bucket="archive")
    old = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    for number, version in enumerate(("s3", "s3v4")):
        s3 = old.client("s3", endpoint_url=proxy.url, config=Config(signature_version=version))
        url = s3.generate_presigned_url("put_object", Params={"Bucket": "archive", "Key": f"presigned{number}"})
        request = urllib.request.Request(url, data=b"put", method="PUT")
        assert urllib.request.urlopen(request, timeout=20).status == 200
    taken = {"presigned0", "presigned1"}
    for number, authorization in enumerate(
        ("", "nonsense", "AWS test:c2lnbmF0dXJl", "AWS4-HMAC-SHA256 Credential=test")
    ):
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
        connection.request("PUT", f"/archive/odd{number}", b"odd", {"Authorization": authorization})
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            taken.add(f"odd{number}")
    names = {item["Key"] for item in client("s3", proxy.url).list_objects_v2(Bucket="archive")["Contents"]}
    assert names == taken
    assert {"odd0", "odd2"} <= taken  # moto refuses at most those that no client could have signed
    restarted(proxy)
    assert {item["Key"] for item in client("s3", proxy.url).list_objects_v2(Bucket="archive")["Contents"]} == names


def test_3455_4060_subscriptions_are_restored_under_their_arns(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    sns, sqs = client("sns", proxy.url), client("sqs", proxy.url)
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    policy = json.dumps({"kind": ["wanted"]})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"FilterPolicy": policy})
    before = subscription["SubscriptionArn"]
    proxy = restarted(proxy)
    assert [each["SubscriptionArn"] for each in sns.list_subscriptions()["Subscriptions"]] == [before]
    attributes = sns.get_subscription_attributes(SubscriptionArn=before)["Attributes"]
    assert json.loads(attributes["FilterPolicy"]) == {"kind": ["wanted"]}
    sns.unsubscribe(SubscriptionArn=before)
    assert sns.list_subscriptions()["Subscriptions"] == []


def test_1507_version_ids_and_their_order_stay(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="archive")
    s3.put_bucket_versioning(Bucket="archive", VersioningConfiguration={"Status": "Enabled"})
    written = [s3.put_object(Bucket="archive", Key="k", Body=str(n).encode())["VersionId"] for n in range(3)]
    marker = s3.delete_object(Bucket="archive", Key="k")["VersionId"]
    restarted(proxy)
    listed = s3.list_object_versions(Bucket="archive")
    assert [each["VersionId"] for each in listed["Versions"]] == written[::-1]
    assert [each["VersionId"] for each in listed["DeleteMarkers"]] == [marker]
    for number, version in enumerate(written):
        found = s3.get_object(Bucket="archive", Key="k", VersionId=version)
        assert (found["Body"].read(), found["VersionId"]) == (str(number).encode(), version)


def test_4077_last_modified_is_that_of_before_the_restart(start_proxy: Callable[..., Proxy]) -> None:
    """In full: tests/e2e/test_original_times.py."""
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="archive")
    s3.put_bucket_versioning(Bucket="archive", VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket="archive", Key="k", Body=b"x")
        s3.delete_object(Bucket="archive", Key="k")
        time.sleep(1.1)
    upload = s3.create_multipart_upload(Bucket="archive", Key="parts")["UploadId"]
    part = s3.upload_part(Bucket="archive", Key="parts", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    s3.complete_multipart_upload(Bucket="archive", Key="parts", UploadId=upload, MultipartUpload=parts)

    def told() -> dict[tuple[str, str], float]:
        listed = s3.list_object_versions(Bucket="archive")
        entries = [*listed["Versions"], *listed["DeleteMarkers"]]
        return {(each["Key"], each["VersionId"]): each["LastModified"].timestamp() for each in entries}

    before = told()
    assert len(before) == 5
    time.sleep(2.5)
    restarted(proxy)
    after = told()
    assert after.keys() == before.keys()
    # A whole second may begin between what the proxy and the emulator take for the moment.
    assert all(abs(after[each] - before[each]) <= 1 for each in before), (before, after)


@pytest.mark.parametrize("size", [5, 700_000])
def test_4743_chunk_signatures_do_not_become_content(start_proxy: Callable[..., Proxy], size: int) -> None:
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="archive")
    content = hashlib.shake_256(b"chunks").digest(size)
    framed = b"".join(
        b"%x;chunk-signature=%s\r\n%s\r\n" % (len(chunk), b"0" * 64, chunk)
        for chunk in [*(content[at : at + 65_536] for at in range(0, size, 65_536)), b""]
    )
    scope = f"test/20250101/{REGION}/s3/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}",
        "Content-Encoding": "aws-chunked",
        "X-Amz-Content-Sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "X-Amz-Decoded-Content-Length": str(size),
        "X-Amz-Date": "20250101T000000Z",
    }
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    connection.request("PUT", "/archive/k", framed, headers)
    assert connection.getresponse().status == 200
    assert s3.get_object(Bucket="archive", Key="k")["Body"].read() == content
    restarted(proxy)
    assert s3.get_object(Bucket="archive", Key="k")["Body"].read() == content


def test_3191_1767_what_a_stack_made_is_restored_by_the_stack(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    formation, s3 = client("cloudformation", proxy.url), client("s3", proxy.url)
    resources: dict[str, object] = {"First": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "first-bucket"}}}
    outputs = {"Name": {"Value": {"Ref": "First"}, "Export": {"Name": "the-bucket"}}}
    template = {"Resources": resources, "Outputs": outputs}
    formation.create_stack(StackName="app", TemplateBody=json.dumps(template))
    resources["Second"] = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "second-bucket"}}
    formation.update_stack(StackName="app", TemplateBody=json.dumps(template))
    before = formation.describe_stacks(StackName="app")["Stacks"][0]["StackId"]
    proxy = restarted(proxy)
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {"first-bucket", "second-bucket"}
    assert formation.describe_stacks(StackName=before)["Stacks"][0]["StackId"] == before
    (exported,) = formation.list_exports()["Exports"]
    assert (exported["Name"], exported["Value"], exported["ExportingStackId"]) == ("the-bucket", "first-bucket", before)
    formation.delete_stack(StackName="app")
    assert s3.list_buckets()["Buckets"] == []


def test_3279_nobody_reaches_an_emulator_that_is_being_restored(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="archive")
    for number in range(60):
        s3.put_object(Bucket="archive", Key=str(number), Body=b"")
    proxy.kill_all()
    proxy = proxy.again(wait=False)
    answers = []

    def ask() -> None:
        impatient = client("s3", proxy.url, retries={"max_attempts": 0}, read_timeout=60)
        deadline = time.monotonic() + 60
        while not answers and time.monotonic() < deadline:
            try:
                answers.append(len(impatient.list_objects_v2(Bucket="archive").get("Contents", [])))
            except Exception as error:
                # Before the door listens there is nobody to connect to; anything else is an answer.
                if "Could not connect" not in str(error):
                    answers.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) == {60}


def test_5913_infrastructure_alone_without_messages_and_objects(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--record-kinds", "infrastructure")
    s3, sqs = client("s3", proxy.url), client("sqs", proxy.url)
    s3.create_bucket(Bucket="archive")
    s3.put_object(Bucket="archive", Key="k", Body=b"data")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="data")
    assert proxy.status()["requests"]["switched_off_by_service"] == {"s3": 1, "sqs": 1}
    restarted(proxy)
    assert s3.list_objects_v2(Bucket="archive")["KeyCount"] == 0
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


def test_persist_pr_18_restoring_without_saving_back(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="seed")
    proxy.stop()
    before = proxy.journal.read_bytes()
    proxy = start_proxy("--read-only", data_dir=proxy.data_dir)
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="forgotten")
    restarted(proxy)
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["seed"]
    assert proxy.journal.read_bytes() == before


def test_6183_what_is_not_known_is_recorded_and_what_is_not_recorded_is_counted(
    start_proxy: Callable[..., Proxy],
) -> None:
    proxy = start_proxy()
    client("iot", proxy.url).create_thing(thingName="of a service that nobody reviewed")
    urllib.request.urlopen(proxy.url + "/moto-api/", timeout=20).read()
    counted = proxy.status()["requests"]
    assert counted["recorded_by_service"] == {"iot": 1}
    assert counted["unrecognised"] == 1


def test_4112_api_gateway_ids_hold_in_the_paths_of_invocations(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "ministack")  # which serves invocations under a path, as moto does not
    gateway = client("apigateway", proxy.url)
    api = gateway.create_rest_api(name="front")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="hello")["id"]
    method = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE")
    gateway.put_integration(**method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    gateway.put_method_response(**method, statusCode="200")
    templates = {"application/json": "hello from the mock"}
    gateway.put_integration_response(**method, statusCode="200", responseTemplates=templates)
    gateway.create_deployment(restApiId=api, stageName="stage")

    def invoked(api_id: str) -> tuple[int, bytes]:
        # The path of an invocation is no AWS API call; the id in it is translated all the same.
        path = f"/restapis/{api_id}/stage/_user_request_/hello"
        try:
            with urllib.request.urlopen(proxy.url + path, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    assert invoked(api) == (200, b"hello from the mock")
    restarted(proxy)
    assert gateway.get_rest_api(restApiId=api)["id"] == api
    found = {item["path"]: item["id"] for item in gateway.get_resources(restApiId=api)["items"]}
    assert found == {"/": root, "/hello": resource}
    assert invoked(api) == (200, b"hello from the mock")
    assert invoked(f"{api}0")[0] == 404


def test_persist_33_a_long_poll_does_not_block_a_save(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--save-strategy", "MANUAL")
    sqs = client("sqs", proxy.url)
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    poll = threading.Thread(target=lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5))
    poll.start()
    time.sleep(0.5)
    request = urllib.request.Request(proxy.url + "/_localstack/state/save", method="POST")
    assert urllib.request.urlopen(request, timeout=20).status == 200
    assert poll.is_alive()  # the save did not wait for it
    poll.join()


def test_8072_13439_nothing_is_pickled() -> None:
    for source in (ROOT / "replay_proxy").rglob("*.py"):
        assert not re.search(r"\b(?:pickle|dill|shelve|marshal)\b", source.read_text()), source


def test_ministack_692_floci_2225_sigkill_loses_nothing_by_default(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    dynamodb = client("dynamodb", proxy.url)
    dynamodb.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    blob = base64.b64encode(b"\x00\xff").decode()
    for number in range(20):
        dynamodb.put_item(TableName="t", Item={"id": {"S": str(number)}, "b": {"S": blob}})
    restarted(proxy)
    assert dynamodb.scan(TableName="t")["Count"] == 20
