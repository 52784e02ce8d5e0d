"""Which names of hosts are AWS's: the domains of all endpoints, and what else of AWS clients ask.

An *endpoint domain* is what an endpoint's host ends with (`amazonaws.com` of `sqs.eu-west-1.amazonaws.com`). Every partition
has one, and one for addresses in IPv4 and IPv6 (`api.aws`): botocore's `partitions.json` has them all, so that a new partition
is known as soon as its models are installed. Hosts of what is built with AWS (function URLs, domains of user pools) have
domains of their own, which no model lists: `data/aws_domains.json`, reviewed, with what each is. The same file has domains
under which no API answers: consoles, access portals, private names of machines.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import orjson

from replay_proxy.wire.models.models import load_partitions

_DATA = Path(__file__).parent / "data" / "aws_domains.json"
_OUTPUTS = ("dnsSuffix", "dualStackDnsSuffix")


class AwsDomains(NamedTuple):
    """The domains of AWS, in lower case.

    partitions: of the endpoints of APIs. built: of what is built with AWS and has an address. others: under which none of
    these is.
    """

    partitions: frozenset[str]
    built: frozenset[str]
    others: frozenset[str]


@lru_cache(maxsize=1)
def aws_domains() -> AwsDomains:
    """Return the domains of AWS, by the installed models."""
    outputs = [partition.get("outputs", {}) for partition in load_partitions()]
    partitions = frozenset(found[name].lower() for found in outputs for name in _OUTPUTS if found.get(name))
    reviewed = orjson.loads(_DATA.read_bytes())
    return AwsDomains(partitions, frozenset(reviewed["built"]), frozenset(reviewed["others"]))


def partition_domain(name: str) -> str:
    """Return the domain of a partition that the host `name` (lower case) is in; empty where it is in none."""
    return _domain_in(name, aws_domains().partitions)


def is_endpoint(name: str) -> bool:
    """Return whether `name` (lower case) is the host of an endpoint of AWS, or of something that is built with AWS."""
    domains = aws_domains()
    return partition_domain(name) not in ("", name) or bool(_domain_in(name, domains.built))


def is_of_aws(name: str) -> bool:
    """Return whether the host `name` (lower case) is AWS's, whatever answers there."""
    return any(_domain_in(name, domains) for domains in aws_domains())


def _domain_in(name: str, domains: frozenset[str]) -> str:
    """Return the longest of `domains` that is `name` or that it ends with at a dot; empty where there is none."""
    rest = name.removesuffix(".")
    while rest:
        if rest in domains:
            return rest
        rest = rest.partition(".")[2]
    return ""
