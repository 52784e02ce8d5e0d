"""Headers: what a plain list of pairs would say, whatever was looked up before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from replay_proxy import exchange
from replay_proxy.exchange import Headers

NAMES = st.sampled_from(["Host", "host", "X-A", "x-a", "x-b", "Content-Length", "é"])
FIELDS = st.lists(st.tuples(NAMES, st.text(st.characters(max_codepoint=0xFF), max_size=6)), max_size=8)
ASKED = ("host", "x-a", "x-b", "content-length", "é", "missing")


@given(FIELDS, st.booleans(), st.frozensets(st.sampled_from(ASKED)))
def test_headers_say_what_their_pairs_say(fields: list[tuple[str, str]], raw: bool, gone: frozenset[str]) -> None:
    wire = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    headers = Headers.from_raw(wire) if raw else Headers(fields)
    for name in ASKED:
        values = [value for key, value in fields if key.lower() == name]
        assert headers.get(name, "none") == (values[0] if values else "none")
        assert headers.get_all(name) == values
        assert (name in headers) is bool(values)
    assert headers.has_duplicates == (len({key.lower() for key, _ in fields}) < len(fields))
    left = headers.less(gone)
    assert left.pairs == tuple(pair for pair in fields if pair[0].lower() not in gone)
    assert (left is headers) == (len(left) == len(fields))
    for name in ASKED:
        values = [value for key, value in left if key.lower() == name]
        assert left.get(name, "none") == (values[0] if values else "none")


def test_clients_that_invent_names_do_not_fill_the_memory() -> None:
    for index in range(5000):
        headers = Headers([(f"x-{index}", "1"), ("Host", "h")])
        assert headers.get("host") == "h"
        assert headers.less(frozenset({f"x-{index}", f"y-{index}"})).pairs == (("Host", "h"),)
    for index in range(100):
        assert Headers([("Host", "h")]).less(frozenset({"host", str(index)})).pairs == ()
    Headers([("x" * 100_000, "1")]).get("host")
    assert len(exchange._known_names) <= exchange._SETS_MAX
    assert all(len(shape._less) <= exchange._SUBSETS_MAX for shape in exchange._known_names.values())
    assert max(len(name) for names in exchange._known_names for name in names) <= exchange._NAMES_MAX
