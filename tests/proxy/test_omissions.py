"""Kinds of what is not recorded: which requests may change something, what they are called, and how many are told apart."""

from __future__ import annotations

import pytest

from replay_proxy.exchange import Headers, Request
from replay_proxy.proxy.requests.journaling.omissions import KINDS_MAX, Omissions, may_change, request_kind

FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/x-amz-json-1.1")


@pytest.mark.parametrize(
    ("request_", "changes", "what"),
    [
        (Request("GET", "/a/b", Headers(), b""), False, "GET /a/…"),
        (Request("HEAD", "/", Headers(), b""), False, "HEAD /"),
        (Request("OPTIONS", "/x", Headers(), b""), False, "OPTIONS /x"),
        (Request("POST", "/x?y=1", Headers(), b""), True, "POST /x"),
        (Request("PUT", "http://h:1/x/y", Headers(), b""), True, "PUT /x/…"),
        (Request("PATCH", "/", Headers(), b""), True, "PATCH /"),
        (Request("DELETE", "/x/", Headers(), b""), True, "DELETE /x"),
        (Request("GET", "/?Action=CreateThing&Version=1", Headers(), b""), True, "GET / CreateThing"),
        (Request("GET", "/?Action=DescribeThings", Headers(), b""), False, "GET / DescribeThings"),
        (Request("POST", "/", Headers([FORM]), b"Version=1&Action=ListThings"), False, "POST / ListThings"),
        (Request("POST", "/", Headers([FORM]), b"Version=1&Action=MakeThings"), True, "POST / MakeThings"),
        (Request("POST", "/", Headers([JSON, ("X-Amz-Target", "A_1.GetThing")]), b"{}"), False, "POST / GetThing"),
        (Request("POST", "/", Headers([JSON, ("X-Amz-Target", "A_1.PutThing")]), b"{}"), True, "POST / PutThing"),
    ],
)
def test_what_a_request_says_that_it_does(request_: Request, changes: bool, what: str) -> None:
    assert may_change(request_) is changes
    assert request_kind(request_) == what


def test_kinds_have_a_bound() -> None:
    marked: list[str] = []
    omissions = Omissions(marked.append)
    for number in range(3 * KINDS_MAX):
        for _ in range(2):
            omissions.add_unrecognised(Request("POST", f"/{number}{'x' * 5000}", Headers(), b""), 200)
    told = omissions.as_json()
    assert len(told) == KINDS_MAX + 1
    assert len(marked) == KINDS_MAX + 1
    assert told[0] == {"what": "others", "why": "there are too many kinds to tell them apart", "count": 4 * KINDS_MAX}
    assert max(len(mark) for mark in marked) < 300


@pytest.mark.parametrize("status", [101, 199, 300, 400, 404, 500, 503])
def test_what_did_not_succeed_is_not_told(status: int) -> None:
    omissions = Omissions(lambda _reason: None)
    omissions.add_unrecognised(Request("POST", "/x", Headers(), b""), status)
    assert omissions.as_json() == []
