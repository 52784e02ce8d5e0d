"""Accounts and credentials: what was made in an account is there after a restart, for clients that still hold its keys."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.support.clients import REGION
from tests.support.processes import Emulator, Proxy, amount, aws_cli, left_out, missing
from tests.support.stories import Story

pytestmark = pytest.mark.emulator

OTHER = "222222222222"
THIRD = "333333333333"
RESTARTS = amount(1, 3)
long = pytest.mark.skipif(left_out(0.2) is not None, reason=left_out(0.2) or "")
"""What shows once more, in another way, what a test shows that is always run."""
BOTH = [pytest.param("moto", id="moto"), pytest.param("ministack", id="ministack", marks=long)]


class Holder:
    """A client that was given credentials once, and goes on with them."""

    def __init__(self, url: str, credentials: dict[str, Any] | None = None) -> None:
        given = credentials or {"AccessKeyId": "test", "SecretAccessKey": "test"}
        self._session = boto3.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given.get("SecretAccessKey") or given["SecretKey"],
            aws_session_token=given.get("SessionToken"),
            region_name=REGION,
        )
        self._url = url
        self._clients: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path", "signature_version": "s3v4"})
            self._clients[service] = self._session.client(service, endpoint_url=self._url, config=config)
        return self._clients[service]

    def assume(self, account: str, role: str) -> Holder:
        """One who takes a role of `account`."""
        given = self("sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName=role)
        return Holder(self._url, given["Credentials"])

    def view(self) -> dict[str, Any]:
        """What this client sees of its account."""
        identity = self("sts").get_caller_identity()
        return {
            "account": identity["Account"],
            "arn": identity["Arn"],
            "queues": self("sqs").list_queues().get("QueueUrls", []),
            "topics": [each["TopicArn"] for each in self("sns").list_topics()["Topics"]],
            "buckets": [each["Name"] for each in self("s3").list_buckets()["Buckets"]],
        }


@pytest.fixture(params=BOTH)
def story(request: pytest.FixtureRequest, start_proxy: Callable[..., Proxy]) -> Story:
    reason = missing(request.param)
    if reason is not None:
        pytest.skip(reason)
    return Story(start_proxy, request.param)


def test_each_account_keeps_its_own_through_restarts(story: Story) -> None:
    home = Holder(story.proxy.url)
    role = home.assume(OTHER, "deploy")
    chained = role.assume(THIRD, "deeper")
    again = home.assume(home("sts").get_caller_identity()["Account"], "app")
    everybody = [home, role, chained, again]
    for number, each in enumerate(everybody[:3]):
        each("sqs").create_queue(QueueName="jobs")
        each("sns").create_topic(Name=f"events-{number}")
        each("s3").create_bucket(Bucket=f"bucket-{number}")
    again("sqs").create_queue(QueueName="by-a-role-at-home")
    home("sqs").delete_queue(QueueUrl=home("sqs").get_queue_url(QueueName="jobs")["QueueUrl"])
    views = [each.view() for each in everybody]
    assert [each["account"] for each in views][1:3] == [OTHER, THIRD]
    assert [len(each["queues"]) for each in views] == [1, 1, 1, 1]

    for number in range(RESTARTS):
        report = story.restart()
        assert report["diverged"] == 0
        assert [each.view() for each in everybody] == views
        # A change in between, by keys of before; and by new ones of the same account.
        role("sns").create_topic(Name=f"later-{number}")
        home.assume(OTHER, f"deploy-{number}")("sns").create_topic(Name=f"anew-{number}")
        views = [each.view() for each in everybody]
        assert len(views[1]["topics"]) == 3 + 2 * number


@long
def test_a_role_at_home_and_the_default_key_share_their_resources(story: Story) -> None:
    home = Holder(story.proxy.url)
    role = home.assume(home("sts").get_caller_identity()["Account"], "app")
    gone = home("sqs").create_queue(QueueName="gone")["QueueUrl"]
    role("sqs").delete_queue(QueueUrl=gone)
    kept = role("sqs").create_queue(QueueName="kept")["QueueUrl"]
    home("sqs").set_queue_attributes(QueueUrl=kept, Attributes={"DelaySeconds": "7"})
    before = home.view()
    story.restart()
    assert home.view() == before
    assert role("sqs").list_queues()["QueueUrls"] == [kept]
    attributes = role("sqs").get_queue_attributes(QueueUrl=kept, AttributeNames=["DelaySeconds"])["Attributes"]
    assert attributes == {"DelaySeconds": "7"}
    assert {record.get("account", "") for record in story.proxy.records()} == {""}


@long
def test_keys_of_users_of_another_account_outlive_their_deletion(story: Story) -> None:
    home = Holder(story.proxy.url)
    role = home.assume(OTHER, "admin")
    role("iam").create_user(UserName="ci")
    user = Holder(story.proxy.url, role("iam").create_access_key(UserName="ci")["AccessKey"])
    user("sqs").create_queue(QueueName="by-a-user")
    brief = role("iam").create_access_key(UserName="ci")["AccessKey"]
    Holder(story.proxy.url, brief)("sqs").create_queue(QueueName="by-a-brief-key")
    role("iam").delete_access_key(UserName="ci", AccessKeyId=brief["AccessKeyId"])
    before = [each.view() for each in (home, role, user)]
    # MiniStack, unless it checks credentials, takes the key of a user for the default account's.
    assert len(before[1 if story.emulator == "moto" else 0]["queues"]) == 2
    keys = role("iam").list_access_keys(UserName="ci")["AccessKeyMetadata"]
    for _ in range(amount(1, 2)):
        story.restart()
        assert [each.view() for each in (home, role, user)] == before
        listed = role("iam").list_access_keys(UserName="ci")["AccessKeyMetadata"]
        assert [each["AccessKeyId"] for each in listed] == [each["AccessKeyId"] for each in keys]


def test_presigned_urls_and_uploads_of_temporary_credentials_go_on(story: Story) -> None:
    role = Holder(story.proxy.url).assume(OTHER, "uploader")
    role("s3").create_bucket(Bucket="drop")
    upload = role("s3").generate_presigned_url("put_object", Params={"Bucket": "drop", "Key": "early"})
    later = role("s3").generate_presigned_url("put_object", Params={"Bucket": "drop", "Key": "late"})
    put(upload, b"before")
    for _ in range(amount(1, 2)):
        story.restart()
        put(later, b"after")
        read = role("s3").generate_presigned_url("get_object", Params={"Bucket": "drop", "Key": "early"})
        assert urllib.request.urlopen(read, timeout=10).read() == b"before"
        assert role("s3").get_object(Bucket="drop", Key="late")["Body"].read() == b"after"
        large = b"x" * (6 << 20)
        role("s3").put_object(Bucket="drop", Key="large", Body=large)
        assert role("s3").get_object(Bucket="drop", Key="large")["Body"].read() == large
        assert [each["Key"] for each in role("s3").list_objects_v2(Bucket="drop")["Contents"]] == [
            "early",
            "large",
            "late",
        ]


def put(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, data=body, method="PUT", headers={"Content-Type": "application/octet-stream"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


@long
def test_calls_are_not_moved_into_another_account_where_their_credentials_are_not_given_again(
    start_proxy: Callable[..., Proxy],
) -> None:
    """An emulator that refuses the call that gave the credentials, here because its session has too long a name now."""
    story = Story(start_proxy, "moto")
    home = Holder(story.proxy.url)
    role = home.assume(OTHER, "deploy")
    role("sqs").create_queue(QueueName="theirs")
    home("sqs").create_queue(QueueName="ours")
    story.proxy.kill_all()
    lines = [json.loads(line) for line in story.proxy.journal.read_text().splitlines()]
    for line in lines:
        line.pop("crc", None)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    assert "RoleSessionName=deploy" in text
    story.proxy.journal.write_text(text.replace("RoleSessionName=deploy", "RoleSessionName=" + "x" * 80))
    proxy = story.proxy.again()
    problems = [json.dumps(each) for each in proxy.status()["last_restore"]["problems"]]
    assert [("AssumeRole" in each, "CreateQueue" in each and OTHER in each) for each in problems] == [
        (True, False),
        (False, True),
    ]
    assert [each.rpartition("/")[2] for each in home("sqs").list_queues()["QueueUrls"]] == ["ours"]


@long
def test_all_kinds_of_temporary_credentials_go_on(story: Story) -> None:
    home = Holder(story.proxy.url)
    role = home.assume(OTHER, "deploy")
    web = {"RoleArn": f"arn:aws:iam::{THIRD}:role/web", "RoleSessionName": "web", "WebIdentityToken": "a.b.c"}
    pool = home("cognito-identity").create_identity_pool(IdentityPoolName="p", AllowUnauthenticatedIdentities=True)
    identity = home("cognito-identity").get_id(IdentityPoolId=pool["IdentityPoolId"])["IdentityId"]
    given = [
        role("sts").get_session_token(),
        role("sts").get_federation_token(Name="guest"),
        home("sts").get_session_token(),
        home("sts").assume_role_with_web_identity(**web),
        home("cognito-identity").get_credentials_for_identity(IdentityId=identity),
    ]
    everybody = [Holder(story.proxy.url, each["Credentials"]) for each in given]
    for number, each in enumerate(everybody):
        each("sns").create_topic(Name=f"by-{number}")
    journal = story.proxy.journal.read_text()
    secrets = {each["Credentials"].get("SecretAccessKey") or each["Credentials"]["SecretKey"] for each in given}
    secrets |= {each["Credentials"]["SessionToken"] for each in given}
    assert [secret for secret in secrets if secret in journal] == []
    before = [each.view() for each in (home, role, *everybody)]
    for _ in range(amount(1, 2)):
        report = story.restart()
        assert report["diverged"] == 0, report
        assert [each.view() for each in (home, role, *everybody)] == before


@long
def test_an_account_of_an_organization_comes_back_with_its_role(start_proxy: Callable[..., Proxy]) -> None:
    story = Story(start_proxy, "moto")
    home = Holder(story.proxy.url)
    home("organizations").create_organization(FeatureSet="ALL")
    status = home("organizations").create_account(AccountName="dev", Email="dev@example.com")["CreateAccountStatus"]
    member = home.assume(status["AccountId"], "OrganizationAccountAccessRole")
    member("sqs").create_queue(QueueName="theirs")
    home("sqs").create_queue(QueueName="ours")
    before = [home.view(), member.view()]
    assert before[1]["account"] == status["AccountId"]
    for _ in range(RESTARTS):
        report = story.restart()
        assert report["diverged"] == 0, report
        assert [home.view(), member.view()] == before
        again = home.assume(status["AccountId"], "OrganizationAccountAccessRole")
        assert again.view() == {**before[1], "arn": again.view()["arn"]}
        accounts = home("organizations").list_accounts()["Accounts"]
        assert status["AccountId"] in [each["Id"] for each in accounts]


def test_a_request_by_temporary_credentials_waits_for_what_gave_them(start_proxy: Callable[..., Proxy]) -> None:
    story = Story(start_proxy, "moto", "--load-strategy", "ON_REQUEST")
    home = Holder(story.proxy.url)
    role = home.assume(OTHER, "deploy")
    role("sqs").create_queue(QueueName="theirs")
    home("sns").create_topic(Name="ours")
    reader = home.assume(THIRD, "reader")
    story.proxy.kill_all()
    story.proxy.again()
    assert reader("sns").list_topics()["Topics"] == []
    reader("sns").create_topic(Name="of-the-third")
    assert story.proxy.records()[-1]["account"] == THIRD
    assert "QueueUrls" not in reader("sqs").list_queues()
    assert [each["TopicArn"].rpartition(":")[2] for each in home("sns").list_topics()["Topics"]] == ["ours"]


@long
@pytest.mark.parametrize("option", [("--load-strategy", "ON_REQUEST"), ("--restore-services", "sqs")])
def test_credentials_come_back_with_the_services_that_need_them(
    option: tuple[str, str], start_proxy: Callable[..., Proxy]
) -> None:
    story = Story(start_proxy, "moto", *option)
    home = Holder(story.proxy.url)
    role = home.assume(OTHER, "deploy")
    role("sns").create_topic(Name="theirs")
    role("sqs").create_queue(QueueName="theirs")
    story.proxy.kill_all()
    story.proxy.again()
    assert [each.rpartition("/")[2] for each in role("sqs").list_queues()["QueueUrls"]] == ["theirs"]
    assert "QueueUrls" not in home("sqs").list_queues()


@long
def test_a_proxy_that_is_restarted_alone_knows_whose_keys_it_has_seen(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[[str], Emulator]
) -> None:
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url)
    home = Holder(proxy.url)
    role = home.assume(OTHER, "deploy")
    role("sqs").create_queue(QueueName="first")
    proxy.kill()
    proxy.again()
    role("sqs").create_queue(QueueName="second")
    assert [each.get("account") for each in proxy.records()] == [None, OTHER, OTHER]
    before = [home.view(), role.view()]
    proxy.kill()
    emulator.restart()
    proxy.again()
    assert [home.view(), role.view()] == before


def test_an_emulator_that_checks_takes_old_sessions(start_proxy: Callable[..., Proxy]) -> None:
    story = Story(start_proxy, "ministack")
    story.proxy.kill_all()
    story.proxy.environment = {"AUTH": "true"}
    story.proxy.again()
    home = Holder(story.proxy.url)
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    allow = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    home("iam").create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(trust))
    home("iam").put_role_policy(RoleName="app", PolicyName="all", PolicyDocument=json.dumps(allow))
    role = home.assume(home("sts").get_caller_identity()["Account"], "app")
    role("sqs").create_queue(QueueName="jobs")
    before = role.view()
    for _ in range(amount(1, 2)):
        story.proxy.kill_all()
        story.proxy.again()
        assert story.proxy.status()["last_restore"]["problems"] == []
        assert role.view() == before
        role("s3").create_bucket(Bucket="made-anew")
        role("s3").delete_bucket(Bucket="made-anew")


def test_a_recording_without_the_calls_that_gave_credentials_does_not_mix_accounts_silently(
    start_proxy: Callable[..., Proxy],
) -> None:
    """Recordings of earlier versions lack such calls. The emulator takes what was signed with their keys for its default."""
    story = Story(start_proxy, "moto")
    home = Holder(story.proxy.url)
    role = home.assume(OTHER, "deploy")
    role("sns").create_topic(Name="theirs")
    home("sns").create_topic(Name="ours")
    home("sqs").create_queue(QueueName="ours")
    story.proxy.kill_all()
    lines = [json.loads(line) for line in story.proxy.journal.read_text().splitlines()]
    kept = [line for line in lines if line.get("operation") != "AssumeRole"]
    for number, line in enumerate(kept):
        line.pop("crc", None)
        line.pop("account", None)
        if "seq" in line:
            line["seq"] = number
    story.proxy.journal.write_text("".join(json.dumps(line) + "\n" for line in kept))
    proxy = story.proxy.again()
    report = proxy.status()["last_restore"]
    assert report["diverged"] == 1, report
    assert OTHER in json.dumps(report["problems"])
    assert sorted(home.view()["topics"]) == [
        f"arn:aws:sns:us-east-1:123456789012:{name}" for name in ("ours", "theirs")
    ]


@pytest.mark.parametrize("name", BOTH)
def test_credentials_of_before_the_recording_go_on(
    name: str, start_proxy: Callable[..., Proxy], start_emulator: Callable[[str], Emulator]
) -> None:
    emulator = start_emulator(name)
    given = Holder(emulator.url)("sts").assume_role(
        RoleArn=f"arn:aws:iam::{OTHER}:role/deploy", RoleSessionName="early"
    )
    proxy = start_proxy("--upstream", emulator.url)
    home, role = Holder(proxy.url), Holder(proxy.url, given["Credentials"])
    role("sqs").create_queue(QueueName="theirs")
    home("sqs").create_queue(QueueName="ours")
    before = [home.view(), role.view()]
    assert before[1]["account"] == OTHER
    for _ in range(amount(1, 2)):
        emulator.restart()
        proxy.wait_until("/_localstack/health", [503], 20)
        proxy.wait_until("/_localstack/health", [200], 60)
        assert [home.view(), role.view()] == before
    assert proxy.status()["last_restore"]["problems"] == []
    (seen,) = proxy.records("observation")
    assert (seen["operation"], seen["notes"]) == ("AssumeRole", {"seen_by": "sts:GetCallerIdentity"})
    assert given["Credentials"]["SecretAccessKey"] not in proxy.journal.read_text()
    assert given["Credentials"]["SessionToken"] not in proxy.journal.read_text()


@pytest.mark.skipif(bool(left_out(0.6)) or aws_cli() is None, reason=left_out(0.6) or "the AWS CLI is not installed")
def test_the_aws_cli_goes_on_with_the_credentials_of_a_role_that_it_has_kept(
    start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    story = Story(start_proxy, "moto")
    folder = tmp_path / "home" / ".aws"
    folder.mkdir(parents=True)
    (folder / "credentials").write_text("[default]\naws_access_key_id = test\naws_secret_access_key = test\n")
    role = f"role_arn = arn:aws:iam::{OTHER}:role/deploy\nrole_session_name = cli\nsource_profile = default\n"
    (folder / "config").write_text(f"[default]\nregion = us-east-1\n[profile deploy]\nregion = us-east-1\n{role}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"HOME": str(tmp_path / "home"), "AWS_ENDPOINT_URL": story.proxy.url, "AWS_PAGER": ""}

    def cli(*words: str) -> Any:
        command = [str(aws_cli()), "--profile", "deploy", "--output", "json", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
        return json.loads(done.stdout)

    topic = cli("sns", "create-topic", "--name", "theirs")
    for _ in range(RESTARTS):
        story.restart()
        assert cli("sns", "list-topics") == {"Topics": [topic]}
        assert cli("sts", "get-caller-identity")["Account"] == OTHER
    assert story.proxy.operations().count("sts:AssumeRole") == 1, "the CLI has asked again, and shows nothing"


def test_accounts_that_a_field_names_stay_apart(start_proxy: Callable[..., Proxy]) -> None:
    """moto's clients name an account in a field; two queues of one name, and their messages, are not taken for one."""
    story = Story(start_proxy, "moto")
    plain, named = Holder(story.proxy.url), Holder(story.proxy.url)
    for service in ("sqs", "sts"):
        named(service).meta.events.register(
            "before-sign", lambda request, **_words: request.headers.add_header("x-moto-account-id", OTHER)
        )
    urls = [each("sqs").create_queue(QueueName="jobs")["QueueUrl"] for each in (plain, named)]
    for number in range(3):
        named("sqs").send_message(QueueUrl=urls[1], MessageBody=f"theirs {number}")
        plain("sqs").send_message(QueueUrl=urls[0], MessageBody=f"ours {number}")
    assert urls[1] == urls[0].replace("123456789012", OTHER)
    plain("sqs").delete_queue(QueueUrl=urls[0])
    report = story.restart()
    assert report["diverged"] == 0, report
    assert "QueueUrls" not in plain("sqs").list_queues()
    assert named("sqs").list_queues()["QueueUrls"] == urls[1:]
    received = named("sqs").receive_message(QueueUrl=urls[1], MaxNumberOfMessages=10)["Messages"]
    assert sorted(each["Body"] for each in received) == ["theirs 0", "theirs 1", "theirs 2"]


