"""Records that were sent without a time keep the moment of their call, in every protocol."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from replay_proxy.exchange import Answer, CallHead, Headers
from replay_proxy.replay.execution.implied_times import has_implied_times, notes_of_time, with_implied_times
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.codecs.parameters import parse_parameters

SENT = "2026-01-31T12:00:01.250000Z"
MOMENT = datetime(2026, 1, 31, 12, 0, 1, 250_000, tzinfo=UTC)
OWN = datetime(2026, 1, 30, tzinfo=UTC)


def filled(head: CallHead, parameters: dict[str, Any], took_ms: float = 0.0) -> dict[str, Any]:
    request = build_request(head, parameters, "localhost")
    result = with_implied_times(request, head, parse_parameters(head, request), SENT, took_ms)
    assert result.headers.get("content-length") == str(len(result.body))  # type: ignore[arg-type]
    return parse_parameters(head, result)


@pytest.mark.parametrize("protocol", ["query", "json", "smithy-rpc-v2-cbor"])
def test_a_metric_without_a_time_gets_that_of_its_call(protocol: str) -> None:
    head = CallHead("cloudwatch", "PutMetricData", protocol, region="us-east-1")
    data = [
        {"MetricName": "none", "Value": 1.5, "Dimensions": [{"Name": "n", "Value": "v"}]},
        {"MetricName": "own", "Value": 2.0, "Timestamp": OWN},
        {"MetricName": "set", "StatisticValues": {"SampleCount": 2.0, "Sum": 3.0, "Minimum": 1.0, "Maximum": 2.0}},
    ]
    nested = [{"Entity": {"KeyAttributes": {"Type": "Service"}}, "MetricData": [{"MetricName": "inner", "Value": 1.0}]}]
    seen = filled(head, {"Namespace": "app", "MetricData": data, "EntityMetricData": nested})
    times = [each["Timestamp"].replace(microsecond=0) for each in seen["MetricData"]]
    assert times == [MOMENT.replace(microsecond=0), OWN, MOMENT.replace(microsecond=0)]
    assert seen["EntityMetricData"][0]["MetricData"][0]["Timestamp"].replace(microsecond=0) == times[0]
    for each in seen["MetricData"]:
        del each["Timestamp"]
    data[1].pop("Timestamp")
    assert (seen["Namespace"], seen["MetricData"]) == ("app", data)


def test_a_call_that_took_long_was_of_its_end() -> None:
    """The first call of a service makes an emulator load what it needs, and then look at its clock."""
    head = CallHead("cloudwatch", "PutMetricData", "json", region="us-east-1")
    seen = filled(head, {"Namespace": "app", "MetricData": [{"MetricName": "none", "Value": 1.5}]}, 3_000.0)
    assert (seen["MetricData"][0]["Timestamp"] - MOMENT).total_seconds() == pytest.approx(3, abs=0.5)


@pytest.mark.parametrize(
    ("answered", "took_ms", "second"),
    [
        ("Sat, 31 Jan 2026 12:00:01 GMT", 900.0, 1),  # it was answered before the end of the second, and came after it
        ("Sat, 31 Jan 2026 12:00:02 GMT", 900.0, 2),
        ("Sat, 31 Jan 2026 12:00:31 GMT", 900.0, 31),  # the emulator's clock is another one
    ],
)
def test_the_second_is_that_of_the_emulator(answered: str, took_ms: float, second: int) -> None:
    head = CallHead("cloudwatch", "PutMetricData", "json", region="us-east-1")
    parameters = {"Namespace": "app", "MetricData": [{"MetricName": "none", "Value": 1.5}]}
    request = build_request(head, parameters, "localhost")
    result = with_implied_times(request, head, parse_parameters(head, request), SENT, took_ms, answered)
    [seen] = parse_parameters(head, result)["MetricData"]
    assert seen["Timestamp"].replace(microsecond=0) == MOMENT.replace(second=second, microsecond=0)


@pytest.mark.parametrize("answered", ["", "yesterday", "Sat, 31 Jan 2026 12:00:01"])
def test_a_date_that_says_nothing_leaves_the_time_of_the_call(answered: str) -> None:
    head = CallHead("events", "PutEvents", "json", region="us-east-1")
    request = build_request(head, {"Entries": [{"Source": "a"}]}, "localhost")
    result = with_implied_times(request, head, parse_parameters(head, request), SENT, 0.0, answered)
    assert parse_parameters(head, result)["Entries"][0]["Time"] == MOMENT


def test_when_the_emulator_answered_is_noted() -> None:
    assert notes_of_time(Answer(200, Headers([]))) == {}
    assert notes_of_time(Answer(200, Headers([("Date", "d")]))) == {"answered": "d"}


def test_so_does_an_event() -> None:
    head = CallHead("events", "PutEvents", "json", region="us-east-1")
    (seen,) = filled(head, {"Entries": [{"Source": "a", "DetailType": "b", "Detail": "{}"}]})["Entries"]
    assert seen == {"Source": "a", "DetailType": "b", "Detail": "{}", "Time": MOMENT}


@pytest.mark.parametrize("time", ["", "no time", "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none_fills_in_nothing(time: str) -> None:
    head = CallHead("events", "PutEvents", "json", region="us-east-1")
    request = build_request(head, {"Entries": [{"Source": "a"}]}, "localhost")
    assert with_implied_times(request, head, parse_parameters(head, request), time) is request


def test_what_has_its_times_stays_the_same() -> None:
    head = CallHead("events", "PutEvents", "json", region="us-east-1")
    request = build_request(head, {"Entries": [{"Source": "a", "Time": OWN}]}, "localhost")
    assert with_implied_times(request, head, parse_parameters(head, request), SENT) is request
    assert not has_implied_times(CallHead("s3", "PutObject", "rest-xml", region="us-east-1"))
