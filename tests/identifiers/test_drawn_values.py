from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.learning.drawn_values import learn_drawn
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.table.alias_table import AliasTable, Origin
from replay_proxy.wire.codecs.answers import Outcome, parse_answer

CREATE = CallHead("cognito-idp", "CreateUserPoolClient", "json", region="us-east-1")
REQUEST = Request("POST", "/", Headers(), b"{}")


def answer(secret: str) -> Answer:
    body = json.dumps({"UserPoolClient": {"ClientId": "a", "ClientSecret": secret}}).encode()
    return Answer(200, Headers(), body)


def learned(mine: str, theirs: str) -> tuple[AliasTable, list[str]]:
    table = AliasTable()
    outcomes = (parse_answer(CREATE, answer(each), REQUEST) for each in (mine, theirs))
    unpaired = learn_drawn(CREATE, *outcomes, table, learned_from=Origin(1, "cognito-idp:CreateUserPoolClient"))
    return table, unpaired


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("1f3b9c0ae", "77aa99ff0"),
        ("vrFQOCSwDaiEzChyC5e5wbatP+6EFvZw", "X4JAs9zxXLYZQhVtxpj7/sErVV7C9LK4"),
        ("1f:51:ae:28:bf:89:e9:d8:1f:25", "2f:51:ae:28:bf:89:e9:d8:1f:26"),
        ("-----BEGIN X-----\nMIIB1111\nabcd\n-----END X-----", "-----BEGIN X-----\nMIIB2222\nefgh\n-----END X-----"),
    ],
)
def test_a_drawn_value_is_shown_as_before(mine: str, theirs: str) -> None:
    table, unpaired = learned(mine, theirs)
    shown = answer_to_client(answer(theirs), CREATE, REQUEST, table)
    assert isinstance(shown.body, bytes)
    assert json.loads(shown.body)["UserPoolClient"]["ClientSecret"] == mine
    assert unpaired == []


def prints_of(head: CallHead, *shown: dict[str, Any]) -> dict[str, str]:
    """What two answers about a function teach of the print of its code."""
    table = AliasTable()
    request = Request("GET", "/2015-03-31/functions/f", Headers())
    outcomes = [parse_answer(head, Answer(200, Headers(), json.dumps(each).encode()), request) for each in shown]
    assert learn_drawn(head, *outcomes, table, learned_from=Origin(1, "lambda")) == []
    return {alias.client: alias.emulator for alias in table}


ONE, TWO = "choiV7fAP3tpwxdoETUFzz/kyhUGXYlCmNjThdZNsRE=", "pDKPeacaRcUI04PA9dT1glcUCKjEbRhcsiDq2Knb+wg="


def test_the_print_of_code_that_the_emulator_packed_is_shown_as_before() -> None:
    read = CallHead("lambda", "GetFunctionConfiguration", "rest-json", region="us-east-1")
    listed = CallHead("lambda", "ListFunctions", "rest-json", region="us-east-1")
    made = CallHead("lambda", "CreateFunction", "rest-json", region="us-east-1")
    first = {"FunctionName": "f", "CodeSha256": ONE, "CodeSize": 180}
    second = {"FunctionName": "f", "CodeSha256": TWO, "CodeSize": 180}
    assert prints_of(read, first, second) == {ONE: TWO}
    assert prints_of(listed, {"Functions": [first]}, {"Functions": [second]}) == {ONE: TWO}
    # Code of another size is other code, and what a client brings has one print.
    assert prints_of(read, first, {**second, "CodeSize": 181}) == {}
    assert prints_of(made, first, second) == {}


@pytest.mark.parametrize("mine", ['a"secret', "<secret>", "a\\secret", "sécret", "two\nlines", "a&secret"])
def test_what_could_break_a_message_is_named(mine: str) -> None:
    table, unpaired = learned(mine, "another-one")
    assert len(table) == 0
    assert unpaired == ["UserPoolClient.ClientSecret"]


