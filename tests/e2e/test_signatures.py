"""An emulator that verifies signatures: what the proxy rewrites, it signs anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.clients import REGION, client
from tests.support.processes import Proxy

pytestmark = pytest.mark.emulator

STRICT = {"AUTH": "true"}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def signed_by(key: str, secret: str, service: str, url: str) -> Any:
    session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=REGION)
    config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
    return session.client(service, endpoint_url=url, config=config)


def test_a_users_key_stays_good_at_an_emulator_that_checks(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "ministack", environment=STRICT)
    iam = client("iam", proxy.url)
    iam.create_user(UserName="u")
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps(EVERYTHING))
    key = iam.create_access_key(UserName="u")["AccessKey"]
    ours = (key["AccessKeyId"], key["SecretAccessKey"])
    ec2, s3 = (signed_by(*ours, service, proxy.url) for service in ("ec2", "s3"))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")
    s3.create_bucket(Bucket="archive")
    s3.put_object(Bucket="archive", Key="a b+c", Body=b"content")
    with pytest.raises(ClientError):
        signed_by(key["AccessKeyId"], "wrong", "ec2", proxy.url).describe_vpcs()

    proxy.kill_all()
    proxy = start_proxy("--emulator", "ministack", port=proxy.port, environment=STRICT)

    assert proxy.status()["last_restore"]["problems"] == []
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"] == "10.0.0.0/16"
    assert s3.get_object(Bucket="archive", Key="a b+c")["Body"].read() == b"content"
    s3.put_object(Bucket="archive", Key="later", Body=b"more")
    listed = iam.list_access_keys(UserName="u")["AccessKeyMetadata"]
    assert [each["AccessKeyId"] for each in listed] == [key["AccessKeyId"]]
