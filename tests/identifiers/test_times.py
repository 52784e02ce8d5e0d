"""Original times: recognised in every form, replaced beside the names of what was restored, and nowhere else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.leaves import leaves_of
from replay_proxy.identifiers.times import Moment, Times, object_name, shows_times

BEGUN, ENDED = 1_795_000_000.25, 1_795_000_002.5
FIRST = 1_700_000_000.125
MOMENT = Moment(FIRST, BEGUN, ENDED, creates=True)

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
    found = times.shown(given_, call, request(body=b"{}"))
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
        (http(BEGUN), "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("1795000001", "1700000000"),
        ("1795000001.25", "1700000000.12"),
        ("1795000001.0", "1700000000.0"),
        ("1795000001250", "1700000000125"),
    ],
)
def test_a_time_keeps_its_form(at: str, wanted: str) -> None:
    times = Times()
    times.note(PARAMETER, ["name"], MOMENT)
    body = {"Parameter": {"Name": "name", "LastModifiedDate": at}}
    assert orjson.loads(shown(times, PARAMETER, body)) == {"Parameter": {"Name": "name", "LastModifiedDate": wanted}}


@pytest.mark.parametrize("outside", [BEGUN - 1.5, ENDED + 1.5, FIRST, 0])
def test_another_moment_is_left_alone(outside: float) -> None:
    times = Times()
    times.note(PARAMETER, ["name"], MOMENT)
    body = {"Parameter": {"Name": "name", "LastModifiedDate": outside}}
    assert shown(times, PARAMETER, body) == orjson.dumps(body)


def test_what_stands_beside_another_name_is_left_alone() -> None:
    times = Times()
    times.note(PARAMETER, ["name"], MOMENT)
    body = {"Parameter": {"Name": "other", "LastModifiedDate": BEGUN}}
    assert shown(times, PARAMETER, body) == orjson.dumps(body)
    assert shown(times, head("secretsmanager", "DescribeSecret", "json"), {"Name": "name", "CreatedDate": BEGUN}) == (
        orjson.dumps({"Name": "name", "CreatedDate": BEGUN})
    )


def test_a_change_has_the_time_of_the_last_one_and_a_creation_its_own() -> None:
    times = Times()
    call = head("secretsmanager", "DescribeSecret", "json")
    times.note(call, ["name"], MOMENT)
    times.note(call, ["name"], Moment(FIRST + 60, BEGUN, ENDED, creates=False))
    body = {"Name": "name", "CreatedDate": 1795000001, "LastChangedDate": 1795000001}
    wanted = {"Name": "name", "CreatedDate": 1700000000, "LastChangedDate": 1700000060}
    assert orjson.loads(shown(times, call, body)) == wanted


def test_of_two_changes_an_exact_time_tells_which() -> None:
    times = Times()
    call = head("secretsmanager", "DescribeSecret", "json")
    times.note(call, ["name"], Moment(FIRST, BEGUN, BEGUN + 0.5, creates=True))
    times.note(call, ["name"], Moment(FIRST + 60, BEGUN + 0.625, ENDED, creates=False))
    for at, wanted in ((BEGUN + 0.25, FIRST), (BEGUN + 0.875, FIRST + 60)):
        body = {"Name": "name", "LastChangedDate": at}
        assert orjson.loads(shown(times, call, body))["LastChangedDate"] == pytest.approx(wanted, abs=0.1)


def test_what_was_asked_for_names_the_whole_and_not_what_is_listed_in_it() -> None:
    times = Times()
    events = head("logs", "GetLogEvents", "json")
    groups = head("logs", "DescribeLogGroups", "json")
    times.note(groups, ["group"], MOMENT)
    body = {"events": [{"message": "x", "ingestionTime": 1795000001000}]}
    asked = request(body=b'{"logGroupName": "group"}')
    assert times.shown(answer(body), events, asked).body == orjson.dumps(body)
    queue = head("sqs", "GetQueueAttributes", "json")
    times.note(queue, ["http://localhost:4566/000000000000/name"], MOMENT)
    asked = request(body=b'{"QueueUrl": "http://proxy:1/000000000000/name"}')
    found = times.shown(answer({"Attributes": {"CreatedTimestamp": "1795000001"}}), queue, asked)
    assert found.body == b'{"Attributes":{"CreatedTimestamp":"1700000000"}}'


def test_in_xml_each_entry_has_its_own() -> None:
    times = Times()
    times.note(ROLES, ["a"], MOMENT)
    times.note(ROLES, ["arn:aws:iam::000000000000:role/b"], Moment(FIRST + 10, BEGUN, ENDED, creates=True))
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
    times.note(MESSAGES, ["id"], MOMENT)
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
        times.note(OBJECT, [name], MOMENT)
    at = answer(b"", **{"Last-Modified": http(BEGUN)})
    assert times.shown(at, OBJECT, request("/b/a%20key")).headers.get("last-modified") == http(FIRST)
    assert times.shown(at, OBJECT, request("/b/a%20key?versionId=v")).headers.get("last-modified") == http(FIRST)
    for other in ("/b/akey", "/c/a%20key", "/b/a%20key?versionId=w"):
        assert times.shown(at, OBJECT, request(other)) is at
    body = (
        b"<ListBucketResult><EncodingType>url</EncodingType><Name>b</Name><Contents><Key>a+key</Key><LastModified>"
        b"%s</LastModified></Contents></ListBucketResult>"
    )
    listed = times.shown(answer(body % iso(BEGUN).encode()), OBJECTS, request("/b?list-type=2&encoding-type=url"))
    assert listed.body == body % iso(FIRST).encode()


@pytest.mark.parametrize("name", ["If-Modified-Since", "if-unmodified-since"])
def test_a_condition_is_turned_round(name: str) -> None:
    times = Times()
    times.note(OBJECT, [object_name("b", "k")], MOMENT)

    def asked(at: float) -> str:
        return times.asked(request("/b/k", **{name: http(at)}), OBJECT).headers.get(name.lower())

    assert asked(FIRST) == asked(FIRST + 3600) == http(ENDED)
    for other in (FIRST - 10, ENDED + 10):
        assert asked(other) == http(other)
    put = head("s3", "PutObject", "rest-xml")
    times.changed(put, Request("PUT", "/b/k", Headers([("Host", "h")]), b"x"))
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
    times.note(OBJECT, ["x"], Moment(FIRST, begun, begun + length, creates=True))
    at = begun + length * share
    text = {"iso": iso, "http": http, "epoch": lambda each: str(int(each)), "ms": lambda each: str(int(each * 1000))}
    assert times.may_show(OBJECT, text[form](at).encode())


@given(st.lists(st.tuples(st.text(max_size=4), st.lists(st.tuples(_SECONDS, _SECONDS, st.booleans())))))
def test_what_is_kept_comes_back(noted: list[tuple[str, list[tuple[float, float, bool]]]]) -> None:
    times = Times()
    for name, moments in noted:
        for original, begun, creates in moments:
            times.note(OBJECT, [name], Moment(original, begun, begun + 1, creates))
    again = Times.of_listing(orjson.loads(orjson.dumps(times.listing())))
    assert again.listing() == times.listing()
    assert len(again) == len(times)


_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(_DOCUMENTS, st.booleans())
def test_all_leaves_of_a_document_are_found_where_they_are(document: Any, indented: bool) -> None:
    body = orjson.dumps(document, option=orjson.OPT_INDENT_2 if indented else None)
    found = leaves_of(body, "json", lambda _name, _text: True)
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
    for spelling in ("json", "xml", "form"):
        for leaf in leaves_of(data, spelling, lambda _name, _text: True):  # type: ignore[arg-type]
            assert 0 <= leaf.start <= leaf.end <= len(data)
