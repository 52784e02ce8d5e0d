"""Under which names the times of what was made again are found: those of requests, and those that answers show instead."""

from __future__ import annotations

import base64
import re

import orjson
import pytest

from tests.replay.restored_calls import AGAIN, FIRST, Restored, iso_time

POOL = "us-east-1_a"


def token_of(user: str) -> str:
    claims = base64.urlsafe_b64encode(orjson.dumps({"username": user})).decode().rstrip("=")
    return f"e30.{claims}.e30"


def test_a_user_is_known_by_the_name_that_answers_show_for_an_address() -> None:
    restored = Restored("cognito-idp", "json")
    user = {"UserPoolId": POOL, "Username": "bob@example.com"}
    drawn = {"Username": "u-1", "Attributes": [{"Name": "sub", "Value": "u-1"}]}
    made = restored.call("AdminCreateUser", user, {"User": drawn})
    changed = restored.call("AdminUpdateUserAttributes", {**user, "UserAttributes": []}, {}, after=0.5)
    times = {"UserCreateDate": AGAIN + 0.15, "UserLastModifiedDate": AGAIN + 0.65}
    listed = restored.read("ListUsers", {"UserPoolId": POOL}, {"Users": [{**drawn, **times}]})["Users"][0]
    asked = restored.read("AdminGetUser", user, {"Username": "u-1", **times})
    for shown in (listed, asked):
        assert (round(shown["UserCreateDate"]), round(shown["UserLastModifiedDate"])) == (made, changed)


def test_users_of_one_name_in_two_pools_have_each_their_own_times() -> None:
    restored = Restored("cognito-idp", "json")
    made = [
        restored.call("AdminCreateUser", {"UserPoolId": pool, "Username": "u"}, {"User": {"Username": "u"}})
        for pool in ("p1", "p2")
    ]
    users = {"Users": [{"Username": "u", "UserCreateDate": AGAIN}]}
    shown = [restored.read("ListUsers", {"UserPoolId": pool}, users)["Users"][0] for pool in ("p1", "p2")]
    assert [each["UserCreateDate"] for each in shown] == made


def test_a_new_password_changes_the_user_who_is_named_in_the_responses_to_the_challenge() -> None:
    """Who signs in by an alias is named by the token in the answer."""
    for name in ("al", "al@example.com"):
        restored = Restored("cognito-idp", "json")
        user = {"UserPoolId": POOL, "Username": "al"}
        restored.call("AdminCreateUser", user, {"User": {"Username": "al"}})
        responses = {"ClientId": "c", "ChallengeResponses": {"USERNAME": name, "NEW_PASSWORD": "x"}}
        tokens = {"AuthenticationResult": {"AccessToken": token_of("al")} if "@" in name else {}}
        changed = restored.call("RespondToAuthChallenge", responses, tokens, signed=False, after=0.5)
        for operation in ("AdminGetUser", "ListUsers"):
            shown = {"Username": "al", "UserCreateDate": AGAIN + 0.15, "UserLastModifiedDate": AGAIN + 0.65}
            answer = {"Users": [shown]} if operation == "ListUsers" else shown
            text = orjson.dumps(restored.read(operation, user, answer)).decode()
            created, modified = (round(float(each)) for each in re.findall(r'Date":([0-9.]+)', text))
            assert (created, modified) == (FIRST, changed)


def test_what_a_call_draws_it_has_made_whatever_it_is_called() -> None:
    restored = Restored("cognito-identity", "json")
    restored.call("CreateIdentityPool", {"IdentityPoolName": "p"}, {"IdentityPoolId": "us-east-1:p"})
    identity = {"IdentityId": "us-east-1:i"}
    made = restored.call("GetId", {"IdentityPoolId": "us-east-1:p"}, identity, signed=False)
    restored.call("GetId", {"IdentityPoolId": "us-east-1:p"}, identity, signed=False)  # finds the same one
    shown = restored.read("DescribeIdentity", identity, {**identity, "CreationDate": AGAIN, "LastModifiedDate": AGAIN})
    assert (shown["CreationDate"], shown["LastModifiedDate"]) == (made, made)


def test_delete_markers_of_which_nobody_was_told_are_known_by_their_objects() -> None:
    restored = Restored("s3", "rest-xml")
    ends = "".join(f"<Object><Key>{key}</Key></Object>" for key in ("k1", "k 2", "kept"))
    ends += "<Object><Key>old</Key><VersionId>v</VersionId></Object>"
    refused = b"<DeleteResult><Error><Key>kept</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    made = restored.call("DeleteObjects", f"<Delete>{ends}<Quiet>true</Quiet></Delete>".encode(), refused, "/b?delete")
    kinds = [
        ("DeleteMarker", "k1"),
        ("DeleteMarker", "k+2"),
        ("Version", "k1"),
        ("DeleteMarker", "kept"),
        ("DeleteMarker", "old"),
    ]
    entries = "".join(
        f"<{kind}><Key>{key}</Key><VersionId>v-{number}</VersionId><LastModified>{iso_time(AGAIN)}</LastModified></{kind}>"
        for number, (kind, key) in enumerate(kinds)
    )
    body = f"<ListVersionsResult><EncodingType>url</EncodingType>{entries}</ListVersionsResult>".encode()
    shown = restored.read("ListObjectVersions", None, body, "/b?versions")
    first, again = iso_time(made), iso_time(AGAIN)
    assert re.findall("LastModified>([^<]+)<", shown) == [first, first, again, again, again]


