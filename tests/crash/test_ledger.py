"""The ledger itself notices what it is there to notice."""

from __future__ import annotations

from contextlib import suppress

from tests.crash.ledger import Ledger


def interrupted(ledger: Ledger, thing: str, value: str) -> None:
    with suppress(ConnectionError), ledger.write(thing, value):
        raise ConnectionError


def test_what_was_acknowledged_must_be_there() -> None:
    ledger = Ledger()
    with ledger.write("a", "1"):
        pass
    assert ledger.violations({"a": "1"}) == []
    assert ledger.violations({}) == ["a: found '', allowed ['1']"]


def test_what_was_under_way_may_be_there_or_not_and_then_stays_so() -> None:
    ledger = Ledger()
    interrupted(ledger, "a", "1")
    assert ledger.violations({}) == []
    assert ledger.violations({"a": "1"}) == ["a: found '1', allowed ['']"]


def test_old_values_twice_done_writes_and_strangers_are_violations() -> None:
    ledger = Ledger()
    for value in ("1", "2"):
        with ledger.write("counter", value):
            pass
    interrupted(ledger, "counter", "3")
    assert len(ledger.violations({"counter": "1", "stranger": "1"})) == 2
    with ledger.write("counter", "3"):
        pass
    assert ledger.violations({"counter": "4", "stranger": "1"}) == ["counter: found '4', allowed ['3']"]
    assert (ledger.attempted, ledger.acknowledged) == (4, 3)