@pytest.mark.parametrize(
    "texts",
    [
        [("second 10\nAAAA\n", "second 38\nBBBB\n"), ("second 11\nCCCC\n", "second 38\nDDDD\n")],
        [("second 10\nAAAA\n", "second 38\nBBBB\n"), ("second 10\nCCCC\n", "second 39\nDDDD\n")],
        [("AAAA\nfrom\nsecond 10", "BBBB\nfrom\nsecond 38"), ("CCCC\nfrom\nsecond 10", "DDDD\nfrom\nsecond 39")],
        [("AAAA\nsecond 10", "BBBB\nsecond 38"), ("CCCC\nsecond 10", "DDDD\nsecond 38")],
        [("AAAA\nsecond 10", "BBBB\nsecond 38"), ("CCCC\nsecond 11", "DDDD\nsecond 39"),
         ("EEEE\nsecond 10", "FFFF\nsecond 39")],
        [("AAAA\nleft", "BBBB\nright"), ("CCCC\nright", "DDDD\nright")],
        [("CCCC\nright", "DDDD\nright"), ("AAAA\nleft", "BBBB\nright")],
        [("AAAA\nleft", "BBBB\nright"), ("CCCC\nleft", "DDDD\nleft"), ("EEEE\nright", "FFFF\nleft")],
    ],
)  # fmt: skip
def test_a_line_may_be_shared_by_two_texts_then_or_now(texts: list[tuple[str, str]]) -> None:
    """Two certificates of one second have one line that tells the time, and are made anew in two seconds, or the other way."""
    table = AliasTable()
    for mine, theirs in texts * 2:
        outcomes = (parse_answer(CREATE, answer(each), REQUEST) for each in (mine, theirs))
        assert not learn_drawn(CREATE, *outcomes, table, learned_from=Origin(1, "cognito-idp:CreateUserPoolClient"))
    for mine, theirs in texts:
        shown = answer_to_client(answer(theirs), CREATE, REQUEST, table)
        assert isinstance(shown.body, bytes)
        assert json.loads(shown.body)["UserPoolClient"]["ClientSecret"] == mine
        sent = {"UserPoolId": "p", "ClientId": "a", "LogoutURLs": [mine]}
        head = CallHead("cognito-idp", "UpdateUserPoolClient", "json", region="us-east-1")
        body = request_to_emulator(Request("POST", "/", Headers(), json.dumps(sent).encode()), head, table).body
        assert isinstance(body, bytes)
        assert json.loads(body)["LogoutURLs"] == [theirs]


def test_a_line_that_nothing_of_its_own_stands_beside_is_named() -> None:
    table, unpaired = AliasTable(), []
    for mine, theirs in (("second 10\nAAAA", "second 38\nBBBB"), ("second 11\nAAAA", "second 38\nBBBB")):
        outcomes = (parse_answer(CREATE, answer(each), REQUEST) for each in (mine, theirs))
        unpaired.append(
            learn_drawn(CREATE, *outcomes, table, learned_from=Origin(1, "cognito-idp:CreateUserPoolClient"))
        )
    assert unpaired == [[], ["UserPoolClient.ClientSecret"]]


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_message_stays_whole_whatever_was_drawn(mine: str, theirs: str) -> None:
    table, unpaired = learned(mine, theirs)
    shown = answer_to_client(answer(theirs), CREATE, REQUEST, table)
    assert isinstance(shown.body, bytes)
    value: Any = json.loads(shown.body)["UserPoolClient"]["ClientSecret"]
    assert value == mine or unpaired


@pytest.mark.parametrize(
    ("head", "spelled"),
    [
        (CallHead("cognito-identity", "GetCredentialsForIdentity", "json"), ("SecretKey", "SessionToken")),
        (CallHead("sso", "GetRoleCredentials", "rest-json"), ("secretAccessKey", "sessionToken")),
    ],
)
def test_zeros_in_the_place_of_a_secret_are_never_shown(head: CallHead, spelled: tuple[str, str]) -> None:
    """A recording holds zeros in the place of what signs with a temporary key, and of its token."""
    holder = "Credentials" if head.service == "cognito-identity" else "roleCredentials"
    key = "AccessKeyId" if head.service == "cognito-identity" else "accessKeyId"

    def given(secret: str, token: str) -> Answer:
        body = {holder: {key: "ASIAQWERTZUIOPASDFGH", spelled[0]: secret, spelled[1]: token}}
        return Answer(200, Headers(), json.dumps(body).encode())

    real = given("ABCSECRETKEY", "token-of-today")
    table = AliasTable()
    outcomes = [parse_answer(head, each, REQUEST) for each in (given("0" * 12, "0" * 14), real)]
    assert not learn_drawn(head, *outcomes, table, learned_from=Origin(1, f"{head.service}:{head.operation}"))
    assert answer_to_client(real, head, REQUEST, table).body == real.body


def test_bytes_are_shown_as_before_but_not_those_of_a_key() -> None:
    def made(member: str, head: CallHead, *values: bytes) -> AliasTable:
        table = AliasTable()
        outcomes = [Outcome(200, {member: {"Base32StringSeed": v} if head.service == "iam" else v}) for v in values]
        assert not learn_drawn(head, *outcomes, table, learned_from=Origin(1, f"{head.service}:{head.operation}"))
        return table

    device = CallHead("iam", "CreateVirtualMFADevice", "query")
    table = made("VirtualMFADevice", device, b"JBSWY3DPEHPK3PXP", b"GEZDGNBVGY3TQOJQ")
    answer = (
        b"<CreateVirtualMFADeviceResponse><CreateVirtualMFADeviceResult><VirtualMFADevice><Base32StringSeed>%s"
        b"</Base32StringSeed></VirtualMFADevice></CreateVirtualMFADeviceResult></CreateVirtualMFADeviceResponse>"
    )
    mine, theirs = (answer % base64.b64encode(each) for each in (b"JBSWY3DPEHPK3PXP", b"GEZDGNBVGY3TQOJQ"))
    assert answer_to_client(Answer(200, Headers(), theirs), device, REQUEST, table).body == mine
    pair = CallHead("kms", "GenerateDataKeyPair", "json")
    assert len(made("PublicKey", pair, b"one half of a key", b"one half of another")) == 0
