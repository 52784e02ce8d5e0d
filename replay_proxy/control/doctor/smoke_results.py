"""Smoke tests, carried out by whatever sends requests in clients' identifiers, and what came of each as JSON values."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from replay_proxy.doctor.asking import call_in_place
from replay_proxy.doctor.smoke.checks import SmokeTests
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.wire.codecs.answers import Outcome, parse_answer
from replay_proxy.wire.signing.sigv4 import Credential


class AskAnything(Protocol):
    """Sends a request in clients' identifiers, and returns its answer in them. head: None where it is no AWS call."""

    def __call__(self, head: CallHead | None, request: Request, credential: Credential) -> Awaitable[Answer]: ...


async def smoke_results(ask: AskAnything, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Carry out the checks of `document` (`doctor.smoke.document`), and return name, failure and seconds of each."""
    key = str(document.get("access_key") or "test")

    async def call(service: str, operation: str, parameters: Mapping[str, Any], region: str) -> Outcome:
        head, request, credential = call_in_place(service, operation, parameters, access_key=key, region=region)
        return await asyncio.to_thread(parse_answer, head, await ask(head, request, credential), request)

    async def fetch(request: Request) -> Answer:
        return await ask(None, request, Credential())

    results = await SmokeTests(document, call, fetch).run()
    return [{"name": each.name, "failure": each.failure, "seconds": round(each.seconds, 3)} for each in results]
