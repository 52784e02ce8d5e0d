from __future__ import annotations

from typing import Any

import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.learning.accounts import mixed_accounts, note_same_accounts
from replay_proxy.identifiers.learning.compare import compare_outcomes
from replay_proxy.identifiers.learning.learn import learn
from replay_proxy.identifiers.table.alias_table import AliasKind, AliasTable, Scope
from replay_proxy.wire.codecs.answers import Outcome

NO_REQUEST = Request("POST", "/", Headers())
HOME, OTHER, ELSEWHERE = "123456789012", "222222222222", "000000000000"


def arn(account: str) -> dict[str, Any]:
    return {"TopicArn": f"arn:aws:sns:us-east-1:{account}:t"}


def mixed(recorded: dict[str, Any], replayed: dict[str, Any], table: AliasTable) -> list[str]:
    return [str(each) for each in mixed_accounts(NO_REQUEST, Outcome(200, recorded), Outcome(200, replayed), table)]


@pytest.mark.parametrize(
    "show",
    [
        arn,
        lambda account: {"QueueUrl": f"http://localhost:{len(account)}/{account}/jobs"},
        lambda account: {"QueueUrl": f"http://sqs.eu-west-1.localhost.localstack.cloud:1/{account}/jobs"},
        lambda account: {"Vpc": {"OwnerId": account}},
        lambda account: {"Role": {"Arn": f"arn:aws:iam::{account}:role/app"}},
    ],
)
@pytest.mark.parametrize("first", [HOME, OTHER])
def test_two_accounts_in_one_are_told_in_either_order(show: Any, first: str) -> None:
    table = AliasTable()
    assert mixed(show(first), show(HOME), table) == []
    (told,) = mixed(show(OTHER if first == HOME else HOME), show(HOME), table)
    assert HOME in told
    assert OTHER in told


@pytest.mark.parametrize("caller", ["", HOME])
@pytest.mark.parametrize("operation", ["CreateAccount", "CreateGovCloudAccount", "DescribeCreateAccountStatus"])
def test_an_account_that_is_made_is_learned_whoever_makes_it(caller: str, operation: str) -> None:
    head, table = CallHead("organizations", operation, "json", caller, "us-east-1"), AliasTable()
    shown = [
        Outcome(200, {"CreateAccountStatus": {"State": "SUCCEEDED", "AccountId": each}})
        for each in (OTHER, "333333333333")
    ]
    learn(head, NO_REQUEST, *shown, table)
    assert compare_outcomes(head, *shown, table).equivalent
    inside = Scope(OTHER, "eu-west-2")
    assert (table.to_emulator(OTHER, inside), table.to_client("333333333333", inside)) == ("333333333333", OTHER)


def test_an_account_of_another_emulator_is_no_mixture() -> None:
    table = AliasTable()
    assert mixed(arn(HOME), arn(ELSEWHERE), table) == []
    assert mixed(arn(OTHER), arn(OTHER), table) == []
    assert mixed(arn(HOME), arn(ELSEWHERE), table) == []


def test_things_that_differ_and_elements_of_lists_tell_nothing() -> None:
    table = AliasTable()
    note_same_accounts(NO_REQUEST, Answer(200, Headers(), b"<Arn>arn:aws:sns:us-east-1:123456789012:t</Arn>"), table)
    assert mixed({"Arns": list(arn(OTHER).values())}, {"Arns": list(arn(HOME).values())}, table) == []
    assert mixed(arn(OTHER), {"TopicArn": f"arn:aws:sns:us-east-1:{HOME}:u"}, table) == []
    assert len(mixed(arn(OTHER), arn(HOME), table)) == 1


def test_no_alias_puts_two_accounts_into_one() -> None:
    table = AliasTable()
    table.add(OTHER, HOME, kind=AliasKind.ACCOUNT)
    assert table.to_client(HOME) == OTHER
    # The account that has one name on both sides keeps it.
    assert table.note_accounts(HOME, HOME) == OTHER
    assert len(table) == 0
    assert table.add(OTHER, HOME, kind=AliasKind.ACCOUNT) == []
    assert table.to_client(HOME) == HOME
    table.add(OTHER, ELSEWHERE, kind=AliasKind.ACCOUNT)
    assert table.to_emulator(OTHER) == ELSEWHERE


