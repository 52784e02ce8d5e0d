"""Asks the emulator: readings in, answers out. Each read is sent once, whatever asks for it; all pages of a listing are read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Protocol

from replay_proxy.doctor.readings import Reading
from replay_proxy.doctor.texts import Listing
from replay_proxy.errors import MalformedMessage, ReplayProxyError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.resources.resource import Resource
from replay_proxy.wire.codecs.answers import Outcome, parse_answer
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.models.models import service_model
from replay_proxy.wire.models.pagination import pagination_of
from replay_proxy.wire.models.service_index import service_index
from replay_proxy.wire.signing.credentials import ACCOUNT_HEADER
from replay_proxy.wire.signing.sigv4 import Credential

PAGES_MAX: Final = 100
"""Of one listing. What is not on these is taken for absent."""
_DEFAULT_REGION: Final = "us-east-1"
_DEFAULT_KEY: Final = "test"
SAID_CHARACTERS_MAX: Final = 300


class Ask(Protocol):
    """Sends a request in clients' identifiers to the emulator, signed by `credential`, and returns its answer in them, too.

    Raises OSError or TimeoutError.
    """

    def __call__(self, head: CallHead, request: Request, credential: Credential) -> Awaitable[Answer]: ...


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A recorded call. access_key: that signed it. protocol: of its request. answer: as boto3 shows it.

    account: that the request named in a field of its own, as clients of moto do; empty for most.
    operation, parameters: what was asked for, as boto3 takes it.
    """

    access_key: str
    protocol: str
    answer: Mapping[str, Any]
    account: str = ""
    operation: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


CallFacts = Callable[[int], RecordedCall]
"""Tells of a recorded call, by its number. Blocking.

Raises ReplayProxyError or LookupError where it cannot be read.
"""


@dataclass(frozen=True)
class Answered:
    """What a read came to. outcome: None where there is no answer that can be read. said: an error, in a few words."""

    head: CallHead
    outcome: Outcome | None
    said: str

    @cached_property
    def listing(self) -> Listing:
        """What the answer says, made ready to be looked through for many resources; of a refusal nothing."""
        return Listing(self.outcome.parsed if self.outcome is not None and self.outcome.ok else {})


def call_in_place(
    service: str,
    operation: str,
    parameters: Mapping[str, Any],
    *,
    access_key: str,
    account: str = "",
    region: str = "",
    protocol: str = "",
    account_field: str = "",
) -> tuple[CallHead, Request, Credential]:
    """Return a call as it is asked for: in an account and region, in a protocol (empty: the service's own).

    account_field: the account that the request names in a field of its own; empty for most.

    Raises:
        LookupError, ValueError, TypeError: the model knows no such call, or not these parameters.
    """
    model = service_model(service)
    head = CallHead(service, operation, protocol or model.resolved_protocol, account, region, access_key)
    host = f"{model.endpoint_prefix}.{region or _DEFAULT_REGION}.amazonaws.com"
    signing_name = service_index().services[service].signing_name
    credential = Credential(access_key, region or _DEFAULT_REGION, signing_name, "header")
    request = build_request(head, parameters, host)
    if account_field:
        request = replace(request, headers=request.headers.replaced(ACCOUNT_HEADER, account_field))
    return head, request, credential


class Asker:
    """Asks one emulator. facts: of recorded calls. concurrency: reads that are under way at a time."""

    def __init__(self, ask: Ask, facts: CallFacts, concurrency: int) -> None:
        self._ask = ask
        self._facts = facts
        self._limit = asyncio.Semaphore(concurrency)
        self._answers: dict[str, asyncio.Task[Answered]] = {}

    @property
    def reads(self) -> int:
        """How many different reads were sent."""
        return len(self._answers)

    async def read(self, resource: Resource, reading: Reading) -> Answered:
        """Return what a read about a resource comes to. Raises OSError or TimeoutError where there is no answer."""
        place = f"{resource.key.account}/{resource.key.region}/{reading.key}"
        task = self._answers.get(place)
        if task is None:
            task = self._answers[place] = asyncio.create_task(self._all_pages(resource, reading))
        return await asyncio.shield(task)

    def recorded_call(self, seq: int) -> RecordedCall | None:
        """Return what a recorded call says; None where it cannot be read. Blocking."""
        try:
            return self._facts(seq)
        except (ReplayProxyError, LookupError):
            return None

    async def send(self, resource: Resource, operation: str, parameters: Mapping[str, Any]) -> Answered:
        """Make a call in the place of a resource, signed as the call that made it. Raises as `read`."""
        caller = await asyncio.to_thread(self._caller, resource)
        protocol = caller.protocol or self._protocol(resource.service)
        try:
            head, request, credential = call_in_place(
                resource.service,
                operation,
                parameters,
                access_key=caller.access_key or _DEFAULT_KEY,
                account=resource.key.account,
                region=resource.key.region,
                protocol=protocol,
                account_field=caller.account,
            )
        except (LookupError, ValueError, TypeError) as error:
            head = CallHead(resource.service, operation, protocol)
            return Answered(head, None, f"{operation} cannot be asked: {error}")
        async with self._limit:
            answer = await self._ask(head, request, credential)
        try:
            outcome = await asyncio.to_thread(parse_answer, head, answer, request)
        except MalformedMessage as error:
            return Answered(head, None, f"the answer to {operation} cannot be read: {error}")
        said = "" if outcome.ok else f"{operation}: {outcome.error_code}: {outcome.error_message}"
        return Answered(head, outcome, said.rstrip(": ")[:SAID_CHARACTERS_MAX])

    async def _all_pages(self, resource: Resource, reading: Reading) -> Answered:
        first = await self.send(resource, reading.operation, reading.parameters)
        pagination = pagination_of(reading.service, reading.operation) if reading.search else None
        if pagination is None or first.outcome is None or not first.outcome.ok:
            return first
        lists = pagination.lists(first.outcome.parsed)
        more, pages = pagination.next(first.outcome.parsed), 1
        while more and pages < PAGES_MAX:
            answered = await self.send(resource, reading.operation, {**reading.parameters, **more})
            if answered.outcome is None or not answered.outcome.ok:
                break
            for key, elements in pagination.lists(answered.outcome.parsed).items():
                lists.setdefault(key, []).extend(elements)
            before, more = more, pagination.next(answered.outcome.parsed)
            more, pages = {} if more == before else more, pages + 1
        for key, elements in lists.items():
            pagination.put(first.outcome.parsed, key, elements)
        return first

    def _caller(self, resource: Resource) -> RecordedCall:
        """Return the call of the client that made or changed a resource: the emulator has understood that. Blocking.

        Where there is none, a call is made up: its access key is the account, which the emulators take it for.
        """
        for seq in (resource.made_by, *resource.changed_by[:1]):
            if seq:
                try:
                    return self._facts(seq)
                except (ReplayProxyError, LookupError):
                    break
        account = resource.key.account
        return RecordedCall(account, "", {}, account)

    @staticmethod
    def _protocol(service: str) -> str:
        protocol: str = service_model(service).resolved_protocol
        return protocol
