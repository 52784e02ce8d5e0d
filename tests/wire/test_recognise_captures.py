"""What real clients sent is recognised as what they said it was (captured by `scripts/capture-clients`)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from replay_proxy.exchange import Headers, Request
from replay_proxy.wire.recognition.recognise import needs_body, recognise

FILES = sorted((Path(__file__).parent / "captures").glob("*.jsonl"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_captured_request_is_recognised_as_what_the_client_said(file):
    wrong = []
    for number, (expect, request) in enumerate(captured(file), 1):
        head = recognise(request)
        named = f"{head.service}:{head.operation}" if head else None
        if named != expect:
            wrong.append(f"line {number}: {request.method} {request.target}: {named}, not {expect}")
    assert wrong == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_body_that_is_not_needed_changes_nothing(file):
    for _, request in captured(file):
        bodiless = Request(request.method, request.target, request.headers)
        if not needs_body(bodiless):
            assert recognise(bodiless) == recognise(request)


def test_the_captures_are_of_every_client_and_hold_no_secrets():
    assert {file.stem for file in FILES} == {"boto3", "cdk", "cli", "javascript", "terraform"}
    text = "".join(file.read_text() for file in FILES)
    assert "made-up" not in text
    assert Counter(part.split('"')[0][:8] for part in text.split("Signature=")[1:]).keys() == {"scrubbed"}


def captured(file: Path) -> list[tuple[str, Request]]:
    calls = []
    for line in file.read_text().splitlines():
        entry = json.loads(line)
        headers = Headers((name, value) for name, value in entry["headers"])
        calls.append((entry["expect"], Request(entry["method"], entry["target"], headers, entry["body"].encode())))
    return calls
