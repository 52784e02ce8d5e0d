from __future__ import annotations

import json
from itertools import pairwise
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.identifiers.table import tokens

from .messages import compound_ids, run_ids


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"no escapes", b"no escapes"),
        (b"arn%3Aaws", b"arn:aws"),
        (b"arn%253Aaws%25253A", b"arn:aws:"),
        (b"50%25off", b"50%off"),
        (rb"{\"a\":\"b\/c\"}", b'{"a":"b/c"}'),
        (rb"\\\\\\\"a\\n", b'"a\n'),
        (rb"a\tb", b"a\0b"),
        (rb"\u002d\u003A\u00e9", b"-:\0"),
        (b"&quot;&amp;lt;&#45;&#x2d;&eacute;", b'"<--\0'),
        (b"a=b&c=d", b"a=b&c=d"),
        (b"", b""),
    ],
)
def test_plaining_decodes_each_escape_to_one_byte(raw: bytes, text: bytes) -> None:
    assert tokens.unescaped(raw).text == text


@given(st.lists(st.sampled_from(["a", "%3A", "%253A", r"\"", r"\\\\n", r"\u002d", "&amp;", "xyz", "&", "%", "\\"])))
def test_every_character_of_plained_text_has_its_place_in_the_original(parts: list[str]) -> None:
    raw = "".join(parts).encode()
    view = tokens.unescaped(raw)
    origins = [view.original_offset(index) for index in range(len(view.text) + 1)]
    assert origins == sorted(set(origins))
    assert origins[0] == 0 and origins[-1] == len(raw)
    assert b"".join(tokens.unescaped(raw[start:end]).text for start, end in pairwise(origins)).replace(
        b"\0", b""
    ) == view.text.replace(b"\0", b"")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a vpc-1 b", [b"vpc-1"]),
        (b"resource%3Avpc-1%2Fsubnet-2", [b"resource", b"vpc-1", b"subnet-2"]),
        (rb"a\nvpc-1\\tsubnet-2\\\\rzone", [b"vpc-1", b"subnet-2", b"zone"]),
        (rb"\u00e9vpc-1", [b"vpc-1"]),
        (b"vpc%2D1", [b"vpc-1"]),
        (rb"vpc\u002d1", [b"vpc-1"]),
        (b"vpc&#45;1", [b"vpc-1"]),
        (b"caf%C3%A9vpc-1", [b"vpc-1"]),
    ],
)
def test_runs_are_read_through_escapes(data: bytes, expected: list[bytes]) -> None:
    assert [word for word in tokens.words(data) if len(word) >= 4] == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"10.0.0.4", 1),
        (b"http://10.0.0.4:80/", 1),
        (b"10.0.0.4/32,10.0.0.4", 2),
        (b"10.0.0.41 110.0.0.4 1.10.0.0.4 10.0.0.4.5 x-10.0.0.4", 0),
    ],
)
def test_addresses_are_whole(text: bytes, found: int) -> None:
    assert len(tokens.occurrences(text, b"10.0.0.4")) == found
    assert (b"10.0.0.4" in tokens.address_parts(text)) == bool(found)


@given(run_ids, st.text("abcXYZ019-_", max_size=3), st.text("abcXYZ019-_", max_size=3))
def test_an_identifier_never_matches_inside_a_longer_run(word: str, before: str, after: str) -> None:
    text = f"{before}{word}{after}".encode()
    whole = not before and not after
    assert ((len(before), len(before) + len(word), word.encode()) in tokens.occurrences(text, word.encode())) == whole


@given(compound_ids)
def test_a_compound_identifier_is_found_by_a_run_of_its_own(identifier: str) -> None:
    assert tokens.index_word(identifier.encode()) in tokens.words(identifier.encode())


def test_what_has_no_word_cannot_be_found() -> None:
    with pytest.raises(ValueError, match="no word"):
        tokens.index_word(b"a.b/c")


@pytest.mark.parametrize(
    ("new", "original", "url", "spelt"),
    [
        (b"vpc-2", b"vpc-1", True, b"vpc-2"),
        (b"a/b+c=", b"abc", True, b"a%2Fb%2Bc%3D"),
        (b"a/b+c=", b"abc", False, b"a/b+c="),
        (b"a/b+c=", b"x%252Fy", True, b"a%252Fb%252Bc%253D"),
        (b"a/b+c=", b"x%2Fy", False, b"a%2Fb%2Bc%3D"),
        (b"a/b+c=", rb"x\/y", False, rb"a\/b+c="),
        (b"a/b+c=", rb"x\\\/y", False, rb"a\\\/b+c="),
        (b"a/b+c=", rb"x\u002by", False, rb"a/b\u002bc\u003d"),
    ],
)
def test_replacements_are_spelt_as_their_place_demands(new: bytes, original: bytes, url: bool, spelt: bytes) -> None:
    assert tokens.escaped_like(new, original, url=url) == spelt


@given(compound_ids)
def test_encodings_of_an_identifier_are_plained_to_it(identifier: str) -> None:
    for encoded in (
        quote(identifier, safe=""),
        quote(quote(identifier, safe=""), safe=""),
        json.dumps(identifier),
        json.dumps(json.dumps(json.dumps(identifier))),
        json.dumps(identifier).replace("/", r"\/"),
        escape(identifier),
    ):
        assert identifier.encode() in tokens.unescaped(encoded.encode()).text
