"""Which service an action belongs to, where neither signature, host nor API version says so.

Old clients sign queries in a way that names no service (signature version 2), and name API versions that no installed
model has any more (boto 2's `2014-10-01` of EC2). An action is that of one service nearly always. Where several have it
(`CreateTags` of EC2 and of Redshift), the parameters decide: they are spelled as the model of one of them spells them,
and an ARN among them names its service. Where that leaves several, the date of the version decides: a client is no
newer than the service's latest version, and of those that are left the nearest is the likeliest.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

from botocore.model import StructureShape

from replay_proxy.wire.codecs.protocols.query import member_names
from replay_proxy.wire.models.models import UnknownModelError, operation_model
from replay_proxy.wire.models.operations import operation_names
from replay_proxy.wire.models.service_index import ServiceIndex

_OF_EVERY_QUERY = frozenset(
    {
        "action",
        "version",
        "awsaccesskeyid",
        "signature",
        "signatureversion",
        "signaturemethod",
        "timestamp",
        "expires",
        "securitytoken",
    }
)


def services_of_action(
    index: ServiceIndex, action: str, version: str, parameters: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the services that have `action`, the likeliest first. parameters: of the query."""
    having = tuple(name for name in index.queryable(index.services) if action in operation_names(name))
    if len(having) < 2:
        return having
    used = {name.partition(".")[0] for name in parameters if name.lower() not in _OF_EVERY_QUERY}

    arns = {text.split(":")[2] for text in parameters.values() if text.startswith("arn:") and text.count(":") >= 5}

    def rank(service: str) -> tuple[int, bool, bool, int]:
        strange = len(used - _accepted(service, action))
        newest, asked = index.services[service].api_version, version
        return (
            strange,
            index.services[service].signing_name not in arns,
            newest < asked,
            abs(_day(newest) - _day(asked)),
        )

    return tuple(sorted(having, key=rank))


@lru_cache(maxsize=1024)
def _accepted(service: str, action: str) -> frozenset[str]:
    """Return the names that parameters of an operation have in a query."""
    try:
        shape = operation_model(service, action).input_shape
    except UnknownModelError:
        return frozenset()
    if not isinstance(shape, StructureShape):
        return frozenset()
    return frozenset(
        spelled.partition(".")[0]
        for name, member in shape.members.items()
        for spelled in member_names(member, name, ec2=service == "ec2")
    )


def _day(version: str) -> int:
    try:
        return date.fromisoformat(version).toordinal()
    except ValueError:
        return 0
