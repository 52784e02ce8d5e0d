"""Two emulators that drew the same identifiers for different things: what gets another one in a merge is told."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import Files
from replay_proxy.pods.merge.made_along import parts
from replay_proxy.pods.merge.merge_recordings import merge_recordings
from replay_proxy.pods.merge.strategies import MergeStrategy
from replay_proxy.wire.models.models import service_model
from tests.e2e.test_restore import emulator_options
from tests.pods.test_pods import pod
from tests.resources.recordings import Tape, queue
from tests.support.clients import client
from tests.support.processes import Proxy, left_out

SIDES = ("ours", "pods")
BLOCKS = {"ours": "10.1.0.0/16", "pods": "10.2.0.0/16"}


def test_what_is_made_along_gets_a_fresh_identifier_with_it(tmp_path: Path) -> None:
    """The root of an API, the default group and the main route table of a network, with its association."""
    tapes = {side: Tape() for side in SIDES}
    queue(tapes["pods"], "so that no call is of the same moment")
    for side, tape in tapes.items():
        api = {"id": "ab12cd34ef", "name": side, "rootResourceId": "rootroot12"}
        tape.call("apigateway", "CreateRestApi", {"name": side}, api, protocol="rest-json")
        network = f"<vpc><vpcId>vpc-0a</vpcId><cidrBlock>{BLOCKS[side]}</cidrBlock></vpc>"
        tape.call("ec2", "CreateVpc", {"CidrBlock": BLOCKS[side]}, protocol="ec2", body=_answer("CreateVpc", network))
        for operation, shown in (
            ("DescribeSecurityGroups", _set("securityGroupInfo", "<groupId>sg-0b</groupId><groupName>default</groupName>")),
            ("DescribeRouteTables", _set("routeTableSet", "<routeTableId>rtb-0c</routeTableId>" + _ASSOCIATION)),
        ):  # fmt: skip
            tape.call("ec2", operation, {}, protocol="ec2", body=_answer(operation, shown), witness=True)
    place = Files(tapes["ours"].write(tmp_path / "ours"))
    theirs = read(tapes["pods"].write(tmp_path / "pod"))
    report = merge_recordings(place, theirs, MergeStrategy.SERVICE, tmp_path / "merged")
    old = {"ab12cd34ef", "rootroot12", "vpc-0a", "sg-0b", "rtb-0c", "rtbassoc-0d"}
    assert report.renamed.keys() == old
    assert old.isdisjoint(report.renamed.values())
    text = (tmp_path / "merged" / "recorded_api_calls.json").read_text()
    assert all(text.count(each) == text.count(new) for each, new in report.renamed.items())
    again = merge_recordings(Files(tmp_path / "merged"), theirs, MergeStrategy.SERVICE, tmp_path / "again")
    assert (again.renamed, again.changes_anything) == (report.renamed, False)


_ASSOCIATION = (
    "<associationSet><item><routeTableAssociationId>rtbassoc-0d</routeTableAssociationId><main>true</main></item>"
    "</associationSet>"
)


def _set(name: str, item: str) -> str:
    return f"<{name}><item>{item}<vpcId>vpc-0a</vpcId></item></{name}>"


def _answer(operation: str, shown: str) -> bytes:
    return f"<{operation}Response>{shown}</{operation}Response>".encode()


def test_the_table_names_members_that_there_are() -> None:
    for service, its in parts().items():
        model = service_model(service)
        shapes = [model.shape_for(each) for each in model.shape_names]
        members = {member for each in shapes for member in getattr(each, "members", ())}
        told = {*its.beside, *(member for each in its.beside.values() for member in each)}
        # What the model does not have the emulators show: API Gateway's root.
        assert told - {"rootResourceId"} <= members


def _make(proxy: Proxy, side: str) -> None:
    gateway, ec2 = client("apigateway", proxy.url), client("ec2", proxy.url)
    api = gateway.create_rest_api(name=side)["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.create_resource(restApiId=api, parentId=root, pathPart=side)
    gateway.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
    network = ec2.create_vpc(CidrBlock=BLOCKS[side])["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=network, CidrBlock=BLOCKS[side].replace("/16", "/24"))["Subnet"]["SubnetId"]
    ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnet)
    client("route53", proxy.url).create_hosted_zone(Name=f"{side}.example.com", CallerReference=side)


def _shown(proxy: Proxy, side: str) -> dict[str, str]:
    """The identifiers that a client sees of what one side made, by where they are shown."""
    gateway, ec2 = client("apigateway", proxy.url), client("ec2", proxy.url)
    (api,) = (each["id"] for each in gateway.get_rest_apis()["items"] if each["name"] == side)
    (network,) = (each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"] if each["CidrBlock"] == BLOCKS[side])
    of_it = {"Filters": [{"Name": "vpc-id", "Values": [network]}]}
    zones = client("route53", proxy.url).list_hosted_zones()["HostedZones"]
    found = {
        "api": api,
        "network": network,
        "resources": gateway.get_resources(restApiId=api)["items"],
        "groups": ec2.describe_security_groups(**of_it)["SecurityGroups"],
        "tables": ec2.describe_route_tables(**of_it)["RouteTables"],
        "lists": ec2.describe_network_acls(**of_it)["NetworkAcls"],
        "instances": ec2.describe_instances(**of_it)["Reservations"],
        "zones": [each for each in zones if each["Name"].startswith(side)],
    }
    return dict(_identifiers(found, ""))


def _identifiers(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, each in sorted(value.items()):
            yield from _identifiers(each, f"{path}.{name}")
    elif isinstance(value, list):
        for at, each in enumerate(
            sorted(value, key=lambda each: str(each.get("path", "")) if isinstance(each, dict) else each)
        ):
            yield from _identifiers(each, f"{path}.{at}")
    elif isinstance(value, str) and path.lower().endswith(("id", "api", "network")):
        yield path, value.rpartition("/")[2]


def _draw_alike(proxy: Proxy) -> None:
    """Let moto draw the same identifiers as any other that was told so."""
    with urllib.request.urlopen(f"{proxy.url}/_replay/status") as answer:
        moto = json.load(answer)["emulator"]["url"]
    with urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/seed?a=42", method="POST")):
        pass


@pytest.mark.emulator
@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(left_out(0.5)), reason=str(left_out(0.5)))
def test_every_identifier_that_changes_is_told(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    proxy = start_proxy(*emulator_options("moto"), data_dir=tmp_path / "source")
    _draw_alike(proxy)
    _make(proxy, "pods")
    theirs = _shown(proxy, "pods")
    pod(proxy, "save", "alike")
    proxy.stop()
    proxy = start_proxy(*emulator_options("moto"), port=proxy.port, data_dir=tmp_path / "target")
    _draw_alike(proxy)
    _make(proxy, "ours")
    mine = _shown(proxy, "ours")
    assert {".api", ".network", ".resources.0.id", ".groups.0.GroupId"} <= {
        name for name, each in mine.items() if theirs[name] == each
    }
    told = pod(proxy, "load", "alike", "--merge", "service-merge", "--dry-run")["merge"]["renamed"]
    loaded = pod(proxy, "load", "alike", "--merge", "service-merge", "--yes")
    assert (loaded["merge"]["renamed"], loaded["restore"]["problems"]) == (told, [])
    expected = {name: told.get(each, each) for name, each in theirs.items()}
    for _ in range(2):
        assert (_shown(proxy, "ours"), _shown(proxy, "pods")) == (mine, expected)
        proxy.kill_all()
        proxy.again()
