"""botocore's protocol conformance cases: its requests read backwards, its answers read as it reads them."""

from __future__ import annotations

import base64
import functools
import math
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import orjson
import pytest
from botocore.model import OperationModel, ServiceModel

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.wire.codecs.answers import read_answer
from replay_proxy.wire.codecs.parameters import read_parameters
from tests.wire.botocore_cases import cases

EXCEPTIONS = orjson.loads((Path(__file__).parent / "botocore_case_exceptions.json").read_bytes())


def plain(value: Any) -> Any:
    """A value as the cases write it: text for bytes, seconds for times, words for numbers that JSON lacks."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def model_of(suite: dict[str, Any], case: dict[str, Any]) -> tuple[CallHead, OperationModel]:
    name = case["given"].get("name", "OperationName")
    service = ServiceModel({**suite, "operations": {name: case}})
    return CallHead("test", name, service.metadata["protocol"]), OperationModel(case["given"], service)


def identity(suite: dict[str, Any], case: dict[str, Any]) -> str:
    return str(case.get("id") or f"legacy:{suite['description']}")


@functools.cache
def differing(direction: str) -> tuple[int, list[tuple[str, Any, Any]]]:
    """How many cases there are, and those that come out otherwise: name, ours, theirs."""
    found = []
    for file, suite, case in cases(direction):
        head, operation = model_of(suite, case)
        check = read_request if direction == "input" else read_response
        try:
            ours, theirs = check(file, head, operation, case)
        except MalformedMessage as error:
            ours, theirs = error, None
        if ours != theirs:
            found.append((identity(suite, case), ours, theirs))
    return len(cases(direction)), found


def read_request(file: str, head: CallHead, operation: OperationModel, case: dict[str, Any]) -> tuple[Any, Any]:
    wire = case["serialized"]
    body = wire.get("body") or ""
    content = base64.b64decode(body) if "cbor" in file else body.encode()
    fields = [("Host", wire.get("host", "example.com")), *wire.get("headers", {}).items()]
    request = Request(wire.get("method", "POST"), wire["uri"], Headers(fields), content)
    return plain(read_parameters(head, operation, request)), plain(case.get("params", {}))


def read_response(file: str, head: CallHead, operation: OperationModel, case: dict[str, Any]) -> tuple[Any, Any]:
    wire = case["response"]
    body = wire.get("body", "")
    content = base64.b64decode(body) if "cbor" in file else body.encode()
    answer = Answer(wire["status_code"], Headers(wire.get("headers", {}).items()), content)
    outcome = read_answer(head, operation, answer)
    if "error" in case:
        message = case.get("errorMessage") or case["error"].get("Message") or case["error"].get("message", "")
        return (outcome.ok, outcome.error_code, outcome.error_message), (False, case.get("errorCode", ""), message)
    return (outcome.ok, plain(outcome.parsed)), (True, plain(case["result"]))


@pytest.mark.parametrize("direction", ["input", "output"])
def test_cases_come_out_as_botocore_has_them_but_for_the_listed_ones(direction: str) -> None:
    count, found = differing(direction)
    patterns = [pattern for entry in EXCEPTIONS[direction] for pattern in entry["ids"]]
    assert [case for case in found if not any(fnmatchcase(case[0], pattern) for pattern in patterns)] == []
    assert count > 400
    assert len(found) < 60


@pytest.mark.parametrize("direction", ["input", "output"])
def test_every_exception_is_still_needed_and_has_its_reason(direction: str) -> None:
    names = {name for name, _, _ in differing(direction)[1]}
    for entry in EXCEPTIONS[direction]:
        assert entry["reason"].endswith(".")
        for pattern in entry["ids"]:
            assert any(fnmatchcase(name, pattern) for name in names), pattern
