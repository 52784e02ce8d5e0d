from __future__ import annotations

from typing import Any

import pytest

from replay_proxy.exchange import CallHead
from replay_proxy.identifiers.learning.list_elements import owned_by_other

IMAGES = CallHead("ec2", "DescribeImages", "ec2", "", "us-east-1", "test")
OTHER = {"ImageId": "ami-03cf127a", "ImageLocation": "amazon/2018.03", "OwnerId": "801119661308", "Name": "base-2018"}
POLICY = {"PolicyName": "Admin", "PolicyId": "ANPA1", "Arn": "arn:aws:iam::aws:policy/Admin"}


def test_what_belongs_to_another_account_says_how_it_is_called() -> None:
    owned = owned_by_other(IMAGES, "Images", OTHER)
    assert owned is not None
    assert owned.account == "801119661308"
    assert owned.names == {
        frozenset({b"ami-03cf127a"}),
        frozenset({b"amazon", b"2018", b"03"}),
        frozenset({b"801119661308"}),
    }
    owned = owned_by_other(CallHead("iam", "ListPolicies", "query"), "Policies", POLICY)
    assert owned is not None
    assert (owned.account, frozenset({b"aws"}) in owned.names) == ("aws", False)
    baseline = "arn:aws:ssm:us-east-1:075727635805:patchbaseline/pb-0"
    owned = owned_by_other(
        CallHead("ssm", "DescribePatchBaselines", "json"), "BaselineIdentities", {"BaselineId": baseline}
    )
    assert owned is not None
    assert owned.account == "075727635805"


@pytest.mark.parametrize(
    ("account", "element"),
    [
        ("801119661308", OTHER),
        ("", {"ImageId": "ami-1"}),
        ("", {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}),
        ("", "arn:aws:s3:::bucket"),
        ("", "http://localhost:4566/000000000000/queue"),
        ("", 7),
    ],
)
def test_what_is_the_callers_or_says_nothing_is_none_of_others(account: str, element: Any) -> None:
    assert owned_by_other(CallHead("ec2", "DescribeImages", "ec2", account), "Images", element) is None
