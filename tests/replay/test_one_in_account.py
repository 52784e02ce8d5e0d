"""What an account has one of is made again before what needs it without naming it."""

from __future__ import annotations

import json
from random import Random

import pytest

from replay_proxy.footprint.account_settings import concerns_the_account
from replay_proxy.replay.planning.plan import live_calls
from tests.replay.lab import Lab

POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [
        ("organizations", "CreateOrganization", True),
        ("shield", "CreateSubscription", True),
        ("macie2", "EnableMacie", True),
        ("ec2", "EnableEbsEncryptionByDefault", True),
        ("ecr", "PutRegistryPolicy", True),
        ("config", "PutConfigurationRecorder", True),
        ("ecs", "PutAccountSetting", True),
        ("iam", "CreateLoginProfile", False),
        ("xray", "CreateGroup", False),
        ("sqs", "CreateQueue", False),
        ("logs", "PutResourcePolicy", False),
    ],
)
def test_the_models_tell_what_there_is_one_of(service: str, operation: str, expected: bool) -> None:
    assert concerns_the_account(service, operation) is expected


@pytest.mark.emulator
def test_what_needs_it_waits(lab: Lab) -> None:
    if lab.emulator.name != "moto":
        pytest.skip("MiniStack wants neither an organization nor a recorder first")
    organizations, config = lab.client("organizations"), lab.client("config")
    organizations.create_organization(FeatureSet="ALL")
    for name in ("a", "b"):
        organizations.create_policy(Content=POLICY, Description="d", Name=name, Type="SERVICE_CONTROL_POLICY")
    config.put_configuration_recorder(
        ConfigurationRecorder={"name": "r", "roleARN": "arn:aws:iam::123456789012:role/r"}
    )
    config.put_delivery_channel(DeliveryChannel={"name": "c", "s3BucketName": "bucket"})
    lab.client("s3").create_bucket(Bucket="bucket")
    kept = live_calls(lab.records).kept
    for seed in range(6):
        lab.empty()
        report = lab.restore(kept, shuffle=Random(seed))
        assert [problem.as_json() for problem in report.problems] == []
