"""Clients do not see the mark; everything else they see as it came."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.emulators.mark_places import NAME, PARAMETER, PLACES
from replay_proxy.exchange import Answer, CallHead, Headers
from replay_proxy.proxy.requests.mark_filter import may_list_mark, without_mark
from replay_proxy.wire.mutability.judge import judge

LIST_TABLES = CallHead("dynamodb", "ListTables", "json")


def answer(body: bytes) -> Answer:
    return Answer(200, Headers([("Content-Length", str(len(body))), ("x-amz-crc32", "1")]), body)


def test_an_entry_goes_and_its_neighbours_stay() -> None:
    names = ["a", NAME, f"{NAME}-of-mine", f"my-{NAME}", "z"]
    shown = without_mark(answer(orjson.dumps({"TableNames": names})), LIST_TABLES)
    assert isinstance(shown.body, bytes)
    assert orjson.loads(shown.body) == {"TableNames": ["a", f"{NAME}-of-mine", f"my-{NAME}", "z"]}
    assert shown.headers.get("content-length") == str(len(shown.body))
    assert shown.headers.get("x-amz-crc32") != "1"


@pytest.mark.parametrize(
    ("service", "operation", "body", "left"),
    [
        (
            "s3",
            "ListBuckets",
            f"<R><Buckets><Bucket><Name>a</Name></Bucket><Bucket><Name>{NAME}</Name></Bucket></Buckets></R>",
            "<R><Buckets><Bucket><Name>a</Name></Bucket></Buckets></R>",
        ),
        (
            "sqs",
            "ListQueues",
            f"<R><QueueUrl>http://h/1/{NAME}</QueueUrl>\n<QueueUrl>http://h/1/b</QueueUrl></R>",
            "<R><QueueUrl>http://h/1/b</QueueUrl></R>",
        ),
        (
            "sns",
            "ListTopics",
            f"<R><member><TopicArn>arn:aws:sns:r:1:{NAME}</TopicArn></member><member><TopicArn>x</TopicArn></member></R>",
            "<R><member><TopicArn>x</TopicArn></member></R>",
        ),
        (
            "ssm",
            "DescribeParameters",
            f'{{"Parameters":[{{"Name":"{PARAMETER}"}},{{"Name":"/p"}}]}}',
            '{"Parameters":[{"Name":"/p"}]}',
        ),
        (
            "resourcegroupstaggingapi",
            "GetResources",
            f'{{"ResourceTagMappingList":[{{"ResourceARN":"arn:aws:sqs:r:1:{NAME}","Tags":[]}},{{"ResourceARN":"x"}}]}}',
            '{"ResourceTagMappingList":[{"ResourceARN":"x"}]}',
        ),
        ("ssm", "DescribeParameters", '{"Parameters":[{"Name":"\\/replay-proxy\\/session"}]}', '{"Parameters":[]}'),
    ],
)
def test_each_form_of_a_list(service: str, operation: str, body: str, left: str) -> None:
    assert without_mark(answer(body.encode()), CallHead(service, operation, "x")).body == left.encode()


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each))
)
def test_what_does_not_name_it_is_the_same_object(value: object) -> None:
    try:
        whole = answer(orjson.dumps(value))
    except TypeError:
        return  # an integer that JSON's libraries do not write
    assert without_mark(whole, LIST_TABLES) is whole


@given(st.binary())
def test_what_is_no_list_is_left_alone(noise: bytes) -> None:
    for body in (noise, noise + NAME.encode(), b"<" + noise + NAME.encode()):
        whole = answer(body)
        for head in (None, CallHead("dynamodb", "GetItem", "json"), CallHead("s3", "GetObject", "rest-xml")):
            assert without_mark(whole, head) is whole
        without_mark(whole, LIST_TABLES)
        without_mark(whole, CallHead("s3", "ListBuckets", "rest-xml"))


def test_the_lists_are_reads_that_the_models_know() -> None:
    for place in PLACES:
        for operation in place.lists:
            assert not judge(place.service, operation).mutates
            assert may_list_mark(NAME.encode(), CallHead(place.service, operation, "x"))
