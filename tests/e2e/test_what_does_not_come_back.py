"""What the README says does not come back does not, and the report names it where it can: a test for each line.

When something does come back by now, its test fails, and the README may say less.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from ministack.services.cognito import _SRP_G, _SRP_N

from tests.e2e.test_observations import post, restart, with_delivery
from tests.support.clients import SOON, client
from tests.support.processes import Emulator, Proxy, left_out
from tests.support.readme_lines import check_lines

pytestmark = pytest.mark.emulator

LONG = pytest.mark.skipif(bool(left_out(0.1)), reason=str(left_out(0.1)))

LINES = {
    "What an emulator did by itself since": "test_an_effect_of_the_last_interval",
    "A schedule for one moment": "tests/e2e/test_pipes_and_schedules.py",
    "Of what something wrote past the proxy": "test_what_no_listing_shows_of_an_object",
    "Times of what a stack": "test_the_time_of_what_a_stack_made",
    "Key pairs that an emulator draws": "test_key_pairs_and_imported_key_material",
    "Tokens of a user pool": "test_tokens_of_a_log_in_that_cannot_be_made_again",
    "Messages that were received": "test_received_messages_and_receipts_of_an_earlier_proxy",
    "Events in archives": "test_archived_events",
    "What emulators go on showing": "test_an_instance_that_was_terminated",
    "What a call left behind": "test_what_a_refused_call_left_behind",
    "Messages, stream records and log events": "tests/replay/test_supersession_retention.py",
}
"""By the beginning of each line: the test of it, here or elsewhere."""


def test_each_line_has_its_test() -> None:
    check_lines("What does not come back", LINES, globals())


def named(proxy: Proxy) -> set[str]:
    """The calls that the report of the latest restore names."""
    restored = proxy.status()["last_restore"]
    return {each["call"] for part in ("problems", "findings") for each in restored[part]}


def digest(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest())


def padded(number: int) -> bytes:
    """A number as SRP hashes it: as bytes, the first of which is below 0x80."""
    return number.to_bytes(number.bit_length() // 8 + 1)


def tokens_by_srp(cognito: Any, pool: str, app: str, user: str, password: str) -> dict[str, Any]:
    """Log in by the protocol that sends no password: both sides draw a number, so that no log-in is like another."""
    multiplier, own = digest(padded(_SRP_N) + padded(_SRP_G)), secrets.randbits(256)
    public = pow(_SRP_G, own, _SRP_N)
    begun = cognito.initiate_auth(
        ClientId=app, AuthFlow="USER_SRP_AUTH", AuthParameters={"USERNAME": user, "SRP_A": f"{public:x}"}
    )
    given, name = begun["ChallengeParameters"], pool.partition("_")[2]
    subject, theirs, salt = given["USER_ID_FOR_SRP"], int(given["SRP_B"], 16), int(given["SALT"], 16)
    both = digest(padded(public) + padded(theirs))
    private = digest(padded(salt) + hashlib.sha256(f"{name}{subject}:{password}".encode()).digest())
    shared = pow(theirs - multiplier * pow(_SRP_G, private, _SRP_N), own + both * private, _SRP_N)
    drawn = hmac.digest(padded(both), padded(shared), "sha256")
    key = hmac.digest(drawn, b"Caldera Derived Key\x01", "sha256")[:16]
    now = datetime.now(UTC)
    moment = f"{now:%a %b} {now.day} {now:%H:%M:%S UTC %Y}"
    message = name.encode() + subject.encode() + base64.b64decode(given["SECRET_BLOCK"]) + moment.encode()
    responses = {
        "USERNAME": subject,
        "TIMESTAMP": moment,
        "PASSWORD_CLAIM_SECRET_BLOCK": given["SECRET_BLOCK"],
        "PASSWORD_CLAIM_SIGNATURE": base64.b64encode(hmac.digest(key, message, "sha256")).decode(),
    }
    asked = {"ChallengeName": "PASSWORD_VERIFIER", "ChallengeResponses": responses}
    return dict(cognito.respond_to_auth_challenge(ClientId=app, **asked)["AuthenticationResult"])


@LONG
def test_tokens_of_a_log_in_that_cannot_be_made_again(
    start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> None:
    emulator = start_emulator("ministack")
    proxy = start_proxy("--upstream", emulator.url)
    cognito = client("cognito-idp", proxy.url)
    pool = cognito.create_user_pool(PoolName="pool")["UserPool"]["Id"]
    flows = ["ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH"]
    app = cognito.create_user_pool_client(UserPoolId=pool, ClientName="app", ExplicitAuthFlows=flows)
    cognito.admin_create_user(UserPoolId=pool, Username="jo", MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username="jo", Password="First-1234!", Permanent=True)
    who = pool, app["UserPoolClient"]["ClientId"], "jo", "First-1234!"
    held = tokens_by_srp(cognito, *who)
    assert cognito.get_user(AccessToken=held["AccessToken"])["Username"] == "jo"
    restart(emulator, proxy, lambda: None)
    with pytest.raises(cognito.exceptions.NotAuthorizedException):
        cognito.get_user(AccessToken=held["AccessToken"])
    with pytest.raises(cognito.exceptions.NotAuthorizedException):
        tokens_by_srp(cognito, *who)
    given = {"USERNAME": "jo", "PASSWORD": "First-1234!"}
    held = cognito.initiate_auth(ClientId=who[1], AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given)
    assert cognito.get_user(AccessToken=held["AuthenticationResult"]["AccessToken"])["Username"] == "jo"


@LONG
def test_key_pairs_and_imported_key_material(
    start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> None:
    emulator = start_emulator("ministack")
    proxy = start_proxy("--upstream", emulator.url)
    kms = client("kms", proxy.url)
    signer = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    public = kms.get_public_key(KeyId=signer)["PublicKey"]
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    asked = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    wrapping = serialization.load_der_public_key(asked["PublicKey"])
    assert isinstance(wrapping, RSAPublicKey)
    material = wrapping.encrypt(b"k" * 32, OAEP(MGF1(hashes.SHA256()), hashes.SHA256(), None))
    kms.import_key_material(
        KeyId=key,
        ImportToken=asked["ImportToken"],
        EncryptedKeyMaterial=material,
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    restart(emulator, proxy, lambda: None)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    assert kms.get_public_key(KeyId=signer)["PublicKey"] != public
    assert {"kms:ImportKeyMaterial", "kms:CreateKey"} <= named(proxy)


@LONG
def test_the_time_of_what_a_stack_made(
    start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> None:
    emulator = start_emulator("ministack")
    proxy = start_proxy("--upstream", emulator.url)
    sqs, stacks = client("sqs", proxy.url), client("cloudformation", proxy.url)
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "of-a-stack"}}}}
    stacks.create_stack(StackName="stack", TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName="stack", WaiterConfig=SOON)
    sqs.create_queue(QueueName="of-a-call")
    secrets_manager = client("secretsmanager", proxy.url)
    secrets_manager.create_secret(Name="used", SecretString="s")
    secrets_manager.get_secret_value(SecretId="used")
    used = secrets_manager.describe_secret(SecretId="used")["LastAccessedDate"]

    def made() -> list[int]:
        urls = [sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in ("of-a-call", "of-a-stack")]
        shown = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["CreatedTimestamp"]) for url in urls]
        return [int(each["Attributes"]["CreatedTimestamp"]) for each in shown]

    before = made()
    time.sleep(2.5)
    after = restart(emulator, proxy, made)
    assert after[0] - before[0] <= 1 and after[1] - before[1] >= 2
    assert secrets_manager.describe_secret(SecretId="used").get("LastAccessedDate") != used
    time.sleep(2.5)  # a use in the second of the restore could not be told from the creation
    secrets_manager.get_secret_value(SecretId="used")
    assert secrets_manager.describe_secret(SecretId="used")["LastAccessedDate"] > used


@LONG
def test_received_messages_and_receipts_of_an_earlier_proxy(
    start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> None:
    emulator = start_emulator("ministack")
    proxy = start_proxy("--upstream", emulator.url, "--observe", "off")
    sqs = client("sqs", proxy.url)
    queue = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    for text in ("received", "deleted"):
        sqs.send_message(QueueUrl=queue, MessageBody=text)
    held = {}
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        held |= {each["Body"]: each["ReceiptHandle"] for each in messages}
    proxy.kill()
    proxy = proxy.again()
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=held["deleted"])
    restart(emulator, proxy, lambda: None)
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert sorted(each["Body"] for each in found) == ["deleted", "received"]
    assert proxy.status()["last_restore"]["notes"] == ["1 call was left out: its receipt is not known"]


@LONG
def test_an_effect_of_the_last_interval(
    start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> None:
    emulator = start_emulator("ministack")
    proxy = start_proxy("--upstream", emulator.url, "--flush-interval", "600")
    sqs, sns, events = (client(service, proxy.url) for service in ("sqs", "sns", "events"))
    queue, topic = with_delivery(sqs, sns, events)
    sqs.send_message(QueueUrl=queue, MessageBody="sent")
    sns.publish(TopicArn=topic, Message="published")
    proxy.kill()
    emulator.restart()
    proxy = proxy.again()
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [each["Body"] for each in found] == ["sent"]


@LONG
def test_what_no_listing_shows_of_an_object(
    start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> None:
    emulator = start_emulator("ministack")
    proxy = start_proxy("--upstream", emulator.url)
    s3, past = client("s3", proxy.url), client("s3", emulator.url)
    s3.create_bucket(Bucket="files", ObjectOwnership="ObjectWriter")
    s3.put_object(Bucket="files", Key="tagged", Body=b"x")
    past.put_object_tagging(Bucket="files", Key="tagged", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    past.put_object_acl(Bucket="files", Key="tagged", ACL="public-read")
    upload = {"Bucket": "files", "Key": "in-parts"}
    upload["UploadId"] = past.create_multipart_upload(**upload)["UploadId"]
    part = past.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]
    past.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    post(proxy, "/_replay/observe")

    def seen() -> tuple[bytes, str, int, int]:
        shown = s3.get_object(Bucket="files", Key="in-parts")
        tags = s3.get_object_tagging(Bucket="files", Key="tagged")["TagSet"]
        grants = s3.get_object_acl(Bucket="files", Key="tagged")["Grants"]
        return shown["Body"].read(), shown["ETag"], len(tags), len(grants)

    assert seen() == (b"part", seen()[1], 1, 2) and seen()[1].endswith('-1"')
    after = restart(emulator, proxy, seen)
    assert after == (b"part", part, 0, 1)
    assert "s3:PutObject" in named(proxy)


@LONG
def test_what_a_refused_call_left_behind(
    start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> None:
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url)
    stacks = client("cloudformation", proxy.url)
    template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    stacks.create_stack(StackName="shop", TemplateBody=template)
    with pytest.raises(stacks.exceptions.ClientError, match="Can only include alphanumeric"):
        stacks.create_stack(StackName="é", TemplateBody=template)
    assert [each["StackName"] for each in stacks.list_stacks()["StackSummaries"]] == ["shop", "é"]
    restart(emulator, proxy, lambda: None)
    assert [each["StackName"] for each in stacks.list_stacks()["StackSummaries"]] == ["shop"]


@LONG
def test_an_instance_that_was_terminated(
    start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> None:
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url)
    ec2 = client("ec2", proxy.url)
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    made = [ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"] for _ in range(2)]
    ec2.terminate_instances(InstanceIds=made[:1])

    def shown() -> dict[str, str]:
        reservations = ec2.describe_instances()["Reservations"]
        return {each["InstanceId"]: each["State"]["Name"] for every in reservations for each in every["Instances"]}

    assert shown() == dict(zip(made, ("terminated", "running"), strict=True))
    assert restart(emulator, proxy, shown) == {made[1]: "running"}


@LONG
def test_archived_events(start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]) -> None:
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url)
    events = client("events", proxy.url)
    events.create_archive(ArchiveName="all", EventSourceArn=events.describe_event_bus()["Arn"])
    events.put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}"}])

    def archived() -> int:
        count: int = events.describe_archive(ArchiveName="all")["EventCount"]
        return count

    assert archived() == 1
    assert restart(emulator, proxy, archived) == 0
