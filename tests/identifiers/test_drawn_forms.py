"""Whether an identifier in a text is translated does not depend on the letters or digits that happened to be drawn."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.table.alias_table import AliasTable, Origin

HEAD = CallHead("apigateway", "PutIntegration", "rest-json")
DRAWN = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=10, max_size=10)


def origin(seq: int, member: str = "id") -> Origin:
    return Origin(seq, "apigateway:CreateRestApi", member)


def sent(table: AliasTable, document: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(document).encode()
    request = Request("POST", "/", Headers([("Content-Length", str(len(body)))]), body)
    return dict(json.loads(bytes(request_to_emulator(request, HEAD, table).body)))  # type: ignore[arg-type]


def shown(table: AliasTable, document: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(document).encode()
    headers = Headers([("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    answer = answer_to_client(Answer(200, headers, body), HEAD, Request("GET", "/", Headers()), table)
    return dict(json.loads(bytes(answer.body)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("client", "emulator"),
    [
        ("szmqpd8q9s", "gryaxoobxf"),
        ("gryaxoobxf", "szmqpd8q9s"),
        ("cd8d2fbb", "15010181"),
        ("15010181", "cd8d2fbb"),
        ("ab09f1c", "4401935"),
        ("abcdefg", "ab09f1c"),
    ],
)
def test_both_ways_alike(client: str, emulator: str) -> None:
    table = AliasTable()
    table.add(client, emulator, learned_from=origin(1))
    text = {"description": f"of {client}", "requestTemplates": {"application/json": json.dumps({"r": client})}}
    there = sent(table, text)
    assert there == json.loads(json.dumps(text).replace(client, emulator))
    assert shown(table, there) == text


@given(
    st.lists(st.tuples(DRAWN, DRAWN), min_size=2, max_size=6, unique_by=(lambda pair: pair[0], lambda pair: pair[1]))
)
def test_whatever_is_drawn_comes_back_as_it_was_written(pairs: list[tuple[str, str]]) -> None:
    table = AliasTable()
    table.add("szmqpd8q9s", "k7h2m5x0aa", learned_from=origin(1))
    for number, (client, emulator) in enumerate(pairs):
        table.add(client, emulator, learned_from=origin(2 + number, f"items[{number}].id"))
    text = {"description": f"between {pairs[0][0]} and {pairs[1][0]}"}
    there = sent(table, text)
    assert there == {"description": f"between {table.to_emulator(pairs[0][0])} and {table.to_emulator(pairs[1][0])}"}
    if all(table.to_client(table.to_emulator(pair[0])) == pair[0] for pair in pairs[:2]):
        assert shown(table, there) == text


def test_what_a_later_one_tells_holds_of_an_earlier_one() -> None:
    table = AliasTable()
    table.add("gryaxoobxf", "plainwords", learned_from=origin(1))
    text = {"description": "of gryaxoobxf"}
    assert sent(table, text) == text
    table.add("szmqpd8q9s", "k7h2m5x0aa", learned_from=origin(2, "items[3].id"))
    assert sent(table, text) == {"description": "of plainwords"}


def test_words_and_numbers_that_nothing_distinctive_is_drawn_like_stay() -> None:
    table = AliasTable()
    table.add("szmqpd8q9s", "k7h2m5x0aa", learned_from=origin(1))
    table.add("4401935", "9000001", learned_from=Origin(2, "appconfig:CreateApplication", "Id"))
    table.add("default", "gryaxoobxf", learned_from=Origin(3, "ec2:DescribeVpcs", "Vpcs[0].DhcpOptionsId"))
    table.add("Gryaxoobxf", "Plainwords", learned_from=origin(4))
    table.add("my-servers", "mi-servers", learned_from=origin(5))
    text = {"description": "default 4401935 of my-servers Gryaxoobxf"}
    assert sent(table, text) == text


def test_what_begins_with_a_region_is_no_word_though_letters_follow() -> None:
    table = AliasTable()
    pool = Origin(1, "cognito-idp:CreateUserPool", "UserPool.Id")
    table.add("us-east-1_iawLYcqIz", "us-east-1_plainWord", learned_from=pool)
    assert sent(table, {"POOL": "us-east-1_iawLYcqIz"}) == {"POOL": "us-east-1_plainWord"}


def test_a_number_of_a_document_is_none_of_its_texts() -> None:
    table = AliasTable()
    table.add("15010181", "cd8d2fbb", learned_from=origin(1))
    document = {"size": 15010181, "sizes": [1, 15010181], "template": '{"statusCode": 15010181}'}
    assert sent(table, document | {"text": ":15010181, or 15010181"}) == document | {"text": ":cd8d2fbb, or cd8d2fbb"}
