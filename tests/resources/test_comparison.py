"""Comparing two recordings whose emulators call their own account otherwise."""

from __future__ import annotations

import pytest

from replay_proxy.identifiers.table.account_places import with_account

OLD, NEW = "000000000000", "123456789012"


@pytest.mark.parametrize(
    ("service", "member", "text", "changes"),
    [
        ("sns", "TopicArn", f"arn:aws:sns:us-east-1:{OLD}:{OLD}", f"arn:aws:sns:us-east-1:{NEW}:{OLD}"),
        ("sqs", "QueueUrl", f"http://localhost:4566/{OLD}/{OLD}", f"http://localhost:4566/{NEW}/{OLD}"),
        ("ec2", "OwnerId", OLD, NEW),
        ("ssm", "Value", OLD, OLD),
        ("ssm", "Description", f"of {OLD}", f"of {OLD}"),
        ("sqs", "QueueName", f"{OLD}.fifo", f"{OLD}.fifo"),
        ("ecr", "repositoryUri", f"{OLD}.dkr.ecr.us-east-1.amazonaws.com/r", f"{NEW}.dkr.ecr.us-east-1.amazonaws.com/r"),
    ],
)  # fmt: skip
def test_a_number_is_the_account_by_its_place(service: str, member: str, text: str, changes: str) -> None:
    assert with_account(text, OLD, NEW, service=service, member=member) == changes
