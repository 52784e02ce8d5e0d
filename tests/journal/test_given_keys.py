"""Calls of other tools' files with credentials that an earlier call of the file gave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.journal.interchange.foreign.formats import ImportTally, records

TOKEN, SECRET = "t" * 40 + "/+==", "s" * 40
ASSUMED = (
    "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>"
    "<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>"
    + SECRET
    + "</SecretAccessKey><SessionToken>"
    + TOKEN
    + "</SessionToken>"
    "<Expiration>2026-01-31T00:00:00Z</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>A:x</AssumedRoleId>"
    "<Arn>arn:aws:sts::{account}:assumed-role/r/x</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
)


def entry(key: str, service: str, body: str, answer: str, kind: str) -> dict[str, Any]:
    scope = (
        f"AWS4-HMAC-SHA256 Credential={key}/20260131/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
    headers = [{"name": "Host", "value": "localhost:5000"}, {"name": "Authorization", "value": scope}]
    headers.append({"name": "Content-Type", "value": "application/x-www-form-urlencoded"})
    request = {
        "method": "POST",
        "url": "http://localhost:5000/",
        "headers": headers,
        "postData": {"text": body, "mimeType": "x"},
    }
    content = {"text": answer, "mimeType": kind}
    response = {"status": 200, "headers": [{"name": "Content-Type", "value": kind}], "content": content}
    return {"startedDateTime": "2026-01-31T00:00:00Z", "time": 1, "request": request, "response": response}


def assume(key: str, account: str, by: str = "test") -> dict[str, Any]:
    body = f"Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::{account}:role/r&RoleSessionName=x"
    return entry(by, "sts", body, ASSUMED.format(key=key, account=account), "text/xml")


def topic(key: str, account: str) -> dict[str, Any]:
    made = f"<CreateTopicResult><TopicArn>arn:aws:sns:us-east-1:{account}:t</TopicArn></CreateTopicResult>"
    answer = f"<CreateTopicResponse xmlns='http://sns.amazonaws.com/doc/2010-03-31/'>{made}</CreateTopicResponse>"
    return entry(key, "sns", "Action=CreateTopic&Name=t&Version=2010-03-31", answer, "text/xml")


@pytest.mark.parametrize(
    ("calls", "accounts"),
    [
        (
            [assume("ASIA1", "222222222222"), topic("ASIA1", "222222222222"), topic("test", "1" * 12)],
            ["", "2" * 12, ""],
        ),
        (
            [assume("ASIA1", "2" * 12), assume("ASIA2", "3" * 12, by="ASIA1"), topic("ASIA2", "3" * 12)],
            ["", "2" * 12, "3" * 12],
        ),
        ([assume("ASIA1", "1" * 12), topic("test", "1" * 12), topic("ASIA1", "1" * 12)], ["", "", ""]),
    ],
)
def test_calls_are_of_the_account_of_their_key(
    calls: list[dict[str, Any]], accounts: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "calls.har"
    file.write_text(json.dumps({"log": {"version": "1.2", "creator": {}, "entries": calls}}))
    found = list(records(file, ImportTally()))
    assert [record.head.account for record in found if record.head is not None] == accounts
    for record in found:
        assert isinstance(record.answer.body, bytes)
        assert TOKEN.encode() not in record.answer.body
        assert SECRET.encode() not in record.answer.body
