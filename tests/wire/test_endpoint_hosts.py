"""What host names say."""

from __future__ import annotations

import pytest

from replay_proxy.wire.models.endpoint_hosts import Host, parse_host
from tests.wire.installed import metadata


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("localhost:4566", Host(local=True)),
        ("127.0.0.1:5000", Host(local=True)),
        ("[::1]:4566", Host(local=True)),
        ("emulator", Host(local=True)),
        ("host.docker.internal:4566", Host(local=True)),
        ("localhost.localstack.cloud:4566", Host(local=True)),
        ("", Host(local=True)),
        ("pypi.org", Host()),
        ("amazonaws.com.example.org", Host()),
        ("sqs.us-east-1.amazonaws.com", Host(services=("sqs",), region="us-east-1")),
        ("SQS.US-EAST-1.AMAZONAWS.COM.:443", Host(services=("sqs",), region="us-east-1")),
        ("sqs.us-east-1.api.aws", Host(services=("sqs",), region="us-east-1")),
        ("sqs.cn-north-1.amazonaws.com.cn", Host(services=("sqs",), region="cn-north-1")),
        ("kms-fips.us-gov-west-1.amazonaws.com", Host(services=("kms",), region="us-gov-west-1")),
        ("api.ecr.eu-west-1.amazonaws.com", Host(services=("ecr",), region="eu-west-1")),
        ("iam.amazonaws.com", Host(services=("iam",))),
        ("cloudfront.amazonaws.com", Host(services=("cloudfront",))),
        ("123456789012.ddb.eu-west-1.amazonaws.com", Host(services=("dynamodb",), region="eu-west-1")),
        ("data-abc.iot.eu-west-1.amazonaws.com", Host(services=("iot",), region="eu-west-1")),
        ("sqs.eu-west-1.localhost.localstack.cloud:4566", Host(True, ("sqs",), "eu-west-1")),
        ("s3.amazonaws.com", Host(services=("s3",))),
        ("s3.eu-west-1.amazonaws.com", Host(services=("s3",), region="eu-west-1")),
        ("s3-eu-west-1.amazonaws.com", Host(services=("s3",), region="eu-west-1")),
        ("b.s3-eu-west-1.amazonaws.com", Host(services=("s3",), region="eu-west-1", bucket="b")),
        ("b.s3.amazonaws.com", Host(services=("s3",), bucket="b")),
        (
            "my.dotted.b.s3.eu-west-1.amazonaws.com",
            Host(services=("s3",), region="eu-west-1", bucket="my.dotted.b"),
        ),
        ("b.s3.dualstack.eu-west-1.amazonaws.com", Host(services=("s3",), region="eu-west-1", bucket="b")),
        ("b.s3-accelerate.amazonaws.com", Host(services=("s3",), bucket="b")),
        ("b.s3-fips.dualstack.us-west-2.amazonaws.com", Host(services=("s3",), region="us-west-2", bucket="b")),
        ("123456789012.s3-control-fips.us-west-2.amazonaws.com", Host(services=("s3control",), region="us-west-2")),
        # Buckets may be called like parts of an endpoint.
        ("my-fips.s3.localhost.localstack.cloud:4566", Host(True, ("s3",), bucket="my-fips")),
        ("global.data.s3.localhost.localstack.cloud", Host(True, ("s3",), bucket="global.data")),
        ("logs-prod-1.s3.localhost.localstack.cloud", Host(True, ("s3",), bucket="logs-prod-1")),
        ("dualstack.s3.localhost:4566", Host(True, ("s3",), bucket="dualstack")),
        ("us-east-1.s3.eu-west-1.amazonaws.com", Host(services=("s3",), region="eu-west-1", bucket="us-east-1")),
        ("my.s3.fips.s3-fips.us-west-2.amazonaws.com", Host(services=("s3",), region="us-west-2", bucket="my.s3.fips")),
        (
            "b--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com",
            Host(services=("s3",), region="us-west-2", bucket="b--usw2-az1--x-s3"),
        ),
        ("s3express-control.us-west-2.amazonaws.com", Host(services=("s3", "s3control"), region="us-west-2")),
        (
            "123456789012.s3-control.us-west-2.amazonaws.com",
            Host(services=("s3control",), region="us-west-2"),
        ),
        ("b.s3.localhost.localstack.cloud:4566", Host(True, ("s3",), bucket="b")),
        ("b.s3.eu-west-1.localhost.localstack.cloud", Host(True, ("s3",), "eu-west-1", "b")),
        ("s3.localhost.localstack.cloud", Host(True, ("s3",))),
        ("b.localhost:4566", Host(True, bucket="b")),
        ("b.s3.localhost:4566", Host(True, ("s3",), bucket="b")),
        ("123456789012.localhost:4566", Host(True, bucket="123456789012")),
        ("b.s3.storage.example", Host(True, ("s3",), bucket="b")),
        ("s3.storage.example", Host(True, ("s3",))),
        ("site.s3-website-us-east-1.amazonaws.com", Host(foreign=True, website=True)),
        ("site.s3-website.localhost.localstack.cloud:4566", Host(foreign=True, website=True)),
        ("abc.lambda-url.eu-west-1.localhost.localstack.cloud:4566", Host(region="eu-west-1", foreign=True)),
        ("abc.cloudfront.localhost.localstack.cloud:4566", Host(foreign=True)),
        ("lb.elb.localhost.localstack.cloud:4566", Host(foreign=True)),
    ],
)
def test_what_a_host_says(value, host):
    assert parse_host(value) == host


def test_the_endpoint_prefix_of_every_service_names_it():
    silent = []
    for name, told in metadata().items():
        host = parse_host(f"{told['endpointPrefix']}.eu-west-1.amazonaws.com")
        if name not in host.services or host.region != "eu-west-1":
            silent.append((name, host))
    assert silent == []
