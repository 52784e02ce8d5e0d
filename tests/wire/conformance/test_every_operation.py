"""Every operation of every service, in every protocol: botocore writes the request, recognition names it back."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import orjson
import pytest
from botocore_requests import ACCOUNT, REGION, SINGLE_HOST, loader, requests_of

from replay_proxy.exchange import Request
from replay_proxy.wire.models.service_index import service_index
from replay_proxy.wire.recognition.recognise import needs_body, recognise
from tests.support.processes import left_out

RULES = orjson.loads(
    (Path(__file__).parents[3] / "replay_proxy" / "wire" / "models" / "data" / "recognition.json").read_bytes()
)
MAY_BE_MISNAMED = 20

Call = tuple[str, str, str]  # service, operation, protocol


@pytest.fixture(scope="module")
def outcome() -> tuple[int, dict[Call, Call | None], list[str]]:
    """How many calls were made; what those that were named otherwise were named; what else was wrong."""
    return check_all(None)


def test_clients_older_than_the_installed_models_are_understood():
    # Version 1 of the AWS CLI brings models of its own, which are some months behind.
    if reason := left_out(0.3):
        pytest.skip(f"all operations in the models of the AWS CLI: {reason}")
    command_line = importlib.util.find_spec("awscli")
    older = Path(command_line.origin).parent / "botocore" / "data" if command_line else Path("missing")
    if not older.is_dir():
        pytest.skip("no awscli with models of its own is installed")
    calls, differing, faults = check_all(str(older))
    assert {call: other for call, other in differing.items() if call[:2] not in LISTED} == {}
    assert faults == []
    assert calls > 18_000


def test_every_call_is_named_back_but_for_the_listed_ones(outcome):
    calls, differing, _ = outcome
    named = {call[:2]: (other[:2] if other else None) for call, other in differing.items()}
    assert named == {call: other for call, other in LISTED.items() if call in named or is_installed(*call)}
    assert calls > 19_000


def test_protocol_account_region_and_the_need_of_a_body_are_right(outcome):
    assert outcome[2] == []


def test_few_calls_are_named_as_another_operation(outcome):
    _, differing, _ = outcome
    misnamed = [call for call, other in differing.items() if other is None or other[1] != call[1]]
    assert len(misnamed) < MAY_BE_MISNAMED


def check_all(models: str | None) -> tuple[int, dict[Call, Call | None], list[str]]:
    services = loader(models).list_available_services("service-2")
    with multiprocessing.get_context("spawn").Pool(min(2, os.cpu_count() or 1)) as pool:
        results = pool.map(partial(check_service, models=models), services, chunksize=8)
    calls, differing, faults = 0, {}, []
    for count, others, wrong in results:
        calls += count
        differing.update(others)
        faults += wrong
    return calls, differing, faults


def check_service(service: str, models: str | None) -> tuple[int, dict[Call, Call | None], list[str]]:
    """The outcome for one service (module-level: it runs in a process of its own)."""
    calls, differing, faults = set(), {}, []
    for protocol, operation, variant, request in requests_of(service, models):
        call = (service, operation, protocol)
        calls.add(call)
        head = recognise(request)
        named = (head.service, head.operation, head.protocol) if head else None
        if named != call:
            differing[call] = named
        if head is None:
            faults.append(f"{call} {variant}: not recognised")
            continue
        expected = (ACCOUNT, REGION) if "authorization" in request.headers else ("", "")
        if request.headers.get("authorization").startswith("Bearer"):
            expected = ("", "")
        if (head.account, head.region) != expected or head.protocol != protocol:
            faults.append(f"{call} {variant}: {head}")
        bodiless = Request(request.method, request.target, request.headers)
        if not needs_body(bodiless) and recognise(bodiless) != head:
            faults.append(f"{call} {variant}: needs_body denied the body that decided")
        if needs_body(bodiless) and protocol not in {"query", "ec2"}:
            faults.append(f"{call} {variant}: needs_body asked for a body that does not decide")
        if operation != "ListDirectoryBuckets":  # its signature is what tells it from ListBuckets
            faults += fault_at_own_host(call, request)
    return len(calls), differing, faults


def fault_at_own_host(call: Call, request: Request) -> list[str]:
    """What is wrong with the recognition of a call that is not signed, sent to the host of its service."""
    service, operation, _ = call
    prefix = request.headers.get("host").removesuffix(SINGLE_HOST)
    named = set()
    for label in service_index().services[service].hosts:
        host = f"{prefix}{label}.{REGION}.amazonaws.com"
        headers = request.headers.without("authorization").replaced("Host", host)
        head = recognise(Request(request.method, request.target, headers, request.body))
        named.add((head.service, head.operation) if head else None)
    twins = {
        LISTED.get((service, operation)),
        *(call for call, other in LISTED.items() if other == (service, operation)),
    }
    if named <= {(service, operation), *twins}:
        return []
    return [f"{call} unsigned at the host of its service: {named}"]


def listed_exceptions() -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """(service, operation) as called and as named, from the data file."""
    for entry in RULES["twins"]:
        operations = operations_of(entry["service"]) if entry["operations"] == "*" else entry["operations"]
        for operation in operations:
            yield (entry["service"], operation), (entry["named"], operation)
    for entry in RULES["misnamed"]:
        named = entry.get("named_service", entry["service"])
        yield (entry["service"], entry["operation"]), (named, entry["named"])


@cache
def operations_of(service: str) -> list[str]:
    return list(loader().load_service_model(service, "service-2")["operations"])


def is_installed(service: str, operation: str) -> bool:
    return service in loader().list_available_services("service-2") and operation in operations_of(service)


LISTED = dict(listed_exceptions())
