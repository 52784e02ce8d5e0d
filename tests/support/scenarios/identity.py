"""Users, roles, keys, secrets, directories, organizations."""

from __future__ import annotations

import json

from tests.support.scenarios.world import World, step

POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
SERVICES = ["ec2.amazonaws.com", "lambda.amazonaws.com", "codepipeline.amazonaws.com"]
OTHER_POLICY = POLICY.replace("s3:*", "sqs:*")
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": SERVICES}}],
    }
)


@step("iam", makes="role")
def create_role(w: World) -> None:
    made = w("iam", "CreateRole", RoleName=w.name, AssumeRolePolicyDocument=TRUST, Description=w.other)
    w.keep("role", (w.name, made["Role"]["Arn"]))


@step("iam", makes="user")
def create_user(w: World) -> None:
    w("iam", "CreateUser", UserName=w.name, Tags=[{"Key": "k", "Value": w.other}])
    w.keep("user", w.name)


@step("iam", makes="group")
def create_group_of_users(w: World) -> None:
    w("iam", "CreateGroup", GroupName=w.name)
    w.keep("group", w.name)


@step("iam")
def join_group(w: World) -> None:
    w("iam", "AddUserToGroup", UserName=w.pick("user"), GroupName=w.pick("group"))
    w("iam", "PutUserPolicy", UserName=w.pick("user"), PolicyName=w.name, PolicyDocument=POLICY)


@step("iam", makes="policy")
def create_policy(w: World) -> None:
    w.keep("policy", w("iam", "CreatePolicy", PolicyName=w.name, PolicyDocument=POLICY)["Policy"]["Arn"])


@step("iam")
def attach(w: World) -> None:
    w("iam", "AttachRolePolicy", RoleName=w.pick("role")[0], PolicyArn=w.pick("policy"))
    w("iam", "PutRolePolicy", RoleName=w.pick("role")[0], PolicyName=w.other, PolicyDocument=POLICY)


@step("iam")
def policy_version(w: World) -> None:
    w(
        "iam",
        "CreatePolicyVersion",
        PolicyArn=w.pick("policy"),
        PolicyDocument=OTHER_POLICY,
        SetAsDefault=bool(w.number % 2),
    )


@step("iam")
def instance_profile(w: World) -> None:
    w("iam", "CreateInstanceProfile", InstanceProfileName=w.name)
    w("iam", "AddRoleToInstanceProfile", InstanceProfileName=w.name, RoleName=w.pick("role")[0])


@step("iam")
def access_key(w: World) -> None:
    w("iam", "CreateAccessKey", UserName=w.pick("user"))


@step("iam")
def update_role(w: World) -> None:
    w("iam", "UpdateRole", RoleName=w.pick("role")[0], Description=f"{w.other} {w.number}", MaxSessionDuration=7200)


@step("iam", ends=True)
def delete_user(w: World) -> None:
    user = w.pick("user")
    w("iam", "DeleteUser", UserName=user)
    w.gone("user", user)


@step("iam", ends=True)
def detach(w: World) -> None:
    w("iam", "DetachRolePolicy", RoleName=w.pick("role")[0], PolicyArn=w.pick("policy"))


@step("kms", makes="key")
def create_key(w: World) -> None:
    made = w("kms", "CreateKey", Description=w.name, Tags=[{"TagKey": "k", "TagValue": w.other}])["KeyMetadata"]
    w.keep("key", (made["KeyId"], made["Arn"]))


@step("kms")
def alias_key(w: World) -> None:
    w("kms", "CreateAlias", AliasName=f"alias/{w.name}", TargetKeyId=w.pick("key")[0])


@step("kms")
def rotate_key(w: World) -> None:
    w("kms", "EnableKeyRotation", KeyId=w.pick("key")[0])
    w(
        "kms",
        "CreateGrant",
        KeyId=w.pick("key")[0],
        GranteePrincipal=w.pick("role")[1],
        Operations=["Decrypt"],
        Name=w.name,
    )


@step("kms", ends=True)
def disable_key(w: World) -> None:
    w("kms", "DisableKey", KeyId=w.pick("key")[0])


@step("kms", ends=True)
def end_key(w: World) -> None:
    w("kms", "ScheduleKeyDeletion", KeyId=w.pick("key")[0], PendingWindowInDays=7)


