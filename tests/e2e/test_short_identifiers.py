"""Identifiers of few characters, of digits alone, in maps, and tokens that the next call must name: known after a restart."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.processes import Proxy
from tests.support.stories import Story

pytestmark = pytest.mark.emulator

OFFICE = {"Name": "office", "Scope": "REGIONAL"}
ORIGIN = {"Id": "o", "DomainName": "a.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
BEHAVIOR = {
    "TargetOriginId": "o",
    "ViewerProtocolPolicy": "allow-all",
    "MinTTL": 0,
    "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
}
DISTRIBUTION = {
    "CallerReference": "x",
    "Comment": "first",
    "Enabled": True,
    "Origins": {"Quantity": 1, "Items": [ORIGIN]},
    "DefaultCacheBehavior": BEHAVIOR,
}


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_ids_and_tokens_go_on_working(start_proxy: Callable[..., Proxy], emulator: str) -> None:
    story = Story(start_proxy, emulator)
    waf, cdn, routes = story.client("wafv2"), story.client("cloudfront"), story.client("route53")
    discovery, settings = story.client("servicediscovery"), story.client("appconfig")
    # Seven hexadecimal digits: one in thirty has no letter.
    applications = [""]
    for number in range(40):
        text = f"after {applications[-1]}"
        applications.append(settings.create_application(Name=f"app{number}", Description=text)["Id"])
    texts = {ident: f"after {before}" for before, ident in itertools.pairwise(applications)}
    del applications[0]
    names = {ident: f"app{number}" for number, ident in enumerate(applications)}
    delegation = ""
    if emulator == "moto":  # five letters and digits
        delegation = routes.create_reusable_delegation_set(CallerReference="x")["DelegationSet"]["Id"]
    operation = discovery.create_http_namespace(Name="shop")["OperationId"]
    namespace = discovery.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
    service = discovery.create_service(Name="app", NamespaceId=namespace)["Service"]["Id"]
    made = waf.create_ip_set(**OFFICE, IPAddressVersion="IPV4", Addresses=[])["Summary"]
    lock = made["LockToken"]
    for number in range(3):
        addresses = [f"192.0.2.{number}/32"]
        lock = waf.update_ip_set(**OFFICE, Id=made["Id"], Addresses=addresses, LockToken=lock)["NextLockToken"]
    distribution = cdn.create_distribution(DistributionConfig=DISTRIBUTION)
    ident, etag = distribution["Distribution"]["Id"], distribution["ETag"]
    for comment in ("second", "third"):
        config = DISTRIBUTION | {"Comment": comment}
        etag = cdn.update_distribution(Id=ident, IfMatch=etag, DistributionConfig=config)["ETag"]

    # A query that only reads is made again when its id is presented.
    logs, warehouse = story.client("logs"), story.client("redshift-data")
    logs.create_log_group(logGroupName="/g")
    query = logs.start_query(logGroupName="/g", startTime=1, endTime=2, queryString="fields @message")["queryId"]
    statement = ""
    if emulator == "moto":
        statement = warehouse.execute_statement(Sql="SELECT 1", ClusterIdentifier="c", Database="d")["Id"]

    def read() -> Any:
        return {
            "query": logs.get_query_results(queryId=query)["results"],
            "statement": statement and warehouse.describe_statement(Id=statement)["Id"],
            "applications": {each: settings.get_application(ApplicationId=each)["Name"] for each in applications},
            "texts": {each: settings.get_application(ApplicationId=each)["Description"] for each in applications},
            "delegation": delegation and routes.get_reusable_delegation_set(Id=delegation)["DelegationSet"]["Id"],
            "namespace": discovery.get_namespace(Id=namespace)["Namespace"]["Name"],
            "service": discovery.get_service(Id=service)["Service"]["NamespaceId"],
            "addresses": waf.get_ip_set(**OFFICE, Id=made["Id"])["IPSet"]["Addresses"],
            "comment": cdn.get_distribution_config(Id=ident)["DistributionConfig"]["Comment"],
            "etag": cdn.get_distribution_config(Id=ident)["ETag"],
        }

    facts = story.survives(read)
    assert facts["applications"] == names
    assert facts["texts"] == texts
    assert facts["statement"] == statement
    assert (facts["namespace"], facts["service"]) == ("shop", namespace)
    assert (facts["addresses"], facts["comment"], facts["etag"]) == (["192.0.2.2/32"], "third", etag)
    # What the client held before is accepted for the next step.
    waf.update_ip_set(**OFFICE, Id=made["Id"], Addresses=["198.51.100.0/24"], LockToken=lock)
    cdn.update_distribution(Id=ident, IfMatch=etag, DistributionConfig=DISTRIBUTION | {"Comment": "fourth"})
    facts = story.survives(read)
    assert (facts["addresses"], facts["comment"]) == (["198.51.100.0/24"], "fourth")