def test_what_is_listed_for_a_thing_of_another_kind_and_the_same_name_is_of_the_call_that_made_it() -> None:
    restored = Restored("iot", "rest-json")
    arn = "arn:aws:iot:us-east-1:000000000000:thing/1"
    restored.call("CreateThing", None, {"thingName": "1", "thingArn": arn}, "/things/1")
    made = restored.call("CreateJob", {"targets": [arn], "document": "{}"}, {"jobId": "1"}, "/jobs/1", after=0.3)
    summary = {"thingArn": arn, "jobExecutionSummary": {"queuedAt": AGAIN + 0.45, "lastUpdatedAt": AGAIN + 0.45}}
    answer = {"executionSummaries": [summary]}
    shown = restored.read("ListJobExecutionsForJob", None, answer, "/jobs/1/things")["executionSummaries"][0]
    assert {round(each) for each in shown["jobExecutionSummary"].values()} == {made}


TABLE = "arn:aws:dynamodb:us-east-1:{}:table/t"


@pytest.mark.parametrize("default", ["", "000000000000"])
def test_a_thing_has_the_times_of_the_account_that_its_arn_shows_whoever_asks(default: str) -> None:
    """ministack takes the keys of a user of another account for those of the default one. No call names that one."""
    restored = Restored("dynamodb", "json")
    made = {}
    for account, shown in (("", default or "000000000000"), ("111111111111", "111111111111")):
        restored.account = account or default
        table = {"TableDescription": {"TableName": "t", "TableArn": TABLE.format(shown)}}
        made[shown] = restored.call("CreateTable", {"TableName": "t"}, table)
    for restored.account in (default, "111111111111"):
        for shown, at in made.items():
            read = {"Table": {"TableName": "t", "TableArn": TABLE.format(shown), "CreationDateTime": AGAIN}}
            assert restored.read("DescribeTable", {"TableName": "t"}, read)["Table"]["CreationDateTime"] == at


def test_the_name_of_a_secret_is_looked_up_in_the_account_of_its_arn_which_ends_otherwise() -> None:
    restored = Restored("secretsmanager", "json")
    made = {}
    for account, end in (("000000000000", "AbCdEf"), ("111111111111", "GhIjKl")):
        restored.account = account.strip("0")
        arn = f"arn:aws:secretsmanager:us-east-1:{account}:secret:s-{end}"
        made[arn] = restored.call("CreateSecret", {"Name": "s"}, {"ARN": arn, "Name": "s"})
    for restored.account in ("", "111111111111"):
        for arn, at in made.items():
            read = {"ARN": arn, "Name": "s", "CreatedDate": AGAIN}
            assert restored.read("GetSecretValue", {"SecretId": "s"}, read)["CreatedDate"] == at


def test_what_was_made_in_another_account_than_that_of_the_key_is_found_there() -> None:
    restored = Restored("dynamodb", "json")
    restored.account = "111111111111"
    arn = TABLE.format("000000000000")
    at = restored.call("CreateTable", {"TableName": "t"}, {"TableDescription": {"TableName": "t", "TableArn": arn}})
    table = {"Table": {"TableName": "t", "TableArn": arn, "CreationDateTime": AGAIN}}
    for restored.account in ("", "000000000000", "111111111111"):
        assert restored.read("DescribeTable", {"TableName": "t"}, table)["Table"]["CreationDateTime"] == at


def test_roles_of_one_name_in_two_accounts_have_each_their_own_times() -> None:
    restored = Restored("iam", "query")
    made = []
    for restored.account in ("", "111111111111"):
        made.append(restored.call("CreateRole", {"Action": "CreateRole", "RoleName": "r"}, b"<CreateRoleResponse/>"))
    for restored.account, at in zip(("", "111111111111"), made, strict=True):
        role = f"<Role><RoleName>r</RoleName><CreateDate>{iso_time(AGAIN)}</CreateDate></Role>"
        body = f"<GetRoleResponse><GetRoleResult>{role}</GetRoleResult></GetRoleResponse>".encode()
        shown = restored.read("GetRole", {"Action": "GetRole", "RoleName": "r"}, body)
        assert iso_time(at) in shown