@step("secretsmanager", makes="secret")
def create_secret(w: World) -> None:
    made = w("secretsmanager", "CreateSecret", Name=w.name, SecretString=w.other, Tags=[{"Key": "k", "Value": w.name}])
    w.keep("secret", (w.name, made["ARN"]))


@step("secretsmanager")
def put_secret(w: World) -> None:
    w("secretsmanager", "PutSecretValue", SecretId=w.pick("secret")[w.number % 2], SecretString=f"{w.other}{w.number}")


@step("secretsmanager")
def describe_secret(w: World) -> None:
    w("secretsmanager", "UpdateSecret", SecretId=w.pick("secret")[1], Description=w.name)


@step("secretsmanager", ends=True)
def delete_secret(w: World) -> None:
    secret = w.pick("secret")
    w("secretsmanager", "DeleteSecret", SecretId=secret[0], ForceDeleteWithoutRecovery=bool(w.number % 2))
    w.gone("secret", secret)


@step("cognito-idp", makes="pool")
def create_pool(w: World) -> None:
    w.keep("pool", w("cognito-idp", "CreateUserPool", PoolName=w.name)["UserPool"]["Id"])


@step("cognito-idp", makes="pool_client")
def create_pool_client(w: World) -> None:
    pool = w.pick("pool")
    made = w(
        "cognito-idp", "CreateUserPoolClient", UserPoolId=pool, ClientName=w.name, GenerateSecret=bool(w.number % 2)
    )
    w.keep("pool_client", (pool, made["UserPoolClient"]["ClientId"]))


@step("cognito-idp")
def create_pool_user(w: World) -> None:
    pool = w.pick("pool")
    w("cognito-idp", "AdminCreateUser", UserPoolId=pool, Username=w.name,
      UserAttributes=[{"Name": "email", "Value": "a@example.com"}])  # fmt: skip
    w("cognito-idp", "CreateGroup", UserPoolId=pool, GroupName=w.other)
    w("cognito-idp", "AdminAddUserToGroup", UserPoolId=pool, GroupName=w.other, Username=w.name)


@step("cognito-idp")
def pool_domain(w: World) -> None:
    w("cognito-idp", "CreateResourceServer", UserPoolId=w.pick("pool"), Identifier=w.name, Name=w.other)
    w("cognito-idp", "CreateUserPoolDomain", UserPoolId=w.pick("pool"), Domain=w.name)


@step("cognito-idp", ends=True)
def delete_pool(w: World) -> None:
    pool = w.pick("pool")
    w("cognito-idp", "DeleteUserPool", UserPoolId=pool)
    w.gone("pool", pool)


@step("cognito-identity")
def create_identity_pool(w: World) -> None:
    made = w("cognito-identity", "CreateIdentityPool", IdentityPoolName=w.name, AllowUnauthenticatedIdentities=True)
    w("cognito-identity", "SetIdentityPoolRoles", IdentityPoolId=made["IdentityPoolId"],
      Roles={"authenticated": w.pick("role")[1]})  # fmt: skip


@step("organizations", makes="organization")
def create_organization(w: World) -> None:
    w.keep("organization", w("organizations", "CreateOrganization", FeatureSet="ALL")["Organization"]["Id"])


@step("organizations")
def create_unit(w: World) -> None:
    w.pick("organization")
    root = w("organizations", "ListRoots")["Roots"][0]["Id"]
    w("organizations", "CreateOrganizationalUnit", ParentId=root, Name=w.name)
    w("organizations", "CreatePolicy", Content=POLICY, Description="d", Name=w.other, Type="SERVICE_CONTROL_POLICY")


@step("acm", makes="certificate")
def request_certificate(w: World) -> None:
    w.keep("certificate", w("acm", "RequestCertificate", DomainName=f"{w.name}.example.com")["CertificateArn"])


@step("acm")
def tag_certificate(w: World) -> None:
    w("acm", "AddTagsToCertificate", CertificateArn=w.pick("certificate"), Tags=[{"Key": w.name, "Value": w.other}])


@step("acm", ends=True)
def delete_certificate(w: World) -> None:
    arn = w.pick("certificate")
    w("acm", "DeleteCertificate", CertificateArn=arn)
    w.gone("certificate", arn)
