"""Changes that clients wait for: what they are answered after a restart about a change of something that is gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from replay_proxy.replay.runs.changes import gives_change, kinds
from replay_proxy.wire.models.models import operation_model
from tests.support.clients import client
from tests.support.processes import Proxy

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(120)]


def test_a_change_of_what_is_gone_is_over(start_proxy: Callable[..., Proxy]) -> None:
    """Someone who waits for the deletion of a zone, or of a namespace, goes on waiting for it after a kill."""
    proxy = start_proxy("--emulator", "ministack")
    route53, discovery = client("route53", proxy.url), client("servicediscovery", proxy.url)
    zone = route53.create_hosted_zone(Name="a.example", CallerReference="1")
    kept = route53.create_hosted_zone(Name="b.example", CallerReference="2")["ChangeInfo"]["Id"]
    changes = [zone["ChangeInfo"]["Id"], route53.delete_hosted_zone(Id=zone["HostedZone"]["Id"])["ChangeInfo"]["Id"]]
    made = discovery.create_http_namespace(Name="space")["OperationId"]
    space = discovery.get_operation(OperationId=made)["Operation"]["Targets"]["NAMESPACE"]
    operations = [made, discovery.delete_namespace(Id=space)["OperationId"]]
    proxy.kill_all()
    proxy.again()
    assert proxy.status()["last_restore"]["problems"] == []
    route53, discovery = client("route53", proxy.url), client("servicediscovery", proxy.url)
    for change in (*changes, changes[0].rpartition("/")[2]):
        shown = route53.get_change(Id=change)["ChangeInfo"]
        assert (shown["Id"].rpartition("/")[2], shown["Status"]) == (change.rpartition("/")[2], "INSYNC")
        assert shown["SubmittedAt"] == zone["ChangeInfo"]["SubmittedAt"] or change != changes[0]
    assert route53.get_change(Id=kept)["ChangeInfo"]["Id"] == kept
    for operation in operations:
        shown = discovery.get_operation(OperationId=operation)["Operation"]
        assert (shown["Id"], shown["Status"]) == (operation, "SUCCESS")
    with pytest.raises(ClientError, match="NoSuchChange"):
        route53.get_change(Id="C0000000000000")


def test_the_kinds_of_changes_are_in_the_models() -> None:
    for kind in kinds().values():
        asked = operation_model(kind.service, kind.asked)
        assert kind.by in asked.input_shape.members
        assert {kind.id, kind.status} <= {*asked.output_shape.members[kind.member].members}
    given = ("route53:DeleteHostedZone", "route53:ChangeResourceRecordSets", "servicediscovery:DeregisterInstance",
             "eks:UpdateClusterConfig", "eks:AssociateEncryptionConfig")  # fmt: skip
    assert all(gives_change(*each.split(":")) for each in given)
    others = ("route53:GetChange", "route53:GetHostedZone", "eks:CreateCluster", "sqs:CreateQueue")
    assert not any(gives_change(*each.split(":")) for each in others)
