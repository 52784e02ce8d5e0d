from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape, unescape

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from replay_proxy.identifiers.table import scan
from replay_proxy.identifiers.table.alias_table import ANYWHERE, AliasKind, AliasTable, Scope

from .messages import compound_ids, identifiers, run_ids


def _quoted(text: str) -> str:
    return quote(text, safe="")


ENCODINGS: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "raw": (lambda text: text, lambda text: text),
    "percent": (_quoted, unquote),
    "percent twice": (lambda text: _quoted(_quoted(text)), lambda text: unquote(unquote(text))),
    "JSON": (json.dumps, json.loads),
    "JSON with escaped slashes": (lambda text: json.dumps(text).replace("/", r"\/"), json.loads),
    "JSON in JSON": (lambda text: json.dumps(json.dumps(text)), lambda text: json.loads(json.loads(text))),
    "JSON in JSON in JSON": (
        lambda text: json.dumps(json.dumps(json.dumps(text))),
        lambda text: json.loads(json.loads(json.loads(text))),
    ),
    "XML": (escape, unescape),
    "JSON in XML": (lambda text: escape(json.dumps(text)), lambda text: json.loads(unescape(text))),
    "JSON in a form": (lambda text: _quoted(json.dumps(text)), lambda text: json.loads(unquote(text))),
}
URLS = ("percent", "percent twice", "JSON in a form")

befores = st.sampled_from(
    [
        "",
        " ",
        ":",
        "/",
        "\n",
        "\t",
        "\n\n",
        "arn:aws:ec2:us-east-1:000000000000:vpc/",
        "é",
        '{"Ref":"',
        "?a=",
        "&b=",
        "$",
    ]
)
afters = st.sampled_from(["", " ", ":", "/", "\n", "\r\n", '"}', "&b=c", "?x", "é", ")", "'", "\\"])


def table_of(*pairs: tuple[str, str]) -> AliasTable:
    table = AliasTable()
    for client, emulator in pairs:
        table.add(client, emulator)
    return table


def to_emulator(data: str, table: AliasTable, encoding: str) -> str:
    replacements, _ = scan.find(data.encode(), table, ANYWHERE, to_client=False)
    return scan.replaced(data.encode(), replacements, url=encoding in URLS).decode()


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(before=befores, client=identifiers, emulator=identifiers, after=afters)
def test_an_identifier_is_replaced_in_every_encoding(
    encoding: str, before: str, client: str, emulator: str, after: str
) -> None:
    encode, decode = ENCODINGS[encoding]
    table = table_of((client, emulator))
    # A second mention and an unknown neighbour, so that offsets matter.
    text = f"{before}{client}{after} x-unknown-1 {client}."
    expected = f"{before}{emulator}{after} x-unknown-1 {emulator}."
    assume(client not in before + after + "x-unknown-1")
    assert decode(to_emulator(encode(text), table, encoding)) == expected


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(
    client=run_ids,
    emulator=run_ids,
    before=st.text("abcXYZ019-_", max_size=2),
    after=st.text("abcXYZ019-_", max_size=2),
)
def test_an_identifier_inside_a_longer_run_is_not_touched(
    encoding: str, client: str, emulator: str, before: str, after: str
) -> None:
    encode, _ = ENCODINGS[encoding]
    assume(before or after)
    message = encode(f"a {before}{client}{after}/b")
    table = table_of((client, emulator))
    assume(f"{before}{client}{after}" != client)
    assert to_emulator(message, table, encoding) == message


@given(st.lists(st.tuples(identifiers, identifiers), max_size=6), st.lists(identifiers, max_size=8), st.data())
def test_there_and_back_is_the_identity(pairs: list[tuple[str, str]], others: list[str], data: st.DataObject) -> None:
    table = table_of(*pairs)
    clients = [alias.client for alias in table]
    foreign = {alias.emulator for alias in table} - set(clients)
    words = data.draw(st.lists(st.sampled_from(clients + others + ["word", "a b"]), max_size=12))
    text = json.dumps(" : ".join(words))
    # What clients never saw passes as the emulator's own name; see `aliases`.
    assume(not any(each in text for each in foreign))
    there = scan.translated(text, table, ANYWHERE, to_client=False)
    assert scan.translated(there, table, ANYWHERE, to_client=True) == text


@given(st.lists(identifiers, min_size=1, max_size=5), st.text(max_size=200))
def test_what_the_first_look_denies_the_second_does_not_find(known: list[str], text: str) -> None:
    table = table_of(*[(each, each[::-1] + "-e") for each in known])
    data = text.encode()
    if not scan.known_in(data, table, to_client=False):
        assert scan.find(data, table, ANYWHERE, to_client=False) == ([], [])


scopes = st.sampled_from([ANYWHERE, Scope("", "us-east-1"), Scope("", "eu-west-1")])
addresses = st.sampled_from(["10.0.0.4", "10.0.0.77", "02:00:00:c4:22:c3"])


