from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.identifiers.table import scan
from replay_proxy.identifiers.table.alias_table import ANYWHERE, AliasKind, AliasTable

OURS, THEIRS = "2400:6500:e914:4500::/56", "2600:1f18:12:ab00::/56"


def table_of(*pairs: tuple[str, str]) -> AliasTable:
    table = AliasTable()
    for client, emulator in pairs:
        table.add(client, emulator, kind=AliasKind.NETWORK)
    return table


def to_emulator(text: str, table: AliasTable) -> str:
    return scan.translated(text, table, ANYWHERE, to_client=False)


@pytest.mark.parametrize(
    ("client", "emulator"),
    [
        (OURS, THEIRS),
        ("2400:6500:e914:4501::/64", "2600:1f18:12:ab01::/64"),
        ("2400:6500:e914:4501::7", "2600:1f18:12:ab01::7"),
        ("2400:6500:E914:45ff::7/128", "2600:1f18:12:abff::7/128"),
        ("2400:6500:e914:4601::/64", "2400:6500:e914:4601::/64"),
        ("2400:6500:e914::/48", "2400:6500:e914::/48"),
        ("22400:6500:e914:4500::/56", "22400:6500:e914:4500::/56"),
        ("id-2400:6500:e914:4500::/56", "id-2400:6500:e914:4500::/56"),
        ("a 2400:6500:e914:4501::/64, 2400:6500:e914:4502::/64.", "a 2600:1f18:12:ab01::/64, 2600:1f18:12:ab02::/64."),
        ("in the year 2400: nothing", "in the year 2400: nothing"),
        ("2400:6500:e914:4501:0000:0000:0000:0007", "2600:1f18:0012:ab01:0000:0000:0000:0007"),
    ],
)
def test_what_lies_inside_of_a_block_keeps_its_place(client: str, emulator: str) -> None:
    assert to_emulator(client, table_of((OURS, THEIRS))) == emulator


def test_leading_zeros_of_a_block_are_written_inside_of_it() -> None:
    """moto draws groups with leading zeros, and clients make subnets of the text that they were given."""
    table = table_of(("2400:6500:0e51:4600::/56", THEIRS))
    shown = scan.translated("2600:1f18:12:ab02::/64, 2600:1f18:12:ab00::/56", table, ANYWHERE, to_client=True)
    assert shown == "2400:6500:0e51:4602::/64, 2400:6500:0e51:4600::/56"
    assert to_emulator("2400:6500:e51:4602::/64", table) == "2600:1f18:12:ab02::/64"


@pytest.mark.parametrize(
    ("block", "theirs", "shown"),
    [
        # The zeros stand in the group that is only partly the block's own.
        ("2400:6500:4f2b:0900::/56", "2600:1f18:12:ab02::/64", "2400:6500:4f2b:0902::/64"),
        ("2400:6500:4f2b:0900::/56", "2600:1f18:12:abf0::7/128", "2400:6500:4f2b:09f0::7/128"),
        ("2400:6500:4f2b:0000::/56", "2600:1f18:12:ab02::/64", "2400:6500:4f2b:0002::/64"),
        ("2400:6500:4f2b:0000::/56", "2600:1f18:12:ab00::/64", "2400:6500:4f2b:0000::/64"),
        ("2400:6500:0000:0000::/56", "2600:1f18:12:ab00::/64", "2400:6500:0000:0000::/64"),
        ("2400:6500:0000:0000::/56", "2600:1f18:12:ab00::7", "2400:6500:0000:0000::7"),
        ("2400:6500:0000:0000::/56", "2600:1f18:12:ab00:1:2:3:4", "2400:6500:0000:0000:1:2:3:4"),
        ("2400:6500:4f2b:900::/56", "2600:1f18:12:ab02::/64", "2400:6500:4f2b:902::/64"),
    ],
)
def test_zeros_are_written_as_the_block_writes_them(block: str, theirs: str, shown: str) -> None:
    table = table_of((block, THEIRS))
    assert scan.translated(theirs, table, ANYWHERE, to_client=True) == shown
    assert to_emulator(shown, table) == theirs


def test_the_smallest_block_decides() -> None:
    table = table_of((OURS, THEIRS), ("2400:6500:e914:4501::7", "2600:1f18:12:ab01::99"))
    assert to_emulator("2400:6500:e914:4501::7 2400:6500:e914:4501::8", table) == (
        "2600:1f18:12:ab01::99 2600:1f18:12:ab01::8"
    )


def test_what_has_no_word_to_be_found_by_is_refused() -> None:
    with pytest.raises(ValueError, match="first group"):
        table_of(("64:ff9b::/96", "2600:1f18::/96"))


@given(st.integers(0, 2**72 - 1), st.booleans())
def test_there_and_back(place: int, percent: bool) -> None:
    inner = str(IPv6Address(int(IPv6Network(OURS).network_address) + place))
    table = table_of((OURS, THEIRS))
    data = f"a={quote(inner, safe='')}&b=1".encode() if percent else f'{{"a":"{inner}"}}'.encode()
    there, _ = scan.find(data, table, ANYWHERE, to_client=False)
    moved = scan.replaced(data, there, url=percent)
    assert moved != data
    back, _ = scan.find(moved, table, ANYWHERE, to_client=True)
    assert scan.replaced(moved, back, url=percent) == data
