"""What a host name says: a service, a region, a bucket; or that the request is not for an AWS API at all.

Real endpoints name their service (`api.ecr.us-east-1.amazonaws.com`), and so do LocalStack's
(`sqs.us-east-1.localhost.localstack.cloud`). Anything may stand before the service: host prefixes (`data-`,
`{AccountId}.`), buckets with their dots. An emulator reached as `localhost:4566` names nothing; then `local`
says that the host may well be an emulator's, so that an unsigned `GET /bucket/key` is read as S3. An unsigned
request to `pypi.org` is not.

Buckets: S3's own hosts put the bucket before `s3`; SDKs given a custom endpoint put it before that endpoint's
host (`bucket.localhost:4566`). Which part of an unknown host is the bucket cannot be known, so that form is
understood for `localhost` only.

Sources: https://docs.aws.amazon.com/general/latest/gr/rande.html (endpoints),
https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html (buckets),
https://docs.localstack.cloud/aws/services/sqs/ (queue hosts).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from replay_proxy.wire.models.aws_domains import partition_domain
from replay_proxy.wire.models.service_index import service_index

HOST_CHARACTERS_MAX = 300
"""Longer hosts are not remembered: a name has 253 characters at most (RFC 1035, section 3.1), and a port follows."""
_EMULATOR_DOMAINS = (".localhost.localstack.cloud", ".localhost.floci.io")
_FUNCTION_URLS = ".on.aws"
_REGION = re.compile(r"[a-z]{2,5}(?:-[a-z]+)+-\d{1,2}")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_IN_BETWEEN = frozenset({"dualstack", "fips", "global", "vpce"})
# Hosts under which an emulator serves what is built with AWS, not the APIs of AWS.
_NOT_AN_API = frozenset({"lambda-url", "elb", "cloudfront", "appsync-api", "appsync-realtime-api", "amplifyapp"})
_S3_LABELS = {
    "s3": ("s3",),
    "s3-accelerate": ("s3",),
    "s3-accesspoint": ("s3",),
    "s3-global": ("s3",),
    "s3-object-lambda": ("s3",),
    "s3-outposts": ("s3", "s3control", "s3outposts"),
    "s3express-control": ("s3", "s3control"),
    "s3-control": ("s3control",),
}
_S3_REGIONAL = re.compile(r"s3-(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)")
_S3_EXPRESS = re.compile(r"s3express-(?!control)[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Host:
    """What a host name says.

    local: perhaps an emulator's own host. services: the services that it names, the preferred first; empty
    where it names none. region: empty where it names none. bucket: of a virtual-hosted S3 request. foreign:
    certainly no AWS API (a function URL, a static web site). website: the web site of a bucket, whose paths are keys.
    """

    local: bool = False
    services: tuple[str, ...] = ()
    region: str = ""
    bucket: str = ""
    foreign: bool = False
    website: bool = False


_LOCAL = Host(local=True)
_ELSEWHERE = Host()


def parse_host(value: str) -> Host:
    """Return what the value of a `Host` header says. Never raises."""
    return _parsed(value) if len(value) <= HOST_CHARACTERS_MAX else _parsed.__wrapped__(value)


@lru_cache(maxsize=1024)
def _parsed(value: str) -> Host:
    name = value.strip().lower()
    if name.startswith("["):
        return _LOCAL
    name = name.partition(":")[0].removesuffix(".")
    for domain in _EMULATOR_DOMAINS:
        if name == domain[1:]:
            return _LOCAL
        if name.endswith(domain):
            return _endpoint(name[: -len(domain)].split("."), local=True)
    if name.endswith(".localhost"):
        before = name.removesuffix(".localhost")
        found = _endpoint(before.split("."), local=True)
        if found.services or found.foreign:
            return found
        return Host(local=True, bucket=before)
    aws = partition_domain(name)
    if aws and aws != name:
        return _endpoint(name[: -len(aws) - 1].split("."), local=False)
    if name.endswith(_FUNCTION_URLS):
        return _endpoint(name[: -len(_FUNCTION_URLS)].split("."), local=False)
    if "." not in name or _IPV4.fullmatch(name) or name.endswith((".internal", ".local")):
        return _LOCAL
    if name.startswith("s3.") or ".s3." in name:
        # An S3 endpoint under a domain of somebody's own: `s3.storage.example`, `bucket.s3.storage.example`.
        return Host(local=True, services=("s3",), bucket=name.rpartition(".s3.")[0] if ".s3." in name else "")
    return _ELSEWHERE


def _endpoint(labels: list[str], *, local: bool) -> Host:
    """Return what the host of an endpoint says. labels: of its name, without the domain."""
    s3 = _s3(labels, local=local)
    if s3 is not None:
        return s3
    region = ""
    kept: list[str] = []
    for label in labels:
        if _REGION.fullmatch(label):
            region = label
        elif label not in _IN_BETWEEN:
            kept.append(label.removesuffix("-fips"))
    if _NOT_AN_API.intersection(kept[1:]):
        return Host(region=region, foreign=True)
    by_host = service_index().by_host
    for start in range(len(kept)):
        services = by_host.get(".".join(kept[start:]))
        if services:
            return Host(local=local, services=services, region=region)
    return Host(local=local, region=region)


def _s3(labels: list[str], *, local: bool) -> Host | None:
    """Return what an S3 host says; None for another host.

    What stands before the label that names S3 is the bucket (or access point, or account) as it is written: a bucket may be
    called `global`, or like a region. What stands behind it is about the endpoint.
    """
    for position in range(len(labels) - 1, -1, -1):
        label = labels[position].removesuffix("-fips")
        if not label.startswith("s3"):
            continue
        if label.startswith("s3-website"):
            return Host(region=_region(labels[position + 1 :]), foreign=True, website=True)
        regional = _S3_REGIONAL.fullmatch(label)
        if regional or _S3_EXPRESS.fullmatch(label):
            label = "s3"
        services = _S3_LABELS.get(label)
        if services:
            region = regional["region"] if regional else _region(labels[position + 1 :])
            bucket = ".".join(labels[:position]) if services[0] == "s3" else ""
            return Host(local=local, services=services, region=region, bucket=bucket)
    return None


def _region(labels: list[str]) -> str:
    """Return the last label that is called like a region; empty where none is."""
    return next((label for label in reversed(labels) if _REGION.fullmatch(label)), "")