@given(
    st.lists(st.tuples(identifiers, identifiers | addresses, scopes), min_size=1, max_size=5),
    st.lists(identifiers | addresses, max_size=4),
    st.sampled_from(sorted(ENCODINGS)),
    st.booleans(),
    st.data(),
)
def test_the_short_way_gives_what_the_long_way_gives(
    pairs: list[tuple[str, str, Scope]], others: list[str], encoding: str, to_client: bool, data: st.DataObject
) -> None:
    table = AliasTable()
    ids = [text for client, emulator, _ in pairs for text in (client, emulator)]
    tangled = [each + "-x" for each in ids] + [a + b for a in ids[:2] for b in ("/z", "=", "1", a)]
    words = data.draw(st.lists(st.tuples(befores, st.sampled_from(ids + others + tangled + ["word"])), max_size=8))
    text = ENCODINGS[encoding][0](data.draw(st.sampled_from(["", " "])).join(map("".join, words))).encode()
    # Pairs come one by one, also such as displace others, so that what is remembered of tokens must be forgotten.
    for client, emulator, its_scope in [*pairs, (ids[0], "another-1", pairs[0][2])]:
        table.add(client, emulator, scope=its_scope)
        scope = data.draw(scopes)
        scanned = scan.prescan(text, table, to_client=to_client)
        short = scan.replace_simple(text, scanned, table, scope, to_client=to_client) if scanned.known else text
        replacements, _ = scan.find(text, table, scope, to_client=to_client)
        assert short in (None, scan.replaced(text, replacements, url=False))
        assert short is None or replacements or short is text


def test_the_short_way_is_taken_where_it_is_safe_and_only_there() -> None:
    table = table_of(("vpc-0001", "vpc-0a0b"), ("up/load+1234=", "up/load+5678="))

    def short(text: str, table: AliasTable = table, scope: Scope = ANYWHERE) -> str | None:
        scanned = scan.prescan(text.encode(), table, to_client=False)
        replace_simple = scan.replace_simple(text.encode(), scanned, table, scope, to_client=False)
        return None if replace_simple is None else replace_simple.decode()

    assert short('{"a":"vpc-0001","b":["up/load+1234="]}') == '{"a":"vpc-0a0b","b":["up/load+5678="]}'
    assert short(r'"\nvpc-0001"') == r'"\nvpc-0a0b"'
    assert short("vpc-0001 vpc-0001-west vpc-0001") == "vpc-0a0b vpc-0001-west vpc-0a0b"
    assert short(r"vpc-0001 up\/load+1234=") is None
    assert short("vpc-0001 1234") is None
    assert short("vpc%2D0001") is None
    assert short("vpc-0001", scope=Scope("", "us-east-1")) is None
    swapping = table_of(("vpc-0001", "vpc-0002"), ("vpc-0002", "vpc-0001"))
    assert short("vpc-0001 vpc-0002", swapping) == "vpc-0002 vpc-0001"
    sharing = table_of(("ab01/cdef", "x-0001"), ("cdef/gh02", "x-0002"))
    assert short("ab01/cdef cdef/gh02", sharing) == "x-0001 x-0002"
    assert short("ab01/cdef/gh02", sharing) is None
    spelt = table_of(("vpc-0001", "vpc-0002"), ("a&b-0001", "b/c-0001"))
    assert short("vpc-0001 a&b-0001", spelt) is None


@given(compound_ids, run_ids)
def test_a_compound_identifier_wins_over_the_runs_in_it(client: str, other: str) -> None:
    word = max(client.replace("=", "/").replace("+", "/").replace(".", "/").replace("~", "/").split("/"), key=len)
    table = table_of((client, "upload/e1+x="), (word, other))
    assert scan.translated(f"id: {client};", table, ANYWHERE, to_client=False) == "id: upload/e1+x=;"


def test_regions_change_in_arns_only() -> None:
    table = AliasTable()
    west = Scope("", "us-west-2")
    table.add("us-west-2", "us-east-1", scope=west, kind=AliasKind.REGION)
    text = "arn:aws:sqs:us-west-2:000000000000:q in us-west-2"
    expected = "arn:aws:sqs:us-east-1:000000000000:q in us-west-2"
    assert scan.translated(text, table, west, to_client=False) == expected
    encoded = quote(text, safe="").encode()
    replacements, _ = scan.find(encoded, table, west, to_client=False)
    assert unquote(scan.replaced(encoded, replacements, url=True).decode()) == expected


def test_addresses_change_as_a_whole() -> None:
    table = table_of(("10.0.0.4", "10.0.0.77"), ("02:00:00:c4:22:c3", "02:00:00:53:63:59"))
    text = "10.0.0.4/32 10.0.0.41 http://10.0.0.4:80 02:00:00:c4:22:c3"
    expected = "10.0.0.77/32 10.0.0.41 http://10.0.0.77:80 02:00:00:53:63:59"
    assert scan.translated(text, table, ANYWHERE, to_client=False) == expected
    assert scan.translated(expected, table, ANYWHERE, to_client=True) == text
    for encode, decode in (ENCODINGS["percent"], ENCODINGS["percent twice"], (str, unquote)):
        form = encode("Filter.1.Value.1=02:00:00:c4:22:c3").encode()
        replacements, _ = scan.find(form, table, ANYWHERE, to_client=False)
        assert decode(scan.replaced(form, replacements, url=True).decode()).endswith("=02:00:00:53:63:59")


def test_collisions_are_reported_towards_clients_only() -> None:
    table = table_of(("vpc-0001", "vpc-0002"))
    replacements, collisions = scan.find(b"vpc-0002 vpc-0001", table, ANYWHERE, to_client=True)
    assert [(replacement.old, replacement.new) for replacement in replacements] == [("vpc-0002", "vpc-0001")]
    assert [(replacement.start, replacement.end, replacement.old) for replacement in collisions] == [
        (9, 17, "vpc-0001")
    ]
    assert scan.find(b"vpc-0002", table, ANYWHERE, to_client=False) == ([], [])


def test_nothing_to_replace_gives_the_identical_object() -> None:
    data = b"some text"
    assert scan.replaced(data, [], url=True) is data
    text = "some text"
    assert scan.translated(text, table_of(("vpc-0001", "vpc-0002")), ANYWHERE, to_client=True) is text
