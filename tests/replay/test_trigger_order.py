"""Data comes before the triggers that it would set off, whatever was recorded between them, though all names are alike."""

from __future__ import annotations

from random import Random

import pytest

import tests.support.scenarios  # noqa: F401 - the steps of all services
from replay_proxy.replay.ordering.dependency_graph import DependencyGraph
from replay_proxy.replay.ordering.footprint import Footprint, Footprints
from replay_proxy.replay.ordering.order_table import is_ending
from replay_proxy.replay.planning.partial_plans import _in_order
from replay_proxy.replay.planning.plan import plan_of_records
from replay_proxy.replay.recorded_call import Call, call_of
from tests.replay.lab import Lab
from tests.support.processes import amount
from tests.support.scenarios.world import FURTHER, STEPS, World

pytestmark = pytest.mark.emulator

SERVICES = ("sqs", "sns", "s3", "dynamodb", "events", "lambda", "logs", "ec2", "cloudformation", "iam")
STEPS_COUNT = 60


@pytest.mark.parametrize("name", ["1", "us-east-1"])
@pytest.mark.parametrize("with_endings", [False, True])
def test_no_data_comes_behind_a_trigger_that_is_there_when_it_is_written(
    lab: Lab, name: str, with_endings: bool
) -> None:
    """But for data that was recorded after an ending: what the trigger watches, or tells, may be another one by then."""
    if lab.emulator.name != "moto":
        pytest.skip("the order is not the emulator's")
    for seed in range(amount(1, 20)):
        lab.begin()
        play(lab, name, Random(seed), with_endings=with_endings)
        graph = plan_of_records(lab.records).graph
        calls, footprints = touched(lab, graph)
        triggers = [seq for seq, each in footprints.items() if each.trigger]
        endings = [seq for seq, call in calls.items() if is_ending(call.operation)]
        behind = [
            (calls[trigger].operation, calls[seq].operation)
            for trigger in triggers
            for seq in set(wholes_in(footprints, footprints[trigger])) - graph.closure([trigger])
            if not any(trigger < ending < seq for ending in endings)
        ]
        assert behind == []
        assert triggers
        in_turn = list(_in_order(graph, graph.services.keys()))
        assert sorted(in_turn) == sorted(graph.order)
        places = {seq: place for place, seq in enumerate(in_turn)}
        assert all(places[other] < places[seq] for seq in in_turn for other in graph.predecessors(seq))


def play(lab: Lab, name: str, random: Random, *, with_endings: bool) -> None:
    world = World(lab.client, [name])
    steps = [each for service in SERVICES for each in (*STEPS[service], *FURTHER[service])]
    steps = [each for each in steps if with_endings or not each.ends]
    world.take(next(each for each in steps if each.name == "sns:filter_subscription"))
    for _ in range(STEPS_COUNT):
        world.take(random.choice(steps), (random.randrange(8), random.randrange(8), random.randrange(8)))


def touched(lab: Lab, graph: DependencyGraph) -> tuple[dict[int, Call], dict[int, Footprint]]:
    """The calls of a graph, and what each touches."""
    known, calls, found = Footprints(), dict[int, Call](), dict[int, Footprint]()
    for record in lab.records:
        if record.seq in graph:
            call = call_of(record, bytes)
            assert call is not None
            calls[record.seq], found[record.seq] = call, known.of(call)
    return calls, found


def wholes_in(footprints: dict[int, Footprint], trigger: Footprint) -> list[int]:
    """The data in what a trigger touches."""
    wholes = set(trigger.wholes)
    return [seq for seq, each in footprints.items() if each.data and not wholes.isdisjoint(each.wholes)]


def test_a_call_that_sets_a_trigger_draws_nothing_behind_it(lab: Lab) -> None:
    """The filter of a subscription names a topic, whose name is that of a queue, a bucket and whatever comes after."""
    sqs, sns, s3 = lab.client("sqs"), lab.client("sns"), lab.client("s3")
    url = sqs.create_queue(QueueName="same")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="same")["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    s3.create_bucket(Bucket="same")
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="same", NotificationConfiguration=told)
    for value in ("true", "false"):
        sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue=value
        )
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="same")
    s3.put_object(Bucket="same", Key="same", Body=b"1")
    sqs.send_message(QueueUrl=url, MessageBody="same")
    sns.unsubscribe(SubscriptionArn=subscription)
    graph = plan_of_records(lab.records, supersede=False).graph
    seqs: dict[str, list[int]] = {}
    for record in lab.records:
        assert record.head is not None
        seqs.setdefault(record.head.operation, []).append(record.seq)
    triggers = {seqs["Subscribe"][0], seqs["PutBucketNotificationConfiguration"][0]}
    assert graph.late == {*triggers, *seqs["SetSubscriptionAttributes"], *seqs["Unsubscribe"]}
    assert seqs["PutObject"][0] in graph.closure([seqs["PutBucketNotificationConfiguration"][0]])
    assert seqs["SetSubscriptionAttributes"][0] in graph.closure([seqs["SetSubscriptionAttributes"][1]])
    assert seqs["SetSubscriptionAttributes"][1] in graph.closure(seqs["Unsubscribe"])
