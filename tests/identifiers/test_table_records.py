"""Which write a record in the stream of a table tells of."""

from __future__ import annotations

import pytest

from replay_proxy.identifiers.rewriting.times.moments import Moment
from replay_proxy.identifiers.rewriting.times.table_records import Change, digest_of, key_of, original_times, written

KEY = {"k": {"S": "a"}}
OTHER = {"k": {"S": "b"}}
AGAIN = 1_795_000_000.0


def item(value: str) -> dict[str, dict[str, str]]:
    return {**KEY, "v": {"S": value}}


def put(original: float, after: float, value: str) -> Moment:
    return write(original, after, written(item(value), ["k"], is_whole=True))


def write(original: float, after: float, within: tuple[str, ...], *, removes: bool = False) -> Moment:
    return Moment(original, AGAIN + after, AGAIN + after + 0.004, not removes, within=within)


def change(after: float, value: str = "", *, key: dict[str, dict[str, str]] = KEY, removes: bool = False) -> Change:
    return Change(key_of(key), removes, digest_of(item(value)) if value else "", AGAIN + after)


UPDATED = (key_of(KEY),)


@pytest.mark.parametrize(
    ("moments", "changes", "expected"),
    [
        pytest.param(
            [put(1, 0.1, "x"), put(2, 0.2, "y")], [change(0), change(0)], [1, 2], id="whole seconds: in their order"
        ),
        pytest.param(
            [put(1, 0.1, "x"), put(2, 0.2, "x"), put(3, 0.3, "y")],
            [change(0, "x"), change(0, "y")],
            [1, 3],
            id="what was written again made no record",
        ),
        pytest.param(
            [
                write(1, 0.1, UPDATED, removes=True),
                put(2, 0.2, "x"),
                write(3, 0.3, UPDATED, removes=True),
                put(4, 0.4, "x"),
            ],
            [change(0, "x"), change(0, removes=True), change(0, "x")],
            [2, 3, 4],
            id="a deletion of nothing made no record",
        ),
        pytest.param(
            [write(1, 0.1, UPDATED), write(2, 0.2, UPDATED)],
            [change(0.102), change(0.103), change(0.203)],
            [1, 1, 2],
            id="parts of seconds: two records of one write",
        ),
        pytest.param([write(1, 0.1, UPDATED)], [change(0.0995)], [1], id="cut to milliseconds"),
        pytest.param(
            [put(1, 0.1, "x")], [change(5, "x"), change(60.5, "x")], [None, None], id="written by a client later"
        ),
        pytest.param([put(1, 0.1, "x")], [change(0, key=OTHER)], [None], id="another item"),
    ],
)
def test_a_record_is_of_the_write_that_made_it(
    moments: list[Moment], changes: list[Change], expected: list[float | None]
) -> None:
    assert original_times(changes, moments) == expected


def test_equal_items_have_one_key_and_one_digest() -> None:
    one = {"n": {"N": "1.0"}, "l": {"L": [{"M": {"x": {"N": "2"}}}]}, "s": {"NS": ["1", "2.0"]}, "N": {"S": "1.0"}}
    same = {"N": {"S": "1.0"}, "n": {"N": "1"}, "l": {"L": [{"M": {"x": {"N": "2.00"}}}]}, "s": {"NS": ["2", "1"]}}
    assert digest_of(one) == digest_of(same)
    assert key_of({"n": {"S": "1.0"}}) != key_of({"n": {"S": "1"}})
    assert written(one, ["n"], is_whole=False) == (key_of({"n": {"N": "1"}}),)