def replayed(
    call: str,
    recorded: dict[str, Any],
    given: dict[str, Any],
    table: AliasTable,
    body: bytes = b"",
    account: str = HOME,
) -> tuple[bool, list[str]]:
    """Whether a call counts as restored, and what is to be told of it."""
    service, _, operation = call.partition(":")
    head = CallHead(service, operation, "json", account, "us-east-1", "test")
    request, one, two = Request("POST", "/", Headers(), body), Outcome(200, recorded), Outcome(200, given)
    told = [str(each) for each in learn(head, request, one, two, table, learned_from=f"7 {call}").ambiguous]
    equivalent = compare_outcomes(head, one, two, table).equivalent
    return equivalent and not mixed_accounts(request, one, two, table), told


SHOWN = [
    ("sns:CreateTopic", lambda account, region: {"TopicArn": f"arn:aws:sns:{region}:{account}:t"}),
    ("lambda:PublishVersion", lambda account, region: {"FunctionArn": f"arn:aws:lambda:{region}:{account}:function:f"}),
    ("kms:CreateKey", lambda account, region: {"KeyMetadata": {"Arn": f"arn:aws:kms:{region}:{account}:key/orders-1"}}),
]


@pytest.mark.parametrize(("call", "shown"), SHOWN)
def test_another_region_than_that_of_the_call_is_a_divergence(call: str, shown: Any) -> None:
    table = AliasTable()
    assert replayed(call, shown(HOME, "us-east-1"), shown(HOME, "us-easa-1"), table)[0] is False
    assert table.to_client("us-easa-1") == "us-easa-1"


@pytest.mark.parametrize(("call", "shown"), SHOWN)
@pytest.mark.parametrize("named", [HOME, ""])
def test_an_account_that_kept_its_name_gets_no_other(call: str, shown: Any, named: str) -> None:
    """named: the account that the call names."""
    table, region = AliasTable(), "us-east-1"
    assert replayed("sqs:X", arn(HOME), arn(HOME), table, account=named)[0]
    assert replayed(call, shown(HOME, region), shown(ELSEWHERE, region), table, account=named)[0] is False
    assert table.to_client(ELSEWHERE) == ELSEWHERE


@pytest.mark.parametrize(("call", "shown"), SHOWN)
def test_an_account_of_the_call_that_is_shown_as_another_is_told(call: str, shown: Any) -> None:
    """An emulator may not take the account that a client names; clients still see their own."""
    table, region = AliasTable(), "us-east-1"
    repeated = f'{{"Role": "arn:aws:iam::{HOME}:role/r"}}'.encode()
    assert replayed("lambda:X", {"Role": arn(HOME)["TopicArn"]}, {"Role": arn(HOME)["TopicArn"]}, table, repeated)[0]
    equivalent, told = replayed(call, shown(HOME, region), shown(ELSEWHERE, region), table)
    assert equivalent and any(ELSEWHERE in each for each in told)
    assert replayed(call, shown(HOME, region), shown(ELSEWHERE, region), table) == (True, []), "once"


def test_an_account_of_another_emulator_is_learned_where_the_call_names_none() -> None:
    assert replayed("sns:CreateTopic", arn(HOME), arn(ELSEWHERE), AliasTable(), account="") == (True, [])


@pytest.mark.parametrize(
    ("call", "member", "sent"),
    [
        ("secretsmanager:PutSecretValue", "VersionId", "ClientRequestToken"),
        ("secretsmanager:CreateSecret", "VersionId", "ClientRequestToken"),
        ("glue:StartJobRun", "JobRunId", "JobRunId"),
        ("ec2:CreateKeyPair", "KeyPairId", "KeyName"),
    ],
)
def test_what_a_client_named_and_is_called_otherwise_is_told(call: str, member: str, sent: str) -> None:
    ours, theirs = {member: "0a1b2c3d-0000-4444-8888-99aabbccddee"}, {member: "0a1b2c3d-0000-4444-8888-99aabbccddef"}
    body = f'{{"{sent}": "{ours[member]}"}}'.encode()
    table = AliasTable()
    assert any(theirs[member] in each for each in replayed(call, ours, theirs, table, body)[1])
    assert replayed(call, ours, theirs, AliasTable())[1] == [], "the emulator drew it"
