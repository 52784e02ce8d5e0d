"""Values that an emulator draws anew when it makes a thing again, and that clients hold: they are shown as before."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from replay_proxy.identifiers.rewriting.user_pools.one_time_codes import code_of
from tests.support.clients import client
from tests.support.processes import Proxy, amount, missing
from tests.support.stories import until

pytestmark = pytest.mark.emulator


def secret_hash(secret: str, user: str, app: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), (user + app).encode(), hashlib.sha256).digest()).decode()


def aliases_of(proxy: Proxy) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{proxy.url}/_replay/aliases") as answer:
        return list(json.load(answer))


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_the_secret_of_an_app_client_and_the_hashes_made_with_it(
    start_proxy: Callable[..., Proxy], emulator: str
) -> None:
    if reason := missing(emulator):
        pytest.skip(reason)
    strict = {"AUTH": "true"} if emulator == "ministack" else {}  # else it looks at no hash
    proxy = start_proxy("--emulator", emulator, environment=strict)
    cognito = client("cognito-idp", proxy.url)
    pool = cognito.create_user_pool(PoolName="shop")["UserPool"]["Id"]
    flows = ["ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    made = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="web", GenerateSecret=True, ExplicitAuthFlows=flows
    )["UserPoolClient"]
    app, secret = made["ClientId"], made["ClientSecret"]
    # A recorded call that carries a hash, which a restore has to derive anew.
    given = secret_hash(secret, "jo", app)
    cognito.sign_up(ClientId=app, SecretHash=given, Username="jo", Password="Perm-1234!")
    cognito.admin_confirm_sign_up(UserPoolId=pool, Username="jo")

    def log_in(flow: str, **words: str) -> Any:
        return cognito.initiate_auth(ClientId=app, AuthFlow=flow, AuthParameters={**words, "SECRET_HASH": given})

    token = log_in("USER_PASSWORD_AUTH", USERNAME="jo", PASSWORD="Perm-1234!")["AuthenticationResult"]["RefreshToken"]
    # Such a request does not name the user.
    assert "AccessToken" in log_in("REFRESH_TOKEN_AUTH", REFRESH_TOKEN=token)["AuthenticationResult"]

    for _ in range(amount(1, 2)):
        proxy.kill_all()
        proxy = start_proxy("--emulator", emulator, port=proxy.port, environment=strict)
        shown = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=app)["UserPoolClient"]
        assert shown["ClientSecret"] == secret
        assert [user["Username"] for user in cognito.list_users(UserPoolId=pool)["Users"]] == ["jo"]

    def sign_in(given: str) -> Any:
        words = {"USERNAME": "jo", "SRP_A": "a" * 64, "SECRET_HASH": given}
        return cognito.initiate_auth(ClientId=app, AuthFlow="USER_SRP_AUTH", AuthParameters=words)

    fresh = log_in("USER_PASSWORD_AUTH", USERNAME="jo", PASSWORD="Perm-1234!")["AuthenticationResult"]["RefreshToken"]
    for each in (token, fresh):
        assert "AccessToken" in log_in("REFRESH_TOKEN_AUTH", REFRESH_TOKEN=each)["AuthenticationResult"]
    assert sign_in(secret_hash(secret, "jo", app))["ChallengeName"] == "PASSWORD_VERIFIER"
    with pytest.raises(ClientError):
        sign_in(secret_hash("another secret", "jo", app))
    aliases = aliases_of(proxy)
    assert {"kind": "secret", "client": "(secret)", "emulator": "(secret)"}.items() <= next(
        each for each in aliases if each["kind"] == "secret"
    ).items()
    assert secret not in str(aliases)


def test_blocks_of_ipv6_addresses_and_fingerprints(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    ec2 = client("ec2", proxy.url)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    later = ec2.create_vpc(CidrBlock="10.10.0.0/16")["Vpc"]["VpcId"]
    ec2.associate_vpc_cidr_block(VpcId=later, AmazonProvidedIpv6CidrBlock=True)
    inner = block.replace("00::/56", "01::/64")
    ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.9.1.0/24", Ipv6CidrBlock=inner)
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc["VpcId"])["GroupId"]
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 1,
        "ToPort": 2,
        "Ipv6Ranges": [{"CidrIpv6": inner.replace("::/64", "::7/128")}],
    }
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    fingerprint = ec2.create_key_pair(KeyName="door")["KeyFingerprint"]

    def shown() -> Any:
        vpcs = ec2.describe_vpcs(VpcIds=[vpc["VpcId"], later])["Vpcs"]
        subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
        rules = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
        return (
            sorted((each["VpcId"], each["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]) for each in vpcs),
            [each["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"] for each in subnets],
            [each["Ipv6Ranges"] for each in rules],
            ec2.describe_key_pairs(KeyNames=["door"])["KeyPairs"][0]["KeyFingerprint"],
        )

    before = shown()
    assert before[1] == [inner]
    assert before[3] == fingerprint
    for _ in range(amount(1, 2)):
        proxy.kill_all()
        proxy = start_proxy(port=proxy.port)
        assert shown() == before
        report = proxy.status()["last_restore"]
        assert (report["diverged"], report["findings"]) == (0, [])
    # What the emulator holds lies in the block that it has drawn this time.
    more = ec2.create_subnet(
        VpcId=vpc["VpcId"], CidrBlock="10.9.2.0/24", Ipv6CidrBlock=block.replace("00::/56", "02::/64")
    )["Subnet"]
    assert more["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"] == block.replace("00::/56", "02::/64")
    network = next(each for each in aliases_of(proxy) if each["client"] == block)
    assert network["kind"] == "network"
    assert network["emulator"] != block


def test_certificates_that_an_emulator_makes(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    acm, gateway, kms = (client(service, proxy.url) for service in ("acm", "apigateway", "kms"))
    arn = acm.request_certificate(DomainName="a.example.com")["CertificateArn"]
    gateway.create_domain_name(
        domainName="x.example.com", regionalCertificateArn=arn, endpointConfiguration={"types": ["REGIONAL"]}
    )
    signer = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]

    def shown() -> Any:
        return (
            acm.get_certificate(CertificateArn=arn)["Certificate"],
            acm.describe_certificate(CertificateArn=arn)["Certificate"]["Serial"],
            gateway.get_domain_name(domainName="x.example.com")["regionalDomainName"],
        )

    before = shown()
    public = kms.get_public_key(KeyId=signer)["PublicKey"]
    time.sleep(0.3)  # reads are looked at beside the requests
    for _ in range(amount(1, 2)):
        proxy.kill_all()
        proxy = start_proxy(port=proxy.port)
        assert shown() == before
    # A key pair cannot be given to an emulator, so the report names it.
    assert kms.get_public_key(KeyId=signer)["PublicKey"] != public
    (finding,) = proxy.status()["last_restore"]["findings"]
    assert finding["call"] == "kms:CreateKey"
    assert "key pair" in finding["message"]


def test_a_device_keys_of_macs_and_credentials_of_an_identity(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    iam, kms, identities, cognito = (
        client(service, proxy.url) for service in ("iam", "kms", "cognito-identity", "cognito-idp")
    )
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    signer = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    mac = {"KeyId": signer, "Message": b"text", "MacAlgorithm": "HMAC_SHA_256"}
    old = kms.generate_mac(**mac)["Mac"]
    pool = identities.create_identity_pool(IdentityPoolName="p", AllowUnauthenticatedIdentities=True)["IdentityPoolId"]
    identity = identities.get_id(IdentityPoolId=pool)["IdentityId"]

    users = cognito.create_user_pool(PoolName="p")["UserPool"]["Id"]
    cognito.create_user_pool_domain(UserPoolId=users, Domain="shop")

    def read_domain() -> str:
        return str(cognito.describe_user_pool_domain(Domain="shop")["DomainDescription"]["AWSAccountId"])

    def shown() -> Any:
        (device,) = iam.list_virtual_mfa_devices()["VirtualMFADevices"]
        given = identities.get_credentials_for_identity(IdentityId=identity)["Credentials"]
        return device["Base32StringSeed"], device["QRCodePNG"], given["SecretKey"]

    before = shown()
    assert before[:2] == (made["Base32StringSeed"], made["QRCodePNG"])
    assert read_domain() != read_domain(), "moto draws it at each read, so it is no finding"
    until(lambda: "DescribeUserPoolDomain" in {each["operation"] for each in proxy.records("witness")})
    proxy.kill_all()
    proxy = start_proxy(port=proxy.port)
    assert shown() == before
    # Nor can a key for MACs be given to an emulator, so the report names it.
    assert kms.verify_mac(**mac, Mac=old)["MacValid"] is True
    assert kms.generate_mac(**mac)["Mac"] != old
    (finding,) = proxy.status()["last_restore"]["findings"]
    assert finding["call"] == "kms:CreateKey"
    assert "MAC" in finding["message"]


@pytest.mark.parametrize("read", ["GetSecretValue", "BatchGetSecretValue"])
def test_a_secret_that_a_template_lets_generate(start_proxy: Callable[..., Proxy], read: str) -> None:
    if reason := missing("ministack"):
        pytest.skip(reason)
    proxy = start_proxy("--emulator", "ministack")

    def generated(name: str) -> dict[str, Any]:
        properties = {"Name": name, "GenerateSecretString": {"PasswordLength": 24}}
        return {"Type": "AWS::SecretsManager::Secret", "Properties": properties}

    key = {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Name": "key", "Enabled": True}}
    template = json.dumps({"Resources": {"Secret": generated("made"), "Other": generated("other"), "Key": key}})
    client("cloudformation", proxy.url).create_stack(StackName="s", TemplateBody=template)
    secrets, gateway = client("secretsmanager", proxy.url), client("apigateway", proxy.url)

    def shown() -> Any:
        versions = [secrets.describe_secret(SecretId=name)["VersionIdsToStages"] for name in ("made", "other")]
        if read == "GetSecretValue":
            values = [secrets.get_secret_value(SecretId=name) for name in ("made", "other")]
        else:
            values = secrets.batch_get_secret_value(SecretIdList=["made", "other"])["SecretValues"]
        keys = [(each["id"], each["value"]) for each in gateway.get_api_keys(includeValues=True)["items"]]
        return versions, [(each["SecretString"], each["VersionId"], each["ARN"]) for each in values], keys

    # That a secret is there, and its versions, is known before what it holds is read.
    secrets.list_secrets()
    shown()
    # Reads are looked at beside the requests.
    until(lambda: {"ListSecrets", "GetApiKeys"} <= {each["operation"] for each in proxy.records("witness")})
    count = 2 if read == "GetSecretValue" else 1
    until(lambda: [each["operation"] for each in proxy.records("witness")].count(read) == count)
    secrets.put_secret_value(SecretId="other", SecretString="put in since")
    before = shown()
    for _ in range(amount(1, 2)):
        proxy.kill_all()
        proxy = start_proxy("--emulator", "ministack", port=proxy.port)
        assert shown() == before
    assert proxy.status()["last_restore"]["diverged"] == 0


def test_the_authenticator_of_a_user(start_proxy: Callable[..., Proxy]) -> None:
    if reason := missing("ministack"):
        pytest.skip(reason)
    strict = {"AUTH": "true"}
    proxy = start_proxy("--emulator", "ministack", environment=strict)
    cognito = client("cognito-idp", proxy.url)
    pool = cognito.create_user_pool(PoolName="safe")["UserPool"]["Id"]
    cognito.set_user_pool_mfa_config(
        UserPoolId=pool, MfaConfiguration="OPTIONAL", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    app = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="web", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    )["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(UserPoolId=pool, Username="jo", MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username="jo", Password="Perm-1234!", Permanent=True)

    def log_in() -> Any:
        words = {"USERNAME": "jo", "PASSWORD": "Perm-1234!"}
        return cognito.initiate_auth(ClientId=app, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=words)

    def answer(code: str) -> Any:
        return cognito.respond_to_auth_challenge(
            ClientId=app,
            ChallengeName="SOFTWARE_TOKEN_MFA",
            Session=log_in()["Session"],
            ChallengeResponses={"USERNAME": "jo", "SOFTWARE_TOKEN_MFA_CODE": code},
        )

    token = log_in()["AuthenticationResult"]["AccessToken"]
    secret = cognito.associate_software_token(AccessToken=token)["SecretCode"]
    cognito.verify_software_token(AccessToken=token, UserCode=code_of(secret, time.time()))
    cognito.set_user_mfa_preference(AccessToken=token, SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True})
    assert "AuthenticationResult" in answer(code_of(secret, time.time()))

    proxy.kill_all()
    proxy = start_proxy("--emulator", "ministack", port=proxy.port, environment=strict)
    assert proxy.status()["last_restore"]["problems"] == []
    assert "AuthenticationResult" in answer(code_of(secret, time.time()))
    with pytest.raises(ClientError):
        answer(code_of("ANOTHERSECRET234", time.time()))


def test_the_signing_request_of_an_authority_and_the_reference_of_a_zone(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    authorities, zones = client("acm-pca", proxy.url), client("route53", proxy.url)
    configuration = {
        "KeyAlgorithm": "RSA_2048",
        "SigningAlgorithm": "SHA256WITHRSA",
        "Subject": {"CommonName": "root"},
    }
    made = authorities.create_certificate_authority(
        CertificateAuthorityConfiguration=configuration, CertificateAuthorityType="ROOT"
    )
    named = {"CertificateAuthorityArn": made["CertificateAuthorityArn"]}
    vpc = client("ec2", proxy.url).create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    # The zone of a namespace has a reference that no client said.
    client("servicediscovery", proxy.url).create_private_dns_namespace(Name="drawn.local", Vpc=vpc)
    zones.create_hosted_zone(Name="chosen.example", CallerReference="chosen")

    def shown() -> Any:
        listed = {each["Name"]: each["CallerReference"] for each in zones.list_hosted_zones()["HostedZones"]}
        return authorities.get_certificate_authority_csr(**named)["Csr"], listed

    before = shown()
    assert before[1]["chosen.example."] == "chosen"
    reads = {"GetCertificateAuthorityCsr", "ListHostedZones"}
    until(lambda: reads <= {each["operation"] for each in proxy.records("witness")})
    for _ in range(amount(1, 2)):
        proxy.kill_all()
        proxy = start_proxy(port=proxy.port)
        assert shown() == before
    restored = proxy.status()["last_restore"]
    assert restored["problems"] == []
    (finding,) = restored["findings"]
    assert finding["call"] == "acm-pca:CreateCertificateAuthority"
    assert "key pair" in finding["message"]


def test_a_host_that_is_drawn_and_names_the_emulator(start_proxy: Callable[..., Proxy]) -> None:
    if reason := missing("ministack"):
        pytest.skip(reason)
    proxy = start_proxy("--emulator", "ministack")
    things = client("iot", proxy.url)
    things.create_domain_configuration(domainConfigurationName="drawn")

    def shown() -> Any:
        return things.describe_domain_configuration(domainConfigurationName="drawn")["domainName"]

    before = shown()
    until(lambda: "DescribeDomainConfiguration" in {each["operation"] for each in proxy.records("witness")})
    for _ in range(amount(1, 2)):
        proxy.kill_all()
        proxy = start_proxy("--emulator", "ministack", port=proxy.port)
        assert shown() == before
    assert proxy.status()["last_restore"]["findings"] == []
