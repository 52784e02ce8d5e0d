"""Original times: recognised in every form, replaced beside the names of what was restored, and nowhere else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.body.body_values import body_values
from replay_proxy.identifiers.rewriting.times.rewrite import Moment, Pair, Times, object_name, shows_times
from replay_proxy.identifiers.rewriting.times.time_owners import copy_name, part_name
from replay_proxy.identifiers.rewriting.times.time_places import TimePlace, names_within
from replay_proxy.identifiers.rewriting.times.time_texts import format_like, parse_time

BEGUN, ENDED = 1_795_000_000.25, 1_795_000_002.5
FIRST = 1_700_000_000.125
DAY_S = 86_400
MOMENT = Moment(FIRST, BEGUN, ENDED, creates=True)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
XML = {"Content-Type": "text/xml"}

_SECONDS = st.floats(1_000_000_000, 4_000_000_000, allow_nan=False)


def head(service: str, operation: str, protocol: str) -> CallHead:
    return CallHead(service, operation, protocol, account="000000000000", region="us-east-1")


ROLES = head("iam", "ListRoles", "query")
PARAMETER = head("ssm", "GetParameter", "json")
OBJECT = head("s3", "HeadObject", "rest-xml")
OBJECTS = head("s3", "ListObjectsV2", "rest-xml")
MESSAGES = head("sqs", "ReceiveMessage", "json")


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def http(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


def answer(document: Any, **headers: str) -> Answer:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    pairs = [("Content-Length", str(len(body))), *headers.items()]
    return Answer(200, Headers(pairs), body)


def request(target: str = "/", body: bytes = b"", **headers: str) -> Request:
    return Request("GET" if not body else "POST", target, Headers([("Host", "h"), *headers.items()]), body)


def shown(times: Times, call: CallHead, document: Any) -> Any:
    given_ = answer(document)
    found = times.answer_to_client(given_, call, request(body=b"{}"))
    assert found.headers.get("content-length") == str(len(found.body))  # type: ignore[arg-type]
    return found.body


@pytest.mark.parametrize(
    ("at", "wanted"),
    [
        (iso(BEGUN), "2023-11-14T22:13:20Z"),
        ("2026-11-18T11:06:40.000Z", "2023-11-14T22:13:20.000Z"),
        ("2026-11-18T11:06:40.250000+00:00", "2023-11-14T22:13:20.125000+00:00"),
        ("2026-11-18T11:06:41.250+0000", "2023-11-14T22:13:20.125+0000"),
        ("2026-11-18T11:06:41", "2023-11-14T22:13:20"),
        ("2026-11-18 11:06:41", "2023-11-14 22:13:20"),
        (http(BEGUN), "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("1795000001", "1700000000"),
        ("1795000001.25", "1700000000.125"),
        ("1795000001.0", "1700000000.0"),
        ("1795000001250", "1700000000125"),
    ],
)
def test_a_time_keeps_its_form(at: str, wanted: str) -> None:
    times = Times()
    times.remember(PARAMETER, ["name"], MOMENT)
    body = {"Parameter": {"Name": "name", "LastModifiedDate": at}}
    assert orjson.loads(shown(times, PARAMETER, body)) == {"Parameter": {"Name": "name", "LastModifiedDate": wanted}}


@pytest.mark.parametrize("outside", [BEGUN - 1.5, ENDED + 1.5, FIRST, 0])
def test_another_moment_is_left_alone(outside: float) -> None:
    times = Times()
    times.remember(PARAMETER, ["name"], MOMENT)
    body = {"Parameter": {"Name": "name", "LastModifiedDate": outside}}
    assert shown(times, PARAMETER, body) == orjson.dumps(body)


def test_what_stands_beside_another_name_is_left_alone() -> None:
    times = Times()
    times.remember(PARAMETER, ["name"], MOMENT)
    body = {"Parameter": {"Name": "other", "LastModifiedDate": BEGUN}}
    assert shown(times, PARAMETER, body) == orjson.dumps(body)
    assert shown(times, head("secretsmanager", "DescribeSecret", "json"), {"Name": "name", "CreatedDate": BEGUN}) == (
        orjson.dumps({"Name": "name", "CreatedDate": BEGUN})
    )


def test_a_change_has_the_time_of_the_last_one_and_a_creation_its_own() -> None:
    times = Times()
    call = head("secretsmanager", "DescribeSecret", "json")
    times.remember(call, ["name"], MOMENT)
    times.remember(call, ["name"], Moment(FIRST + 60, BEGUN, ENDED, creates=False))
    body = {"Name": "name", "CreatedDate": 1795000001, "LastChangedDate": 1795000001}
    wanted = {"Name": "name", "CreatedDate": 1700000000, "LastChangedDate": 1700000060}
    assert orjson.loads(shown(times, call, body)) == wanted


def test_a_time_that_is_cut_to_milliseconds_lies_in_a_call_that_took_less() -> None:
    moment = Moment(100.0, 200.12345, 200.12395, creates=False, guessed=True)
    assert moment.surely_covers(200.123)
    assert not moment.surely_covers(200.122)
    assert not moment.surely_covers(200.12344), "it tells more than milliseconds"


def test_of_two_changes_an_exact_time_tells_which() -> None:
    times = Times()
    call = head("secretsmanager", "DescribeSecret", "json")
    times.remember(call, ["name"], Moment(FIRST, BEGUN, BEGUN + 0.5, creates=True))
    times.remember(call, ["name"], Moment(FIRST + 60, BEGUN + 0.625, ENDED, creates=False))
    for at, wanted in ((BEGUN + 0.25, FIRST), (BEGUN + 0.875, FIRST + 60)):
        body = {"Name": "name", "LastChangedDate": at}
        assert orjson.loads(shown(times, call, body))["LastChangedDate"] == pytest.approx(wanted, abs=0.1)


def test_what_was_asked_for_names_the_whole_and_not_what_is_listed_in_it() -> None:
    times = Times()
    events = head("logs", "GetLogEvents", "json")
    groups = head("logs", "DescribeLogGroups", "json")
    times.remember(groups, ["group"], MOMENT)
    body = {"events": [{"message": "x", "ingestionTime": 1795000001000}]}
    asked = request(body=b'{"logGroupName": "group"}')
    assert times.answer_to_client(answer(body), events, asked).body == orjson.dumps(body)
    queue = head("sqs", "GetQueueAttributes", "json")
    times.remember(queue, ["http://localhost:4566/000000000000/name"], MOMENT)
    asked = request(body=b'{"QueueUrl": "http://proxy:1/000000000000/name"}')
    found = times.answer_to_client(answer({"Attributes": {"CreatedTimestamp": "1795000001"}}), queue, asked)
    assert found.body == b'{"Attributes":{"CreatedTimestamp":"1700000000"}}'


def test_in_xml_each_entry_has_its_own() -> None:
    times = Times()
    times.remember(ROLES, ["a"], MOMENT)
    times.remember(ROLES, ["arn:aws:iam::000000000000:role/b"], Moment(FIRST + 10, BEGUN, ENDED, creates=True))
    entry = "<member><CreateDate>{}</CreateDate><RoleName>{}</RoleName></member>"
    text = "<R xmlns='x'><ListRolesResult><Roles>{}{}{}</Roles></ListRolesResult></R>"
    names = ("a", "b", "c")
    body = text.format(*(entry.format(iso(BEGUN), name) for name in names)).encode()
    wanted = [iso(FIRST), iso(FIRST + 10), iso(BEGUN)]
    found = shown(times, ROLES, body)
    assert found == text.format(*(entry.format(*pair) for pair in zip(wanted, names, strict=True))).encode()


def test_payload_is_left_alone() -> None:
    """The body of a message may say the very same thing."""
    times = Times()
    times.remember(MESSAGES, ["id"], MOMENT)
    own = json.dumps({"MessageId": "id", "LastModified": iso(BEGUN), "Timestamp": "1795000001000"})
    attributes = {"SentTimestamp": "1795000001000"}
    sent = {"Date": {"DataType": "String", "StringValue": iso(BEGUN)}}
    body = {"Messages": [{"MessageId": "id", "Body": own, "Attributes": attributes, "MessageAttributes": sent}]}
    found = orjson.loads(shown(times, MESSAGES, body))["Messages"][0]
    assert found["Attributes"] == {"SentTimestamp": "1700000000000"}
    assert (found["Body"], found["MessageAttributes"]) == (own, sent)


def test_objects_by_header_and_in_lists() -> None:
    times = Times()
    for name in (object_name("b", "a key"), object_name("b", "a key", "v")):
        times.remember(OBJECT, [name], MOMENT)
    at = answer(b"", **{"Last-Modified": http(BEGUN)})
    assert times.answer_to_client(at, OBJECT, request("/b/a%20key")).headers.get("last-modified") == http(FIRST)
    assert times.answer_to_client(at, OBJECT, request("/b/a%20key?versionId=v")).headers.get("last-modified") == http(
        FIRST
    )
    for other in ("/b/akey", "/c/a%20key", "/b/a%20key?versionId=w"):
        assert times.answer_to_client(at, OBJECT, request(other)) is at
    body = (
        b"<ListBucketResult><EncodingType>url</EncodingType><Name>b</Name><Contents><Key>a+key</Key><LastModified>"
        b"%s</LastModified></Contents></ListBucketResult>"
    )
    listed = times.answer_to_client(
        answer(body % iso(BEGUN).encode()), OBJECTS, request("/b?list-type=2&encoding-type=url")
    )
    assert listed.body == body % iso(FIRST).encode()


@pytest.mark.parametrize("name", ["If-Modified-Since", "if-unmodified-since"])
def test_a_condition_is_turned_round(name: str) -> None:
    times = Times()
    times.remember(OBJECT, [object_name("b", "k")], MOMENT)

    def asked(at: float) -> str:
        return times.request_to_emulator(request("/b/k", **{name: http(at)}), OBJECT).headers.get(name.lower())

    assert asked(FIRST) == asked(FIRST + 3600) == http(ENDED)
    for other in (FIRST - 10, ENDED + 10):
        assert asked(other) == http(other)
    put = head("s3", "PutObject", "rest-xml")
    times.forget_changed(put, Request("PUT", "/b/k", Headers([("Host", "h")]), b"x"))
    assert asked(FIRST) == http(FIRST)


def test_calls_that_show_no_times_are_not_looked_at() -> None:
    assert shows_times(OBJECT)
    assert shows_times(ROLES)
    assert shows_times(MESSAGES)
    assert shows_times(head("sqs", "GetQueueAttributes", "json"))
    assert not shows_times(head("dynamodb", "GetItem", "json"))
    assert not shows_times(head("sqs", "SendMessage", "json"))
    assert not shows_times(head("unknown", "Unknown", "json"))


@given(_SECONDS, st.floats(0, 10_000_000), st.floats(0, 1), st.sampled_from(["iso", "http", "epoch", "ms"]))
def test_no_time_of_a_restore_is_overlooked(begun: float, length: float, share: float, form: str) -> None:
    times = Times()
    times.remember(OBJECT, ["x"], Moment(FIRST, begun, begun + length, creates=True))
    at = begun + length * share
    text = {"iso": iso, "http": http, "epoch": lambda each: str(int(each)), "ms": lambda each: str(int(each * 1000))}
    assert times.may_change_answer(OBJECT, text[form](at).encode())


@given(st.lists(st.tuples(st.text(max_size=4), st.lists(st.tuples(_SECONDS, _SECONDS, st.booleans())))))
def test_what_is_kept_comes_back(noted: list[tuple[str, list[tuple[float, float, bool]]]]) -> None:
    times = Times()
    for name, moments in noted:
        for original, begun, creates in moments:
            times.remember(OBJECT, [name], Moment(original, begun, begun + 1, creates))
    again = Times.of_listing(orjson.loads(orjson.dumps(times.listing())))
    assert again.listing() == times.listing()
    assert len(again) == len(times)


SECRET = head("secretsmanager", "DescribeSecret", "json")
ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:name-AbCdEf"


def test_a_change_counts_under_the_other_names_of_the_thing() -> None:
    times = Times()
    times.remember(SECRET, ["name", ARN], MOMENT)
    times.remember(SECRET, ["name"], Moment(FIRST + 60, BEGUN, ENDED, creates=False))
    body = {"ARN": ARN, "Name": "name", "CreatedDate": 1795000001, "LastChangedDate": 1795000001}
    shown_ = orjson.loads(shown(times, SECRET, body))
    assert (shown_["CreatedDate"], shown_["LastChangedDate"]) == (1700000000, 1700000060)


@pytest.mark.parametrize("at", [1_795_000_001, 1_795_000_001.75])
def test_a_child_that_names_its_parent_has_its_own_time(at: float) -> None:
    times = Times()
    call = head("eks", "DescribeNodegroup", "rest-json")
    times.remember(call, ["parent"], Moment(FIRST, BEGUN, BEGUN + 0.75, creates=True))
    times.remember(call, ["child"], Moment(FIRST + 60, BEGUN + 0.8, ENDED, creates=True))
    for names in (
        {"clusterName": "parent", "nodegroupName": "child"},
        {"nodegroupName": "child", "clusterName": "parent"},
    ):
        body = orjson.loads(shown(times, call, {"nodegroup": {**names, "createdAt": at}}))
        assert body["nodegroup"]["createdAt"] == pytest.approx(FIRST + 60, abs=1)


def test_what_refers_to_something_newer_has_its_own_time() -> None:
    times = Times()
    call = head("iam", "GetPolicy", "query")
    arn = "arn:aws:iam::000000000000:policy/of-me"
    times.remember(call, ["of-me", "ANPA1", arn], Moment(FIRST, BEGUN, ENDED, creates=True))
    times.remember(call, ["v2"], Moment(FIRST + 60, BEGUN, ENDED, creates=True))
    times.remember(call, [arn], Moment(FIRST + 60, BEGUN, ENDED, creates=False))
    body: dict[str, Any] = {
        "Policy": {"PolicyName": "of-me", "Arn": arn, "DefaultVersionId": "v2", "CreateDate": 1_795_000_001}
    }
    body["Policy"]["UpdateDate"] = 1_795_000_001
    policy = orjson.loads(shown(times, call, body))["Policy"]
    assert (policy["CreateDate"], policy["UpdateDate"]) == (1_700_000_000, 1_700_000_060)


@pytest.mark.parametrize("hours", [1, 24 * 7, 24 * 365, -24])
@pytest.mark.parametrize("form", [lambda at: at, iso])
def test_a_date_that_is_reckoned_keeps_its_distance(hours: int, form: Any) -> None:
    times = Times()
    call = head("iot", "DescribeCertificate", "rest-json")
    times.remember(call, ["cert"], Moment(1_700_000_000.0, BEGUN, ENDED, creates=True))
    body = {
        "certificateDescription": {
            "certificateId": "cert",
            "validity": {"notAfter": form(1_795_000_001 + hours * 3600)},
        }
    }
    wanted = form(1_700_000_000 + hours * 3600)
    assert times.may_change_answer(call, orjson.dumps(body))

    def shown_at(now: float) -> Any:
        found = times.answer_to_client(answer(body, Date=http(now)), call, request(body=b"{}")).body
        assert isinstance(found, bytes)
        return orjson.loads(found)["certificateDescription"]["validity"]["notAfter"]

    assert shown_at(ENDED + 60) == wanted
    if hours > 0:  # by then it may be when something happened
        assert shown_at(ENDED + hours * 3600 + 60) == form(1_795_000_001 + hours * 3600)


def test_a_date_that_a_client_has_set_is_left_alone() -> None:
    times = Times()
    times.remember(SECRET, ["name"], MOMENT)
    body = {"Name": "name", "DeletedDate": 1_795_000_001 + 3600 * 24 + 1234}
    assert orjson.loads(shown(times, SECRET, body)) == body


def test_a_pair_says_it_exactly_in_its_member_and_in_others() -> None:
    times = Times()
    times.pair(SECRET, ["name"], Pair("deletiondate", 1_795_600_000.25, 1_700_600_000.5))
    body = {"Name": "name", "DeletedDate": 1_795_600_000.25, "CreatedDate": 1_795_600_900}
    wanted = {"Name": "name", "DeletedDate": 1_700_600_000.5, "CreatedDate": 1_795_600_900}
    assert orjson.loads(shown(times, SECRET, body)) == pytest.approx(wanted)
    assert orjson.loads(shown(times, SECRET, {**body, "Name": "other"})) == {**body, "Name": "other"}
    again = Times.of_listing(orjson.loads(orjson.dumps(times.listing())))
    assert orjson.loads(shown(again, SECRET, body)) == pytest.approx(wanted)


def test_of_a_change_the_call_tells_more_than_a_read_of_another_moment() -> None:
    times = Times()
    call = head("cloudformation", "DescribeStackResource", "query")
    times.remember(call, ["Queue"], Moment(FIRST, BEGUN, ENDED, creates=True))
    times.pair(call, ["Queue"], Pair("lastupdatedtimestamp", BEGUN + 0.5, FIRST + 4.5))
    body = b"<R><D><LogicalResourceId>Queue</LogicalResourceId><LastUpdatedTimestamp>%s</LastUpdatedTimestamp></D></R>"
    for at, wanted in (
        ("2026-11-18T11:06:40.750Z", "2023-11-14T22:13:24.625Z"),  # of that moment
        ("2026-11-18T11:06:41.500Z", "2023-11-14T22:13:20.125Z"),
        ("2026-11-18T11:06:41Z", "2023-11-14T22:13:20Z"),
    ):
        assert shown(times, call, body % at.encode()) == body % wanted.encode()


def test_of_a_name_that_many_share_no_pair_is_taken() -> None:
    times = Times()
    call = head("ec2", "DescribeSnapshots", "ec2")
    for number in range(200):
        times.pair(call, [f"snap-{number}", "vol-of-all"], Pair("starttime", BEGUN + number, FIRST + number))
    body = {"snapshotSet": [{"snapshotId": "snap-150", "volumeId": "vol-of-all", "startTime": iso(BEGUN + 150)}]}
    assert orjson.loads(shown(times, call, body))["snapshotSet"][0]["startTime"] == iso(FIRST + 150)
    assert len(times.listing()["ec2/000000000000/us-east-1/vol-of-all"]) < 50


def test_records_are_asked_for_from_the_time_that_clients_know() -> None:
    times = Times()
    call = head("kinesis", "GetShardIterator", "json")
    for number in range(3):
        at = BEGUN + number * 0.5
        times.remember(call, ["s\0records"], Moment(FIRST + number * 60, at, at + 0.25, creates=True))

    def asked(at: float) -> float:
        body = {"StreamName": "s", "ShardId": "x", "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": at}
        fields = {"Content-Type": "application/x-amz-json-1.1"}
        made = request(body=orjson.dumps(body), **fields)
        assert times.may_change_request(b"POST / " + orjson.dumps(body))
        changed = times.request_to_emulator(made, call).body
        assert isinstance(changed, bytes)
        return float(orjson.loads(changed)["Timestamp"])

    assert asked(FIRST - 5) == pytest.approx(BEGUN, abs=0.01)
    assert asked(FIRST + 30) == pytest.approx(BEGUN + 0.5, abs=0.01)
    assert asked(FIRST + 500) == pytest.approx(BEGUN + 1.25, abs=0.01)
    assert asked(ENDED + 500) == ENDED + 500


def test_events_of_a_log_stream_have_the_time_of_their_call() -> None:
    times = Times()
    call = head("logs", "GetLogEvents", "json")
    times.remember(call, ["/g\0st"], Moment(FIRST, BEGUN, BEGUN + 0.5, creates=True))
    times.remember(call, ["/g\0st"], Moment(FIRST + 60, BEGUN + 0.625, ENDED, creates=True))
    body = {"events": [{"message": "x", "timestamp": 5, "ingestionTime": int((BEGUN + 0.875) * 1000)}]}
    asked = request(body=b'{"logGroupName": "/g", "logStreamName": "st"}')
    found = times.answer_to_client(answer(body), call, asked).body
    assert isinstance(found, bytes)
    assert orjson.loads(found)["events"][0]["ingestionTime"] == int((FIRST + 60) * 1000)


def made(operation: str, minute: int, *, creates: bool = True) -> Moment:
    """A call of the restore, `minute` minutes after the first one; all of them in the same second."""
    return Moment(FIRST + 60 * minute, BEGUN, BEGUN + 0.5, creates, operation=operation)


@pytest.mark.parametrize(
    ("call", "document", "minute"),
    [
        (("glue", "GetJob"), {"Job": {"Name": "same", "CreatedOn": 1795000000}}, 1),
        (("glue", "GetJobs"), {"Jobs": [{"Name": "same", "CreatedOn": 1795000000}]}, 1),
        (("glue", "GetCrawlers"), {"Crawlers": [{"Name": "same", "CreationTime": 1795000000}]}, 2),
        (("glue", "GetCrawler"), {"Crawler": {"Name": "same", "LastUpdated": 1795000000}}, 4),
        (("glue", "GetJob"), {"Job": {"Name": "same", "LastModifiedOn": 1795000000}}, 1),
        (("glue", "GetDatabase"), {"Database": {"Name": "same", "CreateTime": 1795000000}}, 0),
    ],
)
def test_things_of_one_name_have_each_its_own_time(call: tuple[str, str], document: Any, minute: int) -> None:
    times = Times()
    for number, operation in enumerate(("CreateDatabase", "CreateJob", "CreateCrawler", "CreateTrigger")):
        times.remember(head("glue", operation, "json"), ["same"], made(operation, number))
    times.remember(head("glue", "UpdateCrawler", "json"), ["same"], made("UpdateCrawler", 4, creates=False))
    of_restore = json.dumps(document).replace("1795000000", str(int(FIRST) + 60 * minute))
    assert orjson.loads(shown(times, head(*call, "json"), document)) == json.loads(of_restore)


def test_what_a_change_answers_with_has_the_time_of_the_change() -> None:
    times = Times()
    times.remember(head("ec2", "CreateVolume", "ec2"), ["vol-1"], made("CreateVolume", 0))
    times.remember(head("ec2", "ModifyVolume", "ec2"), ["vol-1"], made("ModifyVolume", 1, creates=False))
    body = (
        b'<R xmlns="x"><volumeModificationSet><item><volumeId>vol-1</volumeId><startTime>%s</startTime></item>'
        b"</volumeModificationSet></R>"
    )
    call = head("ec2", "DescribeVolumesModifications", "ec2")
    assert shown(times, call, body % iso(BEGUN).encode()) == body % iso(FIRST + 60).encode()


@pytest.mark.parametrize(("before_end", "shown_before_end"), [(0.0625, 0.0625), (1.25, 1.25), (2.25, 2.0)])
def test_of_a_call_that_took_long_the_end_tells_when_it_made_something(
    before_end: float, shown_before_end: float
) -> None:
    """A stack is there before what is in it, and after what the emulator loads first; never before its call."""
    times = Times()
    call = head("cloudformation", "DescribeStacks", "query")
    moment = Moment(FIRST, ENDED - 3, ENDED, creates=True, guessed=True, operation="CreateStack", took=2.0)
    times.remember(call, ["stack"], moment)
    body = b"<R><StackName>stack</StackName><CreationTime>%s</CreationTime></R>"

    def at(seconds: float) -> bytes:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()

    assert shown(times, call, body % at(ENDED - before_end)) == body % at(FIRST - shown_before_end)


def test_what_is_put_was_made_by_that_and_a_setting_is_no_creation() -> None:
    times = Times()
    filters, queue = head("logs", "DescribeMetricFilters", "json"), head("sqs", "GetQueueAttributes", "json")
    times.remember(filters, ["same"], made("CreateLogGroup", 0))
    times.remember(filters, ["same"], made("PutMetricFilter", 1, creates=False))
    body = {"metricFilters": [{"filterName": "same", "logGroupName": "same", "creationTime": 1795000000250}]}
    found = orjson.loads(shown(times, filters, body))["metricFilters"][0]["creationTime"]
    assert found == pytest.approx((FIRST + 60) * 1000, abs=500)
    times.remember(queue, ["same"], made("CreateQueue", 0))
    times.remember(queue, ["same"], made("SetQueueAttributes", 1, creates=False))
    asked = request(body=b'{"QueueUrl": "http://proxy:1/000000000000/same"}')
    attributes = {"CreatedTimestamp": "1795000000", "LastModifiedTimestamp": "1795000000"}
    answered = times.answer_to_client(answer({"Attributes": attributes}), queue, asked).body
    assert isinstance(answered, bytes)
    wanted = {"CreatedTimestamp": str(int(FIRST)), "LastModifiedTimestamp": str(int(FIRST) + 60)}
    assert orjson.loads(answered)["Attributes"] == wanted


def test_a_member_that_names_another_kind_names_nothing_of_this_one() -> None:
    times = Times()
    call = head("apigateway", "GetStages", "rest-json")
    times.remember(call, ["dep1"], made("CreateDeployment", 0))
    times.remember(call, ["same"], made("CreateUsagePlan", 1))
    stage = {"deploymentId": "dep1", "stageName": "same", "createdDate": 1795000000, "lastUpdatedDate": 1795000000}
    found = orjson.loads(shown(times, call, {"item": [stage]}))["item"][0]
    assert (found["createdDate"], found["lastUpdatedDate"]) == (int(FIRST), int(FIRST))


def test_a_pair_of_what_something_refers_to_is_not_its_own() -> None:
    times = Times()
    call = head("servicediscovery", "GetService", "json")
    times.pair(call, ["ns-1"], Pair("createdate", 1_795_000_000, FIRST - 600))
    times.remember(call, ["srv-1", "same"], made("CreateService", 0))
    service = {"Id": "srv-1", "Name": "same", "NamespaceId": "ns-1", "CreateDate": 1795000000}
    assert orjson.loads(shown(times, call, {"Service": service}))["Service"]["CreateDate"] == int(FIRST)
    namespace = {"Namespace": {"Id": "ns-1", "CreateDate": 1795000000}}
    found = orjson.loads(shown(times, head("servicediscovery", "GetNamespace", "json"), namespace))
    assert found["Namespace"]["CreateDate"] == int(FIRST) - 600


def test_a_pair_of_another_thing_of_the_same_name_is_not_its_own() -> None:
    times = Times()
    call = head("apigateway", "GetStages", "rest-json")
    times.pair(call, ["same"], Pair("createddate", 1_795_000_000, FIRST - 600, "restapi"))
    times.remember(call, ["dep1"], made("CreateDeployment", 0))
    stage = {"deploymentId": "dep1", "stageName": "same", "createdDate": 1795000000}
    assert orjson.loads(shown(times, call, {"item": [stage]}))["item"][0]["createdDate"] == int(FIRST)
    apis = {"item": [{"name": "same", "createdDate": 1795000000}]}
    found = orjson.loads(shown(times, head("apigateway", "GetRestApis", "rest-json"), apis))
    assert found["item"][0]["createdDate"] == int(FIRST) - 600


def test_a_part_without_a_name_has_its_own_time_and_is_no_change_of_the_whole() -> None:
    times = Times()
    table, parts = head("glue", "GetTable", "json"), head("glue", "GetPartitions", "json")
    times.remember(table, ["same"], made("CreateTable", 0))
    part = Moment(FIRST + 60, BEGUN, BEGUN + 0.5, creates=True, operation="CreatePartition", of_part=True)
    times.remember(table, ["same"], part)
    body = {"Partitions": [{"TableName": "same", "Values": ["x"], "CreationTime": 1795000000}]}
    assert orjson.loads(shown(times, parts, body))["Partitions"][0]["CreationTime"] == int(FIRST) + 60
    whole = {"Table": {"Name": "same", "CreateTime": 1795000000, "UpdateTime": 1795000000}}
    found = orjson.loads(shown(times, table, whole))["Table"]
    assert (found["CreateTime"], found["UpdateTime"]) == (int(FIRST), int(FIRST))
    again = Times.of_listing(orjson.loads(orjson.dumps(times.listing())))
    assert orjson.loads(shown(again, parts, body))["Partitions"][0]["CreationTime"] == int(FIRST) + 60


def test_of_the_parts_of_one_name_no_more_are_remembered_than_can_be_looked_through() -> None:
    times = Times()
    table = head("glue", "GetTable", "json")
    for number in range(1000):
        at = BEGUN + number
        times.remember(table, ["same"], Moment(FIRST, at, at, creates=True, operation="CreatePartition", of_part=True))
    times.remember(table, ["same"], made("CreateTable", 0))
    assert len(times.listing()["glue/000000000000/us-east-1/same"]) < 100
    whole = {"Table": {"Name": "same", "CreateTime": 1795000000}}
    assert orjson.loads(shown(times, table, whole))["Table"]["CreateTime"] == int(FIRST)


def test_a_new_version_of_a_value_was_made_by_what_put_it() -> None:
    times = Times()
    times.remember(SECRET, ["name"], made("CreateSecret", 0))
    times.remember(SECRET, ["name"], made("PutSecretValue", 1, creates=False))
    value = head("secretsmanager", "GetSecretValue", "json")
    assert (
        orjson.loads(shown(times, value, {"Name": "name", "CreatedDate": 1795000000}))["CreatedDate"] == FIRST // 1 + 60
    )
    assert orjson.loads(shown(times, SECRET, {"Name": "name", "CreatedDate": 1795000000}))["CreatedDate"] == FIRST // 1
    # The first version has an id of its own, which nothing but the creation showed.
    times.remember(SECRET, ["name"], made("CreateSecret", 0), ["v-1"])
    first = {"Name": "name", "VersionId": "v-1", "CreatedDate": 1795000000}
    assert orjson.loads(shown(times, value, first))["CreatedDate"] == FIRST // 1


def test_what_a_call_makes_beside_the_thing_it_is_called_after_has_its_time() -> None:
    """The volume of an instance is in the answer to `RunInstances`, and in none of its parameters."""
    place = TimePlace("ec2", "DescribeVolumes", "createTime", ("item", "volumeSet"))
    assert place.can_name("volumeId", "RunInstances")
    assert not place.can_name("networkInterfaceId", "RunInstances"), "which may be one that was there"
    times = Times()
    times.remember(head("ec2", "RunInstances", "ec2"), ["i-1"], made("RunInstances", 1), ["vol-1"])
    volume = f"<item><volumeId>vol-1</volumeId><createTime>{iso(BEGUN)}</createTime></item>"
    body = f"<R><volumeSet>{volume}</volumeSet></R>".encode()
    asked = request(body=b"Action=DescribeVolumes", **FORM)
    found = times.answer_to_client(answer(body, **XML), head("ec2", "DescribeVolumes", "ec2"), asked).body
    assert found == body.replace(iso(BEGUN).encode(), iso(FIRST + 60).encode())


def test_parts_and_restored_copies_of_an_object_have_their_own_times() -> None:
    """moto shows with a part when that was uploaded, and with an object out of the archive until when it is restored."""
    times = Times()
    times.remember(OBJECT, [object_name("b", "k")], made("CompleteMultipartUpload", 9))
    for number in (1, 2):
        times.remember(OBJECT, [part_name("b", "k", number)], made("UploadPart", number))
    times.remember(OBJECT, [copy_name("b", "k")], made("RestoreObject", 5))
    headers = {"Last-Modified": http(BEGUN), "Date": http(ENDED + 60)}
    restored = 'ongoing-request="false", expiry-date="{}"'
    headers["x-amz-restore"] = restored.format(http(BEGUN + DAY_S))
    for target, minute in (("/b/k?partNumber=2", 2), ("/b/k?partNumber=3", 9), ("/b/k", 9)):
        found = times.answer_to_client(answer(b"", **headers), OBJECT, request(target)).headers
        assert found.get("last-modified") == http(FIRST + 60 * minute)
        assert found.get("x-amz-restore") == restored.format(http(FIRST + 60 * 5 + DAY_S))
    listed = "<R>" + "".join(
        f"<Part><PartNumber>{number}</PartNumber><LastModified>{iso(BEGUN)}</LastModified></Part>" for number in (1, 2)
    )
    parts = answer(f"{listed}</R>".encode(), **XML)
    body = times.answer_to_client(parts, head("s3", "ListParts", "rest-xml"), request("/b/k?uploadId=u")).body
    assert isinstance(body, bytes)
    assert re.findall(r"<LastModified>([^<]*)", body.decode()) == [iso(FIRST + 60 * number) for number in (1, 2)]


@pytest.mark.parametrize("parent", ["v1", "v2", "other", "third"])
def test_children_of_one_name_have_each_its_own_time(parent: str) -> None:
    """Versions are unique within their policy only; one policy is called like a version."""
    times = Times()
    creating, adding = head("iam", "CreatePolicy", "query"), head("iam", "CreatePolicyVersion", "query")
    minutes = {"v1": 1, "v2": 2, "other": 3, "third": 4}
    for name, minute in minutes.items():
        times.remember(creating, [name, arn_of(name), f"ANPA{name}"], made("CreatePolicy", minute), inside=["v1"])
    for name, minute in minutes.items():
        version = replace(made("CreatePolicyVersion", minute * 10), within=(name,))
        times.remember(adding, [], version, ["v2"], inside=["v2"])
        times.remember(adding, [arn_of(name)], replace(version, creates=False, within=()))
    asked = request(body=f"Action=ListPolicyVersions&PolicyArn={arn_of(parent)}".encode(), **FORM)
    versions = "".join(
        f"<member><VersionId>{each}</VersionId><CreateDate>{iso(BEGUN)}</CreateDate></member>" for each in ("v1", "v2")
    )
    body = f"<R><ListPolicyVersionsResult><Versions>{versions}</Versions></ListPolicyVersionsResult></R>".encode()
    call = head("iam", "ListPolicyVersions", "query")
    for known in (times, Times.of_listing(orjson.loads(orjson.dumps(times.listing())))):
        found = known.answer_to_client(answer(body, **XML), call, asked).body
        assert isinstance(found, bytes)
        wanted = [iso(FIRST + 60 * minutes[parent] * often) for often in (1, 10)]
        assert re.findall(r"<CreateDate>([^<]*)", found.decode()) == wanted
    policy = f"<Arn>{arn_of(parent)}</Arn><DefaultVersionId>v2</DefaultVersionId><PolicyId>ANPA{parent}</PolicyId>"
    policy += f"<CreateDate>{iso(BEGUN)}</CreateDate><UpdateDate>{iso(BEGUN)}</UpdateDate>"
    body = f"<R><GetPolicyResult><Policy>{policy}</Policy></GetPolicyResult></R>".encode()
    asked = request(body=f"Action=GetPolicy&PolicyArn={arn_of(parent)}".encode(), **FORM)
    found = times.answer_to_client(answer(body, **XML), head("iam", "GetPolicy", "query"), asked).body
    assert isinstance(found, bytes)
    assert re.findall(r"Date>([^<]+)</", found.decode()) == wanted


def arn_of(policy: str) -> str:
    return f"arn:aws:iam::000000000000:policy/{policy}"


@pytest.mark.parametrize(
    ("operation", "member", "is_within"),
    [
        ("CreatePolicyVersion", "VersionId", True),
        ("CreatePolicy", "DefaultVersionId", True),
        ("CreatePolicy", "PolicyName", False),
        ("CreateRole", "RoleId", False),
        ("CreateUser", "UserName", False),
    ],
)
def test_which_names_are_unique_within_a_parent_only(operation: str, member: str, is_within: bool) -> None:
    assert names_within("iam", operation, member) is is_within


@pytest.mark.parametrize("micro", [0, 1, 274_854, 751_323, 999_999])
def test_a_microsecond_stays_what_it_is(micro: int) -> None:
    text = f"2026-11-29T09:28:59.{micro:06d}Z"
    seconds = parse_time(text)
    assert seconds is not None
    assert format_like(text, seconds) == text


def test_what_is_started_is_not_modified_and_tells_its_status() -> None:
    times = Times()
    call = head("config", "DescribeConfigurationRecorderStatus", "json")
    times.remember(call, ["same"], made("PutConfigurationRecorder", 0, creates=False))
    times.remember(call, ["same"], made("StartConfigurationRecorder", 1, creates=False))
    body = {"lastStartTime": 1795000000, "lastStatusChangeTime": 1795000000, "lastModified": 1795000000}
    document = {"ConfigurationRecordersStatus": [{"name": "same", **body}]}
    found = orjson.loads(shown(times, call, document))["ConfigurationRecordersStatus"][0]
    assert [found[member] - int(FIRST) for member in body] == [60, 60, 0]


_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(_DOCUMENTS, st.booleans())
def test_all_leaves_of_a_document_are_found_where_they_are(document: Any, indented: bool) -> None:
    body = orjson.dumps(document, option=orjson.OPT_INDENT_2 if indented else None)
    found = body_values(body, "json", lambda _name, _text: True)
    wanted: list[tuple[str, str]] = []

    def walk(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for member, below in value.items():
                walk(member, below)
        elif isinstance(value, list):
            for each in value:
                walk(name, each)
        else:
            wanted.append((name, value if isinstance(value, str) else orjson.dumps(value).decode()))

    walk("", document)
    assert [(leaf.name, leaf.text) for leaf in found] == wanted
    for leaf in found:
        quoted = body[leaf.start - 1 : leaf.end + 1]
        assert leaf.text in (body[leaf.start : leaf.end].decode(), orjson.loads(quoted) if quoted[:1] == b'"' else None)


@given(st.binary(max_size=60) | st.text(alphabet='{}[],:"<>/ab 1\\', max_size=40).map(str.encode))
def test_what_is_no_document_has_no_leaves_and_hurts_nobody(data: bytes) -> None:
    for body_format in ("json", "xml", "form"):
        for leaf in body_values(data, body_format, lambda _name, _text: True):  # type: ignore[arg-type]
            assert 0 <= leaf.start <= leaf.end <= len(data)


@pytest.mark.parametrize(
    ("like", "seconds", "shown"),
    [
        ("1795960583.23159", 1795960580.231593, "1795960580.231593"),
        ("1795960583.231593", 1795960580.23159, "1795960580.23159"),
        ("1795960583.23", 1795960580.231, "1795960580.231"),
        ("1795960583.231", 1795960580.0, "1795960580.0"),
        ("1795960583.0", 1795960580.231, "1795960580.0"),
        ("1795960583.230", 1795960580.231, "1795960580.231"),
        ("1795960583.2300", 1795960580.231, "1795960580.2310"),
    ],
)
def test_a_number_is_written_without_zeros_at_its_end(like: str, seconds: float, shown: str) -> None:
    """How many digits a number has says nothing of how exact the next one is: `.231590` is written `.23159`."""
    assert format_like(like, seconds) == shown


@pytest.mark.parametrize(
    ("like", "seconds", "shown"),
    [
        ("1795960583.0", 1795960580.578, "1795960580.578"),
        ("1795960583.0", 1795960580.57, "1795960580.57"),
        ("1795960583", 1795960580.578, "1795960580.578"),
        ("1795960583.0", 1795960580.578123, "1795960580.578123"),
        ("1795960583.0", 1795960580.0, "1795960580.0"),
        ("1795960583", 1795960580.0, "1795960580"),
        ("1795960583000", 1795960580.578, "1795960580578"),
        ("2026-11-29T09:56:23.000Z", 1795946180.578, "2026-11-29T09:56:20.578Z"),
        ("2026-11-29T09:56:23Z", 1795946180.578, "2026-11-29T09:56:20Z"),
    ],
)
def test_zeros_by_chance_are_no_form(like: str, seconds: float, shown: str) -> None:
    assert format_like(like, seconds, is_cut=False) == shown


RECORD = CallHead("dynamodbstreams", "GetRecords", "json", region="us-east-1")


@pytest.mark.parametrize("written", ["1795000001.0", "1795000001", "1795000001.57"])
def test_the_milliseconds_of_a_record_outlive_a_restart_in_which_it_was_made_in_a_whole_second(written: str) -> None:
    times = Times()
    times.pair(RECORD, ["event-7"], Pair("", float(written), 1700000000.578))
    body = f'{{"Records": [{{"eventID": "event-7", "dynamodb": {{"ApproximateCreationDateTime": {written}}}}}]}}'
    found = orjson.loads(times.answer_to_client(answer(body.encode()), RECORD, request(body=b"{}")).body)
    assert found["Records"][0]["dynamodb"]["ApproximateCreationDateTime"] == 1700000000.578


@pytest.mark.parametrize(
    ("took", "wanted"), [(0.004, 1700000000.123), (2.0, 1700000000.0)], ids=["in a short call", "in a long call"]
)
def test_a_whole_second_within_a_short_call_is_not_cut(took: float, wanted: float) -> None:
    times = Times()
    moment = Moment(1700000000.125, 1795000001.002 - took, 1795000001.002, creates=True, guessed=True)
    times.remember(PARAMETER, ["name"], moment)
    body = b'{"Parameter": {"Name": "name", "LastModifiedDate": 1795000001.0}}'
    found = orjson.loads(times.answer_to_client(answer(body), PARAMETER, request(body=b"{}")).body)
    assert found["Parameter"]["LastModifiedDate"] == pytest.approx(wanted, abs=0.0001)


def test_what_a_thing_has_become_takes_the_place_of_what_it_was() -> None:
    """All of it was made again in one second. A name that several things bear keeps the times of each."""
    times, call = Times(), head("ecs", "DescribeServices", "json")
    times.remember(call, ["ecs-svc/1"], Moment(FIRST, BEGUN, ENDED, creates=False))
    second = float(int(ENDED))
    for seq, client in ((4, FIRST), (7, FIRST + 60)):
        times.pair(call, ["ecs-svc/1"], Pair("updatedat", second, float(int(client)), "deployment", "of one", seq))
    names = [[("id", "ecs-svc/1")], [("serviceName", "web")]]
    place = TimePlace("ecs", "DescribeServices", "updatedAt", ("deployments", "services", ""))
    assert times.original(call, names[0], place, str(int(second))) == str(int(FIRST) + 60)
    for who, client in (("of one", FIRST), ("of another", FIRST + 60)):
        times.pair(call, ["cluster"], Pair("updatedat", second, client, "deployment", who, 7))
    assert times.original(call, [("clusterArn", "cluster")], place, str(int(second))) == ""


def test_pairs_of_a_session_of_an_earlier_version_are_read() -> None:
    listing = {
        "ecs/123456789012/us-east-1/a": [["updatedat", BEGUN, FIRST], ["updatedat", BEGUN + 5, FIRST, "deployment"]]
    }
    assert Times.of_listing(Times.of_listing(listing).listing()).listing() == Times.of_listing(listing).listing()
