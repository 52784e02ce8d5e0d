from __future__ import annotations

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.user_pools.one_time_codes import OneTimeSecrets, code_of

# RFC 6238, appendix B, in six digits.
SEED = base64.b32encode(b"12345678901234567890").decode()
ASSOCIATE = CallHead("cognito-idp", "AssociateSoftwareToken", "json")
VERIFY = CallHead("cognito-idp", "VerifySoftwareToken", "json")


@pytest.mark.parametrize(
    ("moment", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_codes_are_those_of_the_standard(moment: int, code: str) -> None:
    assert code_of(SEED, moment) == code


def secrets(mine: str, theirs: str) -> OneTimeSecrets:
    known = OneTimeSecrets()
    known.learn(ASSOCIATE, *(Answer(200, Headers(), orjson.dumps({"SecretCode": each})) for each in (mine, theirs)))
    return known


def sent(code: str) -> Request:
    return Request("POST", "/", Headers([("Content-Length", "1")]), orjson.dumps({"UserCode": code}))


def test_a_code_of_then_becomes_one_of_now_and_a_wrong_one_stays() -> None:
    known = secrets(SEED, SEED)
    made = "1970-01-01T00:00:59.000000Z"
    changed = known.with_codes(sent("287082"), VERIFY, made)
    assert isinstance(changed.body, bytes)
    assert changed.body != sent("287082").body
    assert changed.headers.get("content-length") == str(len(changed.body))
    wrong = sent("287083")
    assert known.with_codes(wrong, VERIFY, made) is wrong
    assert known.with_codes(wrong, VERIFY, "yesterday") is wrong


@given(st.text(), st.text())
def test_no_text_breaks_it(secret: str, code: str) -> None:
    known = secrets(secret, secret)
    known.with_codes(sent(code), VERIFY, "2026-01-31T12:00:00Z")
