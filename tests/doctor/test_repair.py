"""Which recorded calls mend a finding."""

from __future__ import annotations

from typing import Any

import pytest

from replay_proxy.doctor.diagnosis import Problem
from replay_proxy.doctor.repair import Repairs
from tests.resources.recordings import Tape, one

POOL = {"UserPoolId": "eu-west-1_abc"}


@pytest.mark.parametrize(
    ("service", "prefix", "user", "here"),
    [("cognito-idp", "Admin", "Username", {}), ("iam", "", "UserName", {"protocol": "query", "body": b"<R/>"})],
)
def test_who_has_left_a_group_is_not_put_back_with_who_was_lost(
    service: str, prefix: str, user: str, here: dict[str, Any]
) -> None:
    given = {"GroupName": "staff", **(POOL if prefix else {})}
    tape = Tape()
    tape.call(service, "CreateGroup", given, {"Group": {"GroupName": "staff"}}, **here)
    added = [tape.call(service, f"{prefix}AddUserToGroup", {**given, user: name}, **here) for name in ("ann", "bob")]
    left = tape.call(service, f"{prefix}RemoveUserFromGroup", {**given, user: "ann"}, **here)
    model = tape.model()
    group = one(model, f"AWS::{'Cognito::UserPoolGroup' if prefix else 'IAM::Group'}")
    assert Repairs(model).of(group, Problem.LINK_LOST, f"UserToGroup.{user}") == (*added, left)
