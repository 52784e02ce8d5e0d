"""Which services a request may be for, before its operation is known."""

from __future__ import annotations

import re

from replay_proxy.exchange import Headers
from replay_proxy.wire.models.service_index import ServiceIndex, plain_id
from replay_proxy.wire.recognition.evidence import Evidence

_API_IN_AGENT = re.compile(r"\bapi/([A-Za-z0-9_.-]+)#")


def candidate_services(index: ServiceIndex, evidence: Evidence) -> tuple[str, ...]:
    """Return the services that signature, host or user agent name, the preferred first; empty where nothing names one."""
    credentials, host = evidence.credentials, evidence.host
    if credentials.signing_name:
        services = _signed_for(index, credentials.signing_name)
        if len(services) < 2:
            return services
        return (
            _narrowed(services, host.services)
            or _narrowed(services, _agent_services(index, evidence.headers))
            or services
        )
    if credentials.only_s3:
        return ("s3",)
    if host.foreign:
        return ()
    return host.services or _agent_services(index, evidence.headers)


def _agent_services(index: ServiceIndex, headers: Headers) -> tuple[str, ...]:
    """Return the service that an SDK wrote into its user agent (`api/s3#3.700.0`: JavaScript, Go, Rust, Kotlin, Swift)."""
    for name in ("user-agent", "x-amz-user-agent"):
        found = _API_IN_AGENT.search(headers.get(name))
        if found:
            return index.by_service_id.get(plain_id(found[1]), ())
    return ()


def _signed_for(index: ServiceIndex, name: str) -> tuple[str, ...]:
    services = index.by_signing_name.get(name)
    if services:
        return services
    # People who sign by hand write the name of the service, or of its host, and not always in lower case.
    lower = name.lower()
    return (
        index.by_signing_name.get(lower)
        or ((lower,) if lower in index.services else ())
        or index.by_host.get(lower, ())
    )


def _narrowed(services: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(service for service in services if service in others) if others else ()
