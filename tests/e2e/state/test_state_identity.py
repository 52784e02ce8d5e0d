"""Keys, secrets, parameters, roles and users come back with their histories, aliases and links."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.stories import Story

pytestmark = pytest.mark.emulator

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def policy(sid: str) -> str:
    statement = {"Sid": sid, "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_keys_with_rotation_aliases_and_grants(any_story: Story) -> None:
    kms = any_story.client("kms")
    first = kms.create_key(Description="first", Tags=[{"TagKey": "a", "TagValue": "1"}])["KeyMetadata"]
    second = kms.create_key(Description="second")["KeyMetadata"]
    kms.enable_key_rotation(KeyId=first["KeyId"])
    kms.enable_key_rotation(KeyId=second["KeyId"])
    kms.disable_key_rotation(KeyId=second["KeyId"])
    kms.update_key_description(KeyId=second["KeyId"], Description="changed")
    kms.create_alias(AliasName="alias/app", TargetKeyId=first["KeyId"])
    kms.update_alias(AliasName="alias/app", TargetKeyId=second["KeyId"])
    kms.create_alias(AliasName="alias/gone", TargetKeyId=first["KeyId"])
    kms.delete_alias(AliasName="alias/gone")
    grants: list[str] = []
    with suppress(ClientError):
        for number in range(2):
            grant = kms.create_grant(
                KeyId=first["KeyId"],
                GranteePrincipal="arn:aws:iam::123456789012:role/r",
                Operations=["Encrypt"],
                Name=f"g{number}",
            )
            grants.append(grant["GrantId"])
        kms.revoke_grant(KeyId=first["KeyId"], GrantId=grants.pop())
    kms.disable_key(KeyId=second["KeyId"])
    gone = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=gone, PendingWindowInDays=7)

    def read() -> Any:
        aliases = {
            each["AliasName"]: each.get("TargetKeyId")
            for each in kms.list_aliases()["Aliases"]
            if not each["AliasName"].startswith("alias/aws/")
        }
        states = {}
        for key in (first["KeyId"], second["KeyId"], gone):
            found = kms.describe_key(KeyId=key)["KeyMetadata"]
            states[key] = (found["Arn"], found["KeyState"], found["Description"], found["Enabled"])
        rotation = [
            kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] for key in (first["KeyId"], second["KeyId"])
        ]
        with suppress(ClientError):
            return (
                states,
                aliases,
                rotation,
                [each["GrantId"] for each in kms.list_grants(KeyId=first["KeyId"])["Grants"]],
            )
        return states, aliases, rotation, []

    states, aliases, rotation, kept = any_story.survives(read)
    assert aliases == {"alias/app": second["KeyId"]}
    assert rotation == [True, False]
    assert kept == grants
    assert states[gone][1] == "PendingDeletion"
    kms.enable_key(KeyId=second["KeyId"])
    sealed = kms.encrypt(KeyId="alias/app", Plaintext=b"after")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"after"


def test_versions_and_stages_of_secrets(any_story: Story) -> None:
    secrets = any_story.client("secretsmanager")
    made = secrets.create_secret(Name="db/password", SecretString="one", Tags=[{"Key": "a", "Value": "1"}])
    arn = made["ARN"]
    second = secrets.put_secret_value(SecretId=arn, SecretString="two")["VersionId"]
    third = secrets.put_secret_value(SecretId="db/password", SecretBinary=b"\0three")["VersionId"]
    pending = secrets.put_secret_value(SecretId=arn, SecretString="next", VersionStages=["AWSPENDING"])["VersionId"]
    secrets.update_secret(SecretId=arn, Description="of the database")
    gone = secrets.create_secret(Name="gone", SecretString="x")["ARN"]
    secrets.delete_secret(SecretId=gone, ForceDeleteWithoutRecovery=True)
    waiting = secrets.create_secret(Name="waiting", SecretString="x")["ARN"]
    secrets.delete_secret(SecretId=waiting, RecoveryWindowInDays=7)
    back = secrets.create_secret(Name="back", SecretString="kept")["ARN"]
    secrets.delete_secret(SecretId=back)
    secrets.restore_secret(SecretId=back)

    def read() -> Any:
        described = secrets.describe_secret(SecretId=arn)
        stages = {version: sorted(names) for version, names in described["VersionIdsToStages"].items() if names}
        values = {}
        for stage in ("AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"):
            found = secrets.get_secret_value(SecretId=arn, VersionStage=stage)
            values[stage] = (found["VersionId"], found.get("SecretString"), found.get("SecretBinary"))
        listed = sorted(each["ARN"] for each in secrets.list_secrets()["SecretList"])
        return (
            described["Description"],
            stages,
            values,
            listed,
            "DeletedDate" in secrets.describe_secret(SecretId=waiting),
        )

    _, _, values, listed, deleted = any_story.survives(read)
    assert values["AWSCURRENT"] == (third, None, b"\0three")
    assert values["AWSPREVIOUS"] == (second, "two", None)
    assert values["AWSPENDING"] == (pending, "next", None)
    assert gone not in listed and deleted
    # A rotation by hand goes on where it was.
    secrets.update_secret_version_stage(
        SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=pending, RemoveFromVersionId=third
    )
    any_story.restart()
    assert secrets.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")["SecretString"] == "next"
    assert secrets.get_secret_value(SecretId=back)["SecretString"] == "kept"


def test_history_and_labels_of_parameters(any_story: Story) -> None:
    ssm = any_story.client("ssm")
    for number in range(4):
        more = {} if number else {"Tags": [{"Key": "a", "Value": "1"}]}
        ssm.put_parameter(
            Name="/app/size", Value=str(number), Type="String", Description=f"d{number}", Overwrite=bool(number), **more
        )
    with suppress(ClientError):
        ssm.label_parameter_version(Name="/app/size", ParameterVersion=2, Labels=["stable"])
    ssm.put_parameter(Name="/app/secret", Value="s", Type="SecureString")
    ssm.put_parameter(Name="/app/again", Value="old", Type="String")
    ssm.delete_parameter(Name="/app/again")
    ssm.put_parameter(Name="/app/again", Value="a,b", Type="StringList")

    def read() -> Any:
        past = ssm.get_parameter_history(Name="/app/size")["Parameters"]
        by_path = ssm.get_parameters_by_path(Path="/app", Recursive=True, WithDecryption=True)["Parameters"]
        return (
            [(each["Version"], each["Value"], each.get("Description"), each.get("Labels")) for each in past],
            sorted((each["Name"], each["Value"], each["Type"], each["Version"]) for each in by_path),
            ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/app/size")["TagList"],
        )

    past, by_path, _ = any_story.survives(read)
    assert [version for version, *_ in past] == [1, 2, 3, 4]
    assert ("/app/again", "a,b", "StringList", 1) in by_path


def test_policy_versions_attachments_and_memberships(any_story: Story) -> None:
    iam = any_story.client("iam")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy("v1"))["Policy"]["Arn"]
    trusting = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusting]})
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy("v2"), SetAsDefault=True)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy("v3"), SetAsDefault=False)
    default = "v1"
    try:
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    except ClientError:  # MiniStack has no such call
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy("v4"), SetAsDefault=True)
        default = "v4"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    role = iam.create_role(
        RoleName="r", AssumeRolePolicyDocument=TRUST, Path="/app/", Tags=[{"Key": "a", "Value": "1"}]
    )
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    iam.put_role_policy(RoleName="r", PolicyName="inline", PolicyDocument=policy("one"))
    iam.put_role_policy(RoleName="r", PolicyName="inline", PolicyDocument=policy("two"))
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trust)
    profile = iam.create_instance_profile(InstanceProfileName="profile")["InstanceProfile"]
    iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="r")
    user = iam.create_user(UserName="u")["User"]
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="u")
    iam.attach_group_policy(GroupName="g", PolicyArn=arn)
    key = iam.create_access_key(UserName="u")["AccessKey"]["AccessKeyId"]
    iam.create_user(UserName="gone")
    iam.attach_user_policy(UserName="gone", PolicyArn=arn)
    iam.detach_user_policy(UserName="gone", PolicyArn=arn)
    iam.delete_user(UserName="gone")

    def read() -> Any:
        versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        documents = {
            each["VersionId"]: (
                each["IsDefaultVersion"],
                iam.get_policy_version(PolicyArn=arn, VersionId=each["VersionId"])["PolicyVersion"]["Document"],
            )
            for each in versions
        }
        found = iam.get_role(RoleName="r")["Role"]
        held = iam.get_instance_profile(InstanceProfileName="profile")["InstanceProfile"]
        return {
            "policy": documents,
            "role": (found["RoleId"], found["Arn"], found["AssumeRolePolicyDocument"]),
            "inline": iam.get_role_policy(RoleName="r", PolicyName="inline")["PolicyDocument"],
            "attached": iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"],
            "profile": (held["InstanceProfileId"], [each["RoleId"] for each in held["Roles"]]),
            "users": [(each["UserName"], each["UserId"]) for each in iam.list_users()["Users"]],
            "groups": [each["GroupName"] for each in iam.list_groups_for_user(UserName="u")["Groups"]],
            "keys": [each["AccessKeyId"] for each in iam.list_access_keys(UserName="u")["AccessKeyMetadata"]],
        }

    facts = any_story.survives(read)
    assert facts["role"][0] == role["Role"]["RoleId"]
    assert facts["profile"][0] == profile["InstanceProfileId"]
    assert facts["users"] == [("u", user["UserId"])]
    assert facts["keys"] == [key]
    assert {version for version, (is_default, _) in facts["policy"].items() if is_default} == {default}


def test_users_of_a_pool(story: Story) -> None:
    cognito = story.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
    app = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="web",
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    for name in ("ann", "bob", "eve"):
        cognito.admin_create_user(
            UserPoolId=pool, Username=name, UserAttributes=[{"Name": "email", "Value": f"{name}@example.com"}]
        )
    cognito.admin_set_user_password(UserPoolId=pool, Username="ann", Password="Secret-123456", Permanent=True)
    cognito.create_group(UserPoolId=pool, GroupName="staff")
    cognito.admin_add_user_to_group(UserPoolId=pool, Username="ann", GroupName="staff")
    cognito.admin_disable_user(UserPoolId=pool, Username="bob")
    cognito.admin_delete_user(UserPoolId=pool, Username="eve")
    cognito.admin_update_user_attributes(
        UserPoolId=pool, Username="ann", UserAttributes=[{"Name": "name", "Value": "Ann"}]
    )

    def read() -> Any:
        users = {
            each["Username"]: (
                each["UserStatus"],
                each["Enabled"],
                sorted((pair["Name"], pair["Value"]) for pair in each["Attributes"]),
            )
            for each in cognito.list_users(UserPoolId=pool)["Users"]
        }
        staff = cognito.list_users_in_group(UserPoolId=pool, GroupName="staff")["Users"]
        return users, [each["Username"] for each in staff]

    users, staff = story.survives(read)
    assert set(users) == {"ann", "bob"}
    assert staff == ["ann"]
    answer = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=app,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ann", "PASSWORD": "Secret-123456"},
    )
    assert "AccessToken" in answer["AuthenticationResult"]
