"""Which hosts are AWS's, by every name that botocore knows; what a proxy variable may leave out; where a name leads."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import botocore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.proxy.intercept.clients import no_proxy
from replay_proxy.proxy.intercept.routes import Route, Routes, address_of, host_and_port
from replay_proxy.values import parse_host_patterns
from replay_proxy.wire.models.aws_domains import is_endpoint, is_of_aws
from tests.e2e.interception.test_nothing_leaves import AWS, REFUSED

DATA = Path(botocore.__file__).parent / "data"
EVERYTHING_PASSES = Routes(others_pass=True, tunnel=parse_host_patterns("*"))
NOTHING_PASSES = Routes(others_pass=False)


def hosts_of_endpoints() -> Iterator[str]:
    """Every host in botocore's table of endpoints."""
    document = json.loads((DATA / "endpoints.json").read_text())
    for partition in document["partitions"]:
        for service in partition["services"].values():
            for endpoint in service.get("endpoints", {}).values():
                for each in (endpoint, *endpoint.get("variants", ())):
                    if "hostname" in each:
                        yield each["hostname"]


def hosts_of_rules() -> Iterator[str]:
    """Every host in botocore's endpoint rules, with a label for each parameter, in each partition."""
    outputs = [each["outputs"] for each in json.loads((DATA / "partitions.json").read_text())["partitions"]]
    for path in DATA.glob("*/*/endpoint-rule-set-1.json.gz"):
        text = gzip.decompress(path.read_bytes()).decode()
        for found in set(re.findall(r'"url": ?"https?://([^"/]+)', text)):
            for output in outputs:
                host = re.sub(r"\{[^}]*#dualStackDnsSuffix\}", output["dualStackDnsSuffix"], found)
                host = re.sub(r"\{[^}]*#dnsSuffix\}", output["dnsSuffix"], host)
                yield re.sub(r"\{[^}]*\}", "x", host)


def test_every_endpoint_that_botocore_knows_is_the_engines() -> None:
    hosts = {host for host in (*hosts_of_endpoints(), *hosts_of_rules()) if not host.startswith("localhost")}
    hosts = {host for host in hosts if not host.endswith(".x") and host != "x"}  # of an endpoint that its user gives
    assert len(hosts) > 3000
    missed = {host for host in hosts if EVERYTHING_PASSES.of(host, 443) is not Route.ENGINE}
    assert not missed


@pytest.mark.parametrize("routes", [EVERYTHING_PASSES, NOTHING_PASSES])
def test_hosts_of_aws_are_the_engines_or_refused_whatever_the_settings(routes: Routes) -> None:
    for host in AWS:
        assert routes.of(host, 443) is Route.ENGINE, host
    for host in REFUSED:
        assert routes.of(host, 80).is_refused, host


@pytest.mark.parametrize(
    "name", ["pypi.org", "notamazonaws.com", "amazonaws.com.example.org", "aws.example", "api.laws"]
)
def test_names_that_only_look_like_those_of_aws_are_others(name: str) -> None:
    assert NOTHING_PASSES.of(name) is Route.REFUSED_OTHER
    assert Routes(others_pass=True).of(name) is Route.PASS
    assert EVERYTHING_PASSES.of(name) is Route.TUNNEL


@pytest.mark.parametrize("other", ["example.com", "203.0.113.7", "", "pypi.org"])
def test_one_name_of_aws_among_several_decides(other: str) -> None:
    for first, second in ((AWS[0], other), (other, AWS[0])):
        assert EVERYTHING_PASSES.of_all([(first, 443), (second, 0)]) is Route.ENGINE
    assert EVERYTHING_PASSES.of_all([(other, 443), ("169.254.169.254", 80)]) is Route.REFUSED_METADATA


@given(st.text())
def test_any_text_is_a_host(text: str) -> None:
    for routes in (EVERYTHING_PASSES, NOTHING_PASSES):
        routes.of(text)
        routes.of(host_and_port(text)[0])


@given(st.ip_addresses())
def test_an_address_is_read_back(address: object) -> None:
    host, port = host_and_port(f"[{address}]:80" if ":" in str(address) else f"{address}:80")
    assert (port, host) == (80, str(address))
    assert address_of(host) is not None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ""),
        ("shop.example, 10.0.0.0/8", "shop.example,10.0.0.0/8,"),
        ("*", ""),
        (".amazonaws.com,shop.example", "shop.example,"),
        ("sqs.eu-west-1.amazonaws.com,com,.aws", ""),
        ("169.254.169.254,fd00:ec2::254,169.254.0.0/16", ""),
    ],
)
def test_no_proxy_leads_nobody_to_aws_past_the_proxy(value: str, expected: str) -> None:
    assert no_proxy(value) == f"{expected}127.0.0.1,localhost,::1"


def test_consoles_are_of_aws_and_no_endpoints() -> None:
    assert is_of_aws("console.aws.amazon.com")
    assert not is_endpoint("console.aws.amazon.com")