def test_a_key_is_of_the_account_that_the_emulator_says(story: Story) -> None:
    """Not of the one that it is spelled like, nor always of the account of whoever was given it: moto knows neither."""
    home = Holder(story.proxy.url)
    role = home.assume(THIRD, "deploy")
    keys = [
        {"AccessKeyId": name, "SecretAccessKey": "x"} for name in (OTHER, home("sts").get_caller_identity()["Account"])
    ]
    spelled, own = (Holder(story.proxy.url, each) for each in keys)
    session = Holder(story.proxy.url, role("sts").get_session_token()["Credentials"])
    everybody = [home, spelled, own, session, role]
    accounts = [each("sts").get_caller_identity()["Account"] for each in everybody]
    for number, each in enumerate(everybody):
        each("ssm").put_parameter(Name=f"of-{number}", Value="x", Type="String")

    def told() -> list[dict[str, float]]:
        found = [each("ssm").describe_parameters()["Parameters"] for each in everybody]
        return [{each["Name"]: each["LastModifiedDate"].timestamp() for each in own} for own in found]

    first = told()
    journal = [each.get("account", "") for each in story.proxy.records() if each["operation"] == "PutParameter"]
    assert journal == ["" if each == accounts[0] else each for each in accounts]
    time.sleep(2.2)
    story.restart()
    again = told()
    assert [each.keys() for each in again] == [each.keys() for each in first]
    late = [
        (one, two) for one, two in zip(first, again, strict=True) for name in one if abs(one[name] - two[name]) > 1.05
    ]
    assert late == []
