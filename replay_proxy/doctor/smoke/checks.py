"""Carrying out one check of each kind. What a check changes, it takes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from replay_proxy.doctor.smoke.commands import parse_command
from replay_proxy.doctor.smoke.expectations import failure_of, short
from replay_proxy.doctor.smoke.queue_check import CheckFailed, QueueCheck
from replay_proxy.errors import ReplayProxyError
from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.mutability.judge import judge

WITHIN_S: Final = 10.0
_PAUSE_S: Final = 0.25
_STATUS_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of a check. failure: why it did not pass; empty where it did. seconds: how long it took."""

    name: str
    failure: str
    seconds: float


class Call(Protocol):
    """Makes a call in clients' identifiers, unrecorded: service, operation, parameters, region. Raises OSError, TimeoutError."""

    def __call__(
        self, service: str, operation: str, parameters: Mapping[str, Any], region: str
    ) -> Awaitable[Outcome]: ...


Fetch = Callable[[Request], Awaitable[Answer]]
"""Sends a request that is no AWS call, unrecorded. Raises OSError or TimeoutError."""


_CarryOut = Callable[[Any, Mapping[str, Any], str, float], Awaitable[str]]


class SmokeTests:
    """Carries out the checks of one file."""

    def __init__(self, document: Mapping[str, Any], call: Call, fetch: Fetch) -> None:
        self._document = document
        self._call = call
        self._fetch = fetch

    async def run(self) -> list[CheckResult]:
        """Carry out all checks, one after the other, and return what came of each."""
        return [await self._check(check) for check in self._document["checks"]]

    async def _check(self, check: Mapping[str, Any]) -> CheckResult:
        begun = time.monotonic()
        deadline = begun + float(check.get("within_s", WITHIN_S))
        region = str(check.get("region") or self._document.get("region") or "us-east-1")
        kinds: dict[str, _CarryOut] = {
            "invoke": self._invoke,
            "http": self._http,
            "queue": QueueCheck(self._ok).run,
            "stream": self._stream,
            "aws": self._aws,
        }
        kind = next(each for each in kinds if each in check)
        try:
            failure = await kinds[kind](check[kind], check.get("expect", {}), region, deadline)
        except (CheckFailed, ReplayProxyError) as error:
            failure = str(error)
        except (OSError, TimeoutError) as error:
            failure = f"there is no answer: {error or type(error).__name__}"
        return CheckResult(str(check["name"]), failure, time.monotonic() - begun)

    async def _ok(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        outcome = await self._call(service, operation, parameters, region)
        if not outcome.ok:
            raise CheckFailed(f"{service}:{operation}: {outcome.error_code}: {outcome.error_message}")
        return outcome.parsed

    async def _invoke(
        self, asked: Mapping[str, Any], expected: Mapping[str, Any], region: str, _deadline: float
    ) -> str:
        parameters: dict[str, Any] = {"FunctionName": asked["function"]}
        if "payload" in asked:
            parameters["Payload"] = orjson.dumps(asked["payload"])
        if "qualifier" in asked:
            parameters["Qualifier"] = asked["qualifier"]
        outcome = await self._call("lambda", "Invoke", parameters, region)
        found, wanted = outcome.parsed, expected.get("error")
        payload = _read(found.get("Payload", b""))
        if not outcome.ok:
            error, said = outcome.error_code, f"lambda:Invoke: {outcome.error_code}: {outcome.error_message}"
        elif found.get("FunctionError"):
            error = str(payload.get("errorType", "")) if isinstance(payload, Mapping) else ""
            said = f"the function failed: {payload!s}"[:500]
        else:
            error, said = "", ""
        if wanted is not None:
            return _other_error(error, wanted)
        return said or failure_of(payload, expected)

    async def _http(self, asked: Mapping[str, Any], expected: Mapping[str, Any], _region: str, _deadline: float) -> str:
        body = asked.get("body", b"")
        content = body.encode() if isinstance(body, str) else orjson.dumps(body) if body != b"" else b""
        fields = [("Host", asked.get("host", "localhost")), *asked.get("headers", {}).items()]
        if content or asked.get("method") in ("POST", "PUT", "PATCH"):
            fields.append(("Content-Length", str(len(content))))
        answer = await self._fetch(Request(asked.get("method", "GET"), asked["path"], Headers(fields), content))
        wanted = expected.get("status")
        if answer.status != wanted if wanted is not None else answer.status >= _STATUS_MAX:
            body = answer.body.decode("utf-8", "replace") if isinstance(answer.body, bytes) else ""
            return f"the status is {answer.status}, and not {wanted or 'below 400'}: {short(body) or 'no body'}"
        came = _read(answer.body if isinstance(answer.body, bytes) else b"")
        return failure_of(came, {name: value for name, value in expected.items() if name != "status"})

    async def _stream(self, asked: Mapping[str, Any], expected: Mapping[str, Any], region: str, deadline: float) -> str:
        read = asked["read"]
        both = ((asked["table"], asked["key"]), (read["table"], read["key"]))
        there = await self._ok("dynamodb", "GetItem", region, TableName=asked["table"], Key=asked["key"])
        if there.get("Item", asked["put"]) != asked["put"]:
            return f"{asked['table']} has another item under this key, which the check would delete: choose a key of its own"
        # A put that changes nothing is told to no consumer, and what another one wrote earlier says nothing of this one.
        for table, key in both:
            await self._ok("dynamodb", "DeleteItem", region, TableName=table, Key=key)
        await self._ok("dynamodb", "PutItem", region, TableName=asked["table"], Item=asked["put"])
        try:
            while True:
                found = await self._ok(
                    "dynamodb", "GetItem", region, TableName=read["table"], Key=read["key"], ConsistentRead=True
                )
                if "Item" in found and not (failure := failure_of(found["Item"], expected)):
                    return ""
                if time.monotonic() > deadline:
                    return (
                        failure if "Item" in found else f"no item came into {read['table']}: has the stream a consumer?"
                    )
                await asyncio.sleep(_PAUSE_S)
        finally:
            for table, key in both:
                with suppress(CheckFailed, OSError, TimeoutError):
                    await self._ok("dynamodb", "DeleteItem", region, TableName=table, Key=key)

    async def _aws(self, asked: str, expected: Mapping[str, Any], region: str, deadline: float) -> str:
        service, operation, parameters = parse_command(asked)
        changes = judge(service, operation).mutates  # and is not to be made twice
        while True:
            outcome = await self._call(service, operation, parameters, region)
            wanted = expected.get("error")
            if wanted is not None:
                failure = _other_error(outcome.error_code, wanted)
            elif not outcome.ok:
                failure = f"{outcome.error_code}: {outcome.error_message}"
            else:
                failure = failure_of(_plain(outcome.parsed), expected)
            if not failure or changes or time.monotonic() > deadline:
                return failure
            await asyncio.sleep(_PAUSE_S)


def _other_error(error: str, wanted: str) -> str:
    return "" if error == wanted else f"the error is {error or 'none'}, and not {wanted}"


def _read(body: Any) -> Any:
    content = body if isinstance(body, bytes | str) else b""
    try:
        return orjson.loads(content) if content else None
    except orjson.JSONDecodeError:
        return content.decode("utf-8", "replace") if isinstance(content, bytes) else content


def _plain(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))
