"""The state comparison of the tests itself: it must see what differs, and read what can be named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.read_back.catalogue import reads_of
from tests.support.read_back.comparison import Difference, Shown, as_shown, differences
from tests.support.read_back.known_values import KnownValues
from tests.support.read_back.reader import Asked, State
from tests.support.scenarios.world import World


def compared(before: Any, after: Any, read: str = "ListThings") -> list[Difference]:
    asked = Asked("glue", read, "{}")
    return differences(State({asked: before}), State({asked: after}))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"Id": "a1"}, {"Id": "a1"}, []),
        ({"Id": "a1"}, {"Id": "a2"}, [".Id"]),
        ({"Id": "job:1"}, {"Id": "job:2"}, [".Id"]),
        ({"Things": [{"Name": "a", "V": 1}, {"Name": "b"}]}, {"Things": [{"Name": "b"}, {"Name": "a", "V": 1}]}, []),
        ({"Things": [{"Name": "a", "V": 1}, {"Name": "b"}]}, {"Things": [{"Name": "b"}, {"Name": "a", "V": 2}]}, [".Things[].V"]),
        ({"Things": [1, 1, 2]}, {"Things": [2, 1]}, [".Things[]"]),
        ({"Things": []}, {"Things": [{"Name": "a"}]}, [".Things[]"]),
        ({"Text": '{"a": 1, "b": 2}'}, {"Text": '{"b":2,"a":1}'}, []),
        ({"Created": 1795914688.4}, {"Created": 1795914688.9}, []),
        ({"Created": "1795914688"}, {"Created": "1795914988"}, [".Created"]),
        ({"NextToken": "x"}, {"NextToken": "y"}, []),
        ({"Id": "a"}, "refused: NotFound", [""]),
    ],
)  # fmt: skip
def test_what_differs_is_seen(before: Any, after: Any, expected: list[str]) -> None:
    assert [each.path for each in compared(before, after)] == expected


def test_elements_do_not_belong_together_by_what_is_excused() -> None:
    asked = Asked("logs", "FilterLogEvents", "{}")
    before = [{"eventId": "1", "stream": "a"}, {"eventId": "2", "stream": "b"}]
    swapped = [{"eventId": "2", "stream": "a"}, {"eventId": "1", "stream": "b"}]
    assert differences(State({asked: {"events": before}}), State({asked: {"events": swapped}})) == []
    lost = [{"eventId": "2", "stream": "a"}]
    assert [each.path for each in differences(State({asked: {"events": before}}), State({asked: {"events": lost}}))]


def test_what_an_emulator_lists_several_times_is_there_once() -> None:
    asked = Asked("dynamodb", "ListTagsOfResource", "{}")
    old, new = {"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}
    both, last, first, none = (State({asked: {"Tags": tags}}) for tags in ([old, new], [new], [old], []))
    assert differences(both, last) == []
    assert [each.path for each in differences(both, first)] == [".Tags[].Value"]
    assert [each.path for each in differences(both, none)] == [".Tags[]"]


def test_a_long_list_whose_times_differ_lacks_nothing() -> None:
    """Of more elements than are put together by likeness."""

    def things(time: str, changed: str = "") -> dict[str, Any]:
        made = [{"Id": f"snap-{number}", "Size": 15, "Started": time} for number in range(300)]
        return {"Things": made if not changed else [*made[:-1], {**made[-1], "Id": changed}]}

    before, after = things("2026-11-29T02:37:05"), things("2026-11-29T02:39:05")
    assert {each.path for each in compared(before, after)} == {".Things[].Started"}
    found = compared(before, things("2026-11-29T02:39:05", changed="snap-x"))
    assert {each.path for each in found} == {".Things[].Started", ".Things[].Id"} or len(found) == 301


def test_what_was_shown_is_asked_for() -> None:
    known = KnownValues()
    known.add_call({}, {"restApis": None, "items": [{"id": "r1", "name": "orders"}]})
    known.add_call({"restApiId": "r1", "parentId": "root", "pathPart": "x"}, {"id": "p1"})
    known.add_call({"restApiId": "r1"}, {"items": [{"id": "p1", "path": "/x"}]})
    reads = {each.operation: each for each in reads_of("apigateway")}
    assert {"restApiId": "r1"} in list(known.parameters(reads["GetResources"], 10))
    secrets = KnownValues()
    secrets.add_call({}, {"SecretList": [{"ARN": "arn:1", "Name": "n"}]})
    asked = list(
        secrets.parameters({each.operation: each for each in reads_of("secretsmanager")}["DescribeSecret"], 10)
    )
    assert {"SecretId": "arn:1"} in asked and {"SecretId": "n"} in asked


def test_what_nobody_was_shown_may_be_another_and_must_be_there() -> None:
    """Of a state that was read behind the back of clients."""
    asked = Asked("ec2", "DescribeRouteTables", "{}")
    shown = Shown(frozenset({"rtb-1", "10.0.0.0/16", "associated"}), "")

    def compared_as_shown(before: Any, after: Any) -> list[str]:
        states = [as_shown(State({asked: {"RouteTables": each}}), shown) for each in (before, after)]
        return [each.path for each in differences(*states)]

    def table(ident: str, **more: Any) -> dict[str, Any]:
        return {
            "RouteTableId": ident,
            "Associations": [{"AssociationId": f"a-{ident}", "State": {"State": "associated"}}],
            **more,
        }

    before = [table("rtb-1"), table("rtb-drawn")]
    assert compared_as_shown(before, [table("rtb-other"), table("rtb-1")]) == []
    assert compared_as_shown(before, [table("rtb-other"), table("rtb-other2")]) == [".RouteTables[].RouteTableId"]
    assert compared_as_shown(before, [table("rtb-1")]) == [".RouteTables[]"]
    assert compared_as_shown(before, [table("rtb-1"), table("rtb-2", Block="10.0.0.0/16")]) == [".RouteTables[].Block"]
    assert as_shown(State({Asked("ec2", "DescribeX", '{"Id": "rtb-drawn"}'): {}}), shown).answers == {}


def test_an_arn_that_nobody_was_shown_may_be_another_in_any_text() -> None:
    asked, shown = Asked("cloudwatch", "DescribeAlarms", "{}"), Shown(frozenset({"t"}), '["arn:aws:sns:r:1:t"]')

    def compared_as_shown(before: str, after: str) -> list[str]:
        alarms = [{"AlarmActions": [arn], "AlarmDescription": f"of {arn}, made"} for arn in (before, after)]
        states = [as_shown(State({asked: {"MetricAlarms": [each]}}), shown) for each in alarms]
        return [found.path for found in differences(*states)]

    assert compared_as_shown("arn:aws:x:r:1:policy:drawn", "arn:aws:x:r:1:policy:drawn2") == []
    assert compared_as_shown("arn:aws:sns:r:1:t", "arn:aws:sns:r:1:t2") != []


def test_a_task_is_missed_in_its_own_cluster_alone() -> None:
    """moto lists those of other clusters, too."""

    def missed(cluster: str) -> list[str]:
        asked = Asked("ecs", "ListTasks", f'{{"cluster": "{cluster}"}}')
        states = [State({asked: {"taskArns": each}}) for each in (["arn:aws:ecs:r:1:task/a1/x"], [])]
        return [found.path for found in differences(*states)]

    assert missed("a") == missed("arn:aws:ecs:r:1:cluster/a") == []
    assert missed("a1") == missed("arn:aws:ecs:r:1:cluster/a1") == [".taskArns[]"]


def test_of_what_was_deleted_by_a_drawn_identifier_nothing_need_be_shown() -> None:
    world = World(lambda service: None, ["shop"])
    zone, kept = {"HostedZone": {"Id": "/hostedzone/Z1", "Name": "shop."}}, {"HostedZone": {"Id": "/hostedzone/Z2"}}
    for operation, params, answer in (
        ("CreateHostedZone", {"Name": "shop"}, zone),
        ("CreateHostedZone", {"Name": "other"}, kept),
        ("ListTagsForResource", {"ResourceId": "Z1"}, {"ResourceTagSet": {"ResourceId": "Z1"}}),
        ("DeleteHostedZone", {"Id": "Z1"}, {"ChangeInfo": {"Id": "C1"}}),
    ):
        world.calls.append(("route53", params, answer))
        world.trail.append(f"route53:{operation} {params}")
    assert world.ended() == {"Z1"}
    world.calls.append(("secretsmanager", {"SecretId": "shop"}, {"Name": "shop"}))
    world.trail.append("secretsmanager:DeleteSecret {}")
    assert world.ended() == {"Z1"}
