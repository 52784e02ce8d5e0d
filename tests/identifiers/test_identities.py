from __future__ import annotations

from typing import Any

import pytest

from replay_proxy.exchange import CallHead, Headers, Request
from replay_proxy.identifiers.learning.identities import other_identities
from replay_proxy.identifiers.learning.learn import learn
from replay_proxy.identifiers.table.alias_table import AliasKind, AliasTable
from replay_proxy.wire.codecs.answers import Outcome

HOME, OTHER, ELSEWHERE = "123456789012", "222222222222", "000000000000"
ASSUME = Request(
    "POST", "/", Headers(), f"Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A{OTHER}%3Arole%2Fapp".encode()
)
ASK = Request("POST", "/", Headers(), b"Action=GetCallerIdentity")


def caller(arn: str, account: str = HOME, unique_id: str = "AIDA1234567890") -> dict[str, Any]:
    return {"UserId": unique_id, "Account": account, "Arn": arn}


def session(name: str = "s", account: str = OTHER, unique_id: str = "AROA1234567890") -> dict[str, Any]:
    user = {"AssumedRoleId": f"{unique_id}:{name}", "Arn": f"arn:aws:sts::{account}:assumed-role/app/{name}"}
    return {"AssumedRoleUser": user, "Credentials": {"AccessKeyId": f"ASIA{name}", "SessionToken": name}}


def others(
    recorded: dict[str, Any], replayed: dict[str, Any], table: AliasTable | None = None, account: str = ""
) -> list[str]:
    """The members that tell of different identities."""
    is_ask = "UserId" in recorded
    head = CallHead("sts", "GetCallerIdentity" if is_ask else "AssumeRole", "query", account, "us-east-1", "test")
    one, two = Outcome(200, recorded), Outcome(200, replayed)
    found = other_identities(head, ASK if is_ask else ASSUME, one, two, AliasTable() if table is None else table)
    assert all(each.misplaced and each.expected != each.actual for each in found)
    return sorted(each.path for each in found)


USER, ROOT = f"arn:aws:sts::{HOME}:user/moto", f"arn:aws:iam::{ELSEWHERE}:root"
ROLE = f"arn:aws:sts::{OTHER}:assumed-role/app/s"


def test_unique_ids_are_drawn_and_accounts_are_the_emulators() -> None:
    assert others(caller(USER), caller(USER, unique_id="AIDA0987654321")) == []
    assert others(caller(USER), caller(USER.replace(HOME, ELSEWHERE), ELSEWHERE)) == []
    assert others(session(), session(unique_id="AROA0987654321")) == []


def test_the_default_caller_of_another_emulator_is_left_to_the_comparison() -> None:
    assert others(caller(USER), caller(ROOT, ELSEWHERE, ELSEWHERE)) == []
    assert others(caller(ROOT, ELSEWHERE, ELSEWHERE), caller(USER)) == []


@pytest.mark.parametrize("default", [USER, ROOT])
def test_credentials_that_became_those_of_the_default_caller_are_told(default: str) -> None:
    assert "Arn" in others(caller(ROLE, OTHER, "AROA12:s"), caller(default))
    assert "Arn" in others(caller(f"arn:aws:iam::{HOME}:user/ci"), caller(default))


@pytest.mark.parametrize(
    ("recorded", "replayed", "told"),
    [
        (caller(USER), caller(USER.replace("moto", "mota")), ["Arn"]),
        (caller(ROOT, ELSEWHERE), caller(ROOT.replace("root", "rooa"), ELSEWHERE), ["Arn"]),
        (caller(USER), caller(USER, account=ELSEWHERE), ["Arn"]),
        (caller(ROLE, OTHER, "AROA12:s"), caller(ROLE, OTHER, "AROA13:t"), ["UserId"]),
        (caller(ROOT, ELSEWHERE, ELSEWHERE), caller(ROOT, ELSEWHERE, "00000000000a"), ["UserId"]),
        (session("s"), session("t"), ["AssumedRoleUser.Arn", "AssumedRoleUser.AssumedRoleId"]),
        (session(), session(account=ELSEWHERE), ["AssumedRoleUser.Arn"]),
    ],
)
def test_names_and_accounts_that_clients_chose_are_told_where_they_are_others(
    recorded: dict[str, Any], replayed: dict[str, Any], told: list[str]
) -> None:
    assert others(recorded, replayed) == told


def test_an_account_for_which_the_key_was_given_is_told_where_it_is_another() -> None:
    shown = caller(ROLE, OTHER, "AROA12:s"), caller(ROLE.replace(OTHER, ELSEWHERE), ELSEWHERE, "AROA12:s")
    assert others(*shown, account=OTHER) == ["Account", "Arn"]
    assert others(*shown) == []


def test_an_account_is_the_one_that_the_emulator_has_shown_before() -> None:
    table = AliasTable()
    table.add(HOME, ELSEWHERE, kind=AliasKind.ACCOUNT)
    assert others(caller(USER), caller(USER.replace(HOME, ELSEWHERE), ELSEWHERE), table) == []
    assert others(caller(USER), caller(USER), table) == ["Account", "Arn"]
    table = AliasTable()
    table.keep_account(HOME)
    assert others(caller(USER), caller(USER.replace(HOME, ELSEWHERE), ELSEWHERE), table) == ["Account", "Arn"]


def test_a_unique_id_that_another_call_gave_is_told_where_it_is_another() -> None:
    table = AliasTable()
    head = CallHead("iam", "CreateUser", "query", "", "us-east-1", "test")
    given = ({"User": {"UserName": "ci", "UserId": each}} for each in ("AIDA1234567890", "AIDA0987654321"))
    learn(head, ASK, *(Outcome(200, each) for each in given), table, learned_from="7 iam:CreateUser")
    arn = f"arn:aws:iam::{HOME}:user/ci"
    assert others(caller(arn), caller(arn, unique_id="AIDA0987654321"), table) == []
    assert others(caller(arn), caller(arn, unique_id="AIDA1111111111"), table) == ["UserId"]
