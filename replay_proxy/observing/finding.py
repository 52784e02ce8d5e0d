"""What a look found: the plain call that makes what was seen, as a client would have made it, and its answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.journal.format.records import utc_now
from replay_proxy.observing.container import Caller, Container
from replay_proxy.replay.recorded_call import SEEN_BY
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.models.service_index import service_index
from replay_proxy.wire.signing.credentials import ACCOUNT_HEADER
from replay_proxy.wire.signing.sigv4 import Credential

_REST: Final = {"s3": "rest-xml", "scheduler": "rest-json"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is other than recorded.

    operation, parameters: the call that makes it. result: what that call would be answered; headers: for REST, in header fields.
    read: the operation that showed it. key: which part of the container it is about. made_at: when it was made, in seconds since
    the epoch, as far as the emulator says; else 0. notes: more notes of its record. expects: what is expected there from now on.
    """

    operation: str
    parameters: Mapping[str, Any]
    read: str
    key: str
    result: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    made_at: float = 0.0
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observation:
    """A finding as it is recorded: the call, its answer, who would have made it, when, and the notes."""

    head: CallHead
    request: Request
    answer: Answer
    credential: Credential
    time: str
    notes: Mapping[str, Any]


def head_of(container: Container, operation: str, access_key: str) -> CallHead:
    """Return the head of a call to the service of a container."""
    service = container.service
    protocol = _REST.get(service, "json")
    return CallHead(service, operation, protocol, container.account, container.region or "us-east-1", access_key)


def credential_for(container: Container, caller: Caller) -> Credential:
    """Return the credential scope of a call about a container."""
    signing_name = service_index().services[container.service].signing_name
    return Credential(caller.access_key, container.region or "us-east-1", signing_name, "header")


def request_of(head: CallHead, parameters: Mapping[str, Any], caller: Caller) -> Request:
    """Return a request as that client would send it, unsigned. Raises as `build_request`."""
    request = build_request(head, parameters, caller.host)
    if not caller.account:
        return request
    return replace(request, headers=request.headers.replaced(ACCOUNT_HEADER, caller.account))


def observation_of(finding: Finding, container: Container, caller: Caller) -> Observation:
    """Return a finding as the call that is recorded.

    Raises:
        LookupError, ValueError: the call cannot be written down, as for what the emulator shows against its own model.
    """
    head = head_of(container, finding.operation, caller.access_key)
    request = request_of(head, finding.parameters, caller)
    if head.protocol == "json":
        fields = {"Content-Type": request.headers.get("content-type"), **finding.headers}
        answer = Answer(200, Headers(fields.items()), orjson.dumps(finding.result))
    else:
        answer = Answer(200, Headers(finding.headers.items()), b"")
    notes = {SEEN_BY: f"{container.service}:{finding.read}", **finding.notes}
    made = _written(finding.made_at) if 0 < finding.made_at < time.time() else utc_now()
    return Observation(head, request, answer, credential_for(container, caller), made, notes)


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
