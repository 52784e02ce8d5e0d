from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.identifiers.table.alias_table import ANYWHERE, Alias, AliasKind, AliasTable, Origin, Scope

from .messages import identifiers

EAST, WEST = Scope("", "us-east-1"), Scope("", "us-west-2")


def test_a_pair_is_found_both_ways_from_every_scope() -> None:
    table = AliasTable()
    table.add("vpc-c111", "vpc-e111", scope=EAST)
    for scope in (EAST, WEST, ANYWHERE, Scope("111111111111", "eu-west-1")):
        assert table.to_emulator("vpc-c111", scope) == "vpc-e111"
        assert table.to_client("vpc-e111", scope) == "vpc-c111"
    assert table.to_emulator("vpc-e111") == "vpc-e111"
    assert table.to_client("vpc-c111") == "vpc-c111"


def test_where_two_scopes_know_a_token_the_callers_decides() -> None:
    table = AliasTable()
    table.add("vpc-0001", "vpc-0002", scope=EAST)
    table.add("vpc-0001", "vpc-0003", scope=WEST)
    assert table.to_emulator("vpc-0001", EAST) == "vpc-0002"
    assert table.to_emulator("vpc-0001", WEST) == "vpc-0003"


def test_a_token_that_stands_for_itself_in_one_scope_is_left_alone_there() -> None:
    table = AliasTable()
    table.add("vpc-0001", "vpc-0002", scope=EAST)
    table.add("vpc-0001", "vpc-0001", scope=WEST)
    assert table.to_emulator("vpc-0001", EAST) == "vpc-0002"
    assert table.to_emulator("vpc-0001", WEST) == "vpc-0001"
    assert len(table) == 1


def test_chains_and_swaps_are_translated_one_step() -> None:
    table = AliasTable()
    table.add("vpc-000a", "vpc-000b")
    table.add("vpc-000b", "vpc-000a")
    table.add("vpc-000c", "vpc-000d")
    table.add("vpc-000d", "vpc-000e")
    assert [table.to_emulator(f"vpc-000{x}") for x in "abcd"] == [f"vpc-000{x}" for x in "bade"]
    assert [table.to_client(f"vpc-000{x}") for x in "bade"] == [f"vpc-000{x}" for x in "abcd"]


def test_a_contradiction_forgets_the_older_pair_and_returns_it() -> None:
    table = AliasTable()
    assert table.add("key-c1", "key-e1", learned_from=Origin(1, "a:B")) == []
    assert table.add("key-c1", "key-e1") == []
    assert table.add("key-c1", "key-e2") == [Alias("key-c1", "key-e1", learned_from=Origin(1, "a:B"))]
    assert table.add("key-c2", "key-e2") == [Alias("key-c1", "key-e2")]
    assert [(a.client, a.emulator) for a in table] == [("key-c2", "key-e2")]
    assert table.to_client("key-e1") == "key-e1"


def test_an_emulator_id_that_no_client_was_shown_passes() -> None:
    table = AliasTable()
    table.add("vpc-c111", "vpc-e111")
    assert table.to_emulator("vpc-e111") == "vpc-e111"


def test_addresses_are_a_permutation() -> None:
    table = AliasTable()
    table.add("10.0.0.4", "10.0.0.5")
    table.add("10.0.0.5", "10.0.0.6")
    assert next(iter(table)).kind is AliasKind.ADDRESS
    # 10.0.0.6 looks free to clients; its place in the emulator's world is the one that is really free.
    assert table.to_emulator("10.0.0.6") == "10.0.0.4"
    assert table.to_client("10.0.0.4") == "10.0.0.6"


@given(st.dictionaries(st.integers(4, 30), st.integers(4, 30), max_size=20), st.integers(0, 40))
def test_addresses_there_and_back_are_the_identity(pairs: dict[int, int], last: int) -> None:
    table = AliasTable()
    for client, emulator in pairs.items():
        table.add(f"10.0.0.{client}", f"10.0.0.{emulator}")
    address = f"10.0.0.{last}"
    assert table.to_client(table.to_emulator(address)) == address
    assert table.to_emulator(table.to_client(address)) == address


@given(st.lists(st.tuples(identifiers, identifiers), max_size=30))
def test_the_table_stays_one_to_one(pairs: list[tuple[str, str]]) -> None:
    table = AliasTable()
    for client, emulator in pairs:
        table.add(client, emulator)
    for alias in table:
        assert table.to_emulator(alias.client) == alias.emulator
        assert table.to_client(alias.emulator) == alias.client
    assert len(table) == len(table.to_client_index.pairs)


@given(st.lists(st.tuples(identifiers, identifiers), max_size=20))
def test_forgotten_pairs_leave_no_trace(pairs: list[tuple[str, str]]) -> None:
    table = AliasTable()
    for client, emulator in pairs:
        table.add(client, emulator)
    known = {alias.client.encode() for alias in table}
    assert set(table.to_emulator_index.pairs) == known
    assert {whole for each in table.to_emulator_index.compounds.values() for whole in each} <= known


def test_a_collision_is_minted_once_and_reported() -> None:
    table = AliasTable()
    table.add("vpc-0001", "vpc-0002", scope=EAST)
    assert table.collides("vpc-0001", EAST)
    assert not table.collides("vpc-0002", EAST)
    assert not table.collides("vpc-0009", EAST)
    minted = table.mint("vpc-0001", scope=EAST, learned_from=Origin(0, "ec2:CreateVpc"))
    assert minted.client.startswith("vpc-0") and minted.client not in ("vpc-0001", "vpc-0002")
    assert table.to_emulator(minted.client, EAST) == "vpc-0001"
    assert table.to_client("vpc-0001", EAST) == minted.client
    assert not table.collides("vpc-0001", EAST)
    assert table.take_minted() == [minted] and table.take_minted() == []


def test_a_token_that_is_the_same_on_both_sides_does_not_collide() -> None:
    table = AliasTable()
    table.add("vpc-0001", "vpc-0002", scope=EAST)
    table.add("vpc-0001", "vpc-0001", scope=WEST)
    assert not table.collides("vpc-0001", WEST)


@pytest.mark.parametrize("bad", ["abc", "a.b.c", "", "vpc-é001"])
def test_what_no_scan_could_find_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"no word|ascii"):
        AliasTable().add(bad, "vpc-0001")


def test_regions_belong_to_the_scope_of_their_caller() -> None:
    table = AliasTable()
    table.add("us-west-2", "us-east-1", scope=WEST, kind=AliasKind.REGION)
    assert table.to_emulator("us-west-2", WEST) == "us-east-1"
    assert table.to_client("us-east-1", WEST) == "us-west-2"
    assert table.to_client("us-east-1", EAST) == "us-east-1"


def test_the_listing_is_plain_data_in_the_order_of_learning() -> None:
    table = AliasTable()
    table.add("vpc-c222", "vpc-e222", scope=EAST, learned_from=Origin(7, "ec2:CreateVpc", "Vpc.VpcId"))
    table.add("vpc-c111", "vpc-e111", scope=EAST, learned_from=Origin(3, "ec2:CreateVpc", "Vpc.VpcId"))
    assert [entry["client"] for entry in table.listing()] == ["vpc-c111", "vpc-c222"]
    assert table.listing()[1] == {
        "client": "vpc-c222",
        "emulator": "vpc-e222",
        "kind": "identifier",
        "account": "",
        "region": "us-east-1",
        "learned_from": {"seq": 7, "call": "ec2:CreateVpc", "member": "Vpc.VpcId"},
        "minted": False,
    }
