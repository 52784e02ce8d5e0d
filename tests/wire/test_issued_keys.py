from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.wire.signing.issued_keys import IssuedKey, issued_keys, without_temporary_secrets

ENDS = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    "answer",
    [
        {"Credentials": {"AccessKeyId": "K", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": ENDS}},
        {"Credentials": {"AccessKeyId": "K", "SecretKey": "s", "SessionToken": "t", "Expiration": ENDS.timestamp()}},
        {
            "roleCredentials": {
                "accessKeyId": "K",
                "secretAccessKey": "s",
                "sessionToken": "t",
                "expiration": int(ENDS.timestamp() * 1000),
            }
        },
        {"AccessKeyId": "K", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "2026-01-31T00:00:00Z"},
    ],
)
def test_a_key_in_the_spelling_of_any_service(answer: dict[str, Any]) -> None:
    assert issued_keys(answer) == [IssuedKey("K", "s", "t", ENDS.timestamp())]


@pytest.mark.parametrize("answer", [{}, {"AccessKey": {"AccessKeyId": "K", "Status": "Active"}}, {"AccessKeyId": None}])
def test_no_key(answer: dict[str, Any]) -> None:
    assert issued_keys(answer) == []


def test_the_key_of_a_user_has_neither_token_nor_end() -> None:
    made = {"AccessKey": {"AccessKeyId": "K", "SecretAccessKey": "s", "CreateDate": ENDS}}
    assert issued_keys(made) == [IssuedKey("K", "s")]
    assert without_temporary_secrets(b"K longersecret", [IssuedKey("K", "longersecret")]) == b"K longersecret"


@given(st.text('abc/+=&<"\\é', min_size=8, max_size=40), st.text('xyz/+=&<"\\é', min_size=8, max_size=40))
def test_no_secret_of_a_temporary_key_is_left_in_any_format(secret: str, token: str) -> None:
    key = IssuedKey("KEY", secret, token)
    credentials = {"AccessKeyId": "KEY", "SecretAccessKey": secret, "SessionToken": token}
    slashed = json.dumps(credentials).replace("/", "\\/")
    for body in (json.dumps(credentials), json.dumps(credentials, ensure_ascii=False), slashed):
        done = without_temporary_secrets(body.encode(), [key])
        assert len(done) == len(body.encode())
        read = json.loads(done)
        assert read["AccessKeyId"] == "KEY"
        assert {*read["SecretAccessKey"], *read["SessionToken"]} == {"0"}
    xml = f"<AccessKeyId>KEY</AccessKeyId><S>{escape(secret)}</S><T>{escape(token)}</T>"
    done = without_temporary_secrets(xml.encode(), [key])
    assert set(done.decode().partition("<S>")[2].replace("</S><T>", "").removesuffix("</T>")) == {"0"}
