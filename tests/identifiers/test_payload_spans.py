from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.footprint.members.payload_members import ALL, QUOTED, PayloadCondition
from replay_proxy.identifiers.rewriting.body.payload import ITEM, VALUE
from replay_proxy.identifiers.rewriting.body.payload_spans import payload_spans


def marked(body: bytes, tree: Any, body_format: Any) -> list[bytes]:
    return [body[start:end] for start, end in payload_spans(body, tree, body_format)]


@pytest.mark.parametrize(
    ("body", "tree", "expected"),
    [
        (b'{"Body": "a", "Other": "b"}', {"Body": ALL}, [b'"a"']),
        (b'{"Other": {"Body": "a"}, "Body": {"x": ["y"]}}', {"Body": ALL}, [b'{"x": ["y"]}']),
        (b'{"L": [{"B": 1}, {"C": 2, "B": [3]}]}', {"L": {ITEM: {"B": ALL}}}, [b"1", b"[3]"]),
        (b'{"M": {"k1": {"v": "a"}, "k2": {"v": "b"}}}', {"M": {VALUE: {"v": ALL}}}, [b'"a"', b'"b"']),
        (b'{"M": {"Keep": "a", "Hide": "b"}}', {"M": {f"{VALUE}Hide": ALL}}, [b'"b"']),
        (rb'{"B\u006fdy": "a\"}{", "x": "]"}', {"Body": ALL}, [rb'"a\"}{"']),
        (b"{\"S\": \"select 'a' from \\\"t\\\" where x='it''s'\"}", {"S": QUOTED}, [b"'a'", b"'it''s'"]),
        (b'{"Body": null, "L": []}', {"Body": ALL, "L": {ITEM: ALL}}, [b"null"]),
        (b"", {"Body": ALL}, []),
    ],
)
def test_json(body: bytes, tree: Any, expected: list[bytes]) -> None:
    assert marked(body, tree, "json") == expected


@pytest.mark.parametrize("body", [b'{"Body": "a"', b'{"a": [}', b'"]', b'{"Body" "a"}}'])
def test_json_that_is_none_is_payload_as_a_whole(body: bytes) -> None:
    assert payload_spans(body, {"Body": ALL}, "json") == [(0, len(body))]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["Body", "a", "b"]), values), st.booleans())
def test_marked_json_is_exactly_the_members_value(document: dict[str, Any], spaced: bool) -> None:
    body = json.dumps(document, indent=1 if spaced else None).encode()
    found = [json.loads(each) for each in marked(body, {"Body": ALL}, "json")]
    assert found == ([document["Body"]] if "Body" in document else [])


@pytest.mark.parametrize(
    ("body", "tree", "expected"),
    [
        (b"Action=Send&MessageBody=a%20b&X=c", {"MessageBody": ALL}, [b"a%20b"]),
        (b"E.1.Id=x&E.1.Body=a&E.2.Body=b", {"E": {"Body": ALL}}, [b"a", b"b"]),
        (b"Entries.member.1.Message=a&Entries.member.1.Id=b", {"Entries": {"Message": ALL}}, [b"a"]),
        (b"Attr.1.Name=n&Attr.1.Value.StringValue=s", {"Attr": {VALUE: ALL}}, [b"s"]),
        (
            b"A.entry.1.key=Keep&A.entry.1.value=a&A.entry.2.key=Hide&A.entry.2.value=b",
            {"A": {f"{VALUE}Hide": ALL}},
            [b"b"],
        ),
        (b"N=FilterPolicy&V=a", {"V": PayloadCondition("N", "FilterPolicy", ALL)}, [b"a"]),
        (b"N=RawMessageDelivery&V=a", {"V": PayloadCondition("N", "FilterPolicy", ALL)}, []),
        (b"V=a", {"V": PayloadCondition("N", "FilterPolicy", ALL)}, []),
        (b"M.Body=a", {"Body": ALL}, []),
    ],
)
def test_forms(body: bytes, tree: Any, expected: list[bytes]) -> None:
    assert marked(body, tree, "form") == expected


@pytest.mark.parametrize(
    ("body", "tree", "inside", "outside"),
    [
        (
            b"<R xmlns='u'><RResult><Message><Body>secret</Body><Id>id</Id></Message></RResult><Body>no</Body></R>",
            {"Message": {"Body": ALL}},
            [b"secret"],
            [b"id", b"no"],
        ),
        (
            b"<R><RResult><Attributes><entry><key>Keep</key><value>open</value></entry>"
            b"<entry><key>Hide</key><value>secret</value></entry></Attributes></RResult></R>",
            {"Attributes": {f"{VALUE}Hide": ALL}},
            [b"secret"],
            [b"open"],
        ),
        (
            b"<Doc><L><member>a1</member><member>a2</member></L></Doc>",
            {"L": {"member": ALL}},
            [b"a1", b"a2"],
            [],
        ),
    ],
)
def test_xml(body: bytes, tree: Any, inside: list[bytes], outside: list[bytes]) -> None:
    spans = payload_spans(body, tree, "xml")
    for text, expected in [(each, True) for each in inside] + [(each, False) for each in outside]:
        at = body.index(b">" + text) + 1
        assert any(start <= at < end for start, end in spans) == expected


def test_xml_that_is_none_is_payload_as_a_whole() -> None:
    assert payload_spans(b"<a><b></a>", {"b": ALL}, "xml") == [(0, 10)]
