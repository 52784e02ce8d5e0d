"""Services as people name them, in lists and in addresses of endpoints."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from replay_proxy.errors import UsageError
from replay_proxy.wire.models.service_index import extended_index


class UnknownServiceError(UsageError):
    """A service that neither botocore's models nor the recording know."""


def services_of(name: str, recorded: Collection[str] = ()) -> frozenset[str]:
    """Return the services that a person means by `name`: botocore's name, or the one that they sign with (`monitoring`).

    Raises:
        UnknownServiceError: neither botocore's models nor the recording know it.
    """
    index = extended_index()
    if name in index.services or (name and name in recorded):
        return frozenset({name})
    if name in index.by_signing_name:
        return frozenset(index.by_signing_name[name])
    raise UnknownServiceError(
        f"there is no service {name!r}", hint="write the name that botocore and the AWS CLI have for it, as in `sqs`"
    )


def services_in(lists: Iterable[str], recorded: Collection[str] = ()) -> tuple[str, ...]:
    """Return the services that lists name (`sqs,monitoring`), in order of their names. Raises UnknownServiceError."""
    names = {each.strip() for one in lists for each in one.split(",")} - {""}
    return tuple(sorted({service for name in names for service in services_of(name, recorded)}))
