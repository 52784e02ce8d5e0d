"""Addresses of the emulator, as clients are shown them that believe they talk to AWS.

Such a client came by the interception door, and its `Host` is an endpoint of AWS. Whatever it is told must be one as well, for
it will follow it by the same way: the host that it used itself where that is the service's, else one that is made as AWS makes
them, in the same partition. Towards the emulator, only hosts of APIs that it serves itself change (`execute-api`): an emulator
knows these below a name of its own, and not all know AWS's.
"""

from __future__ import annotations

from replay_proxy.exchange import CallHead
from replay_proxy.identifiers.rewriting.queue_hosts import UNSIGNED_REGION, Form, QueueHost, queue_host
from replay_proxy.wire.models.aws_domains import partition_domain
from replay_proxy.wire.models.endpoint_hosts import parse_host

_FUNCTION_URL = ".lambda-url."
_FUNCTION_DOMAIN = {"amazonaws.com": "on.aws"}
_API = ".execute-api."


def partition_of(host: str) -> str:
    """Return the domain of the partition that a client's `Host` is in; empty where it is no endpoint of AWS."""
    name = host.partition(":")[0].lower()
    domain = partition_domain(name)
    return domain if domain != name else ""


def authority_at_aws(labels: str, queue: QueueHost, host: str, domain: str, head: CallHead | None) -> str:
    """Return what a client of `host`, in the partition of `domain`, is shown for an address of the emulator.

    labels: what stands before the emulator's own name, with its dot, or empty. queue: the same as a host of queues.
    """
    _, colon, port = host.partition(":")
    named = parse_host(host)
    region = (head.region if head is not None else "") or named.region or UNSIGNED_REGION
    if queue.form is not Form.PLAIN:
        return queue_authority_at_aws(queue.region or UNSIGNED_REGION, host, domain)
    service = head.service if head is not None else "s3"
    if not labels:
        if service == "sqs":
            return queue_authority_at_aws(region, host, domain)
        if service in named.services and not named.bucket:
            return host
        return f"{service}.{region}.{domain}{colon}{port}"
    shown = parse_host(f"{labels}{domain}")
    if not shown.region and "s3" not in shown.services:
        labels = f"{labels}{region}."
    if _FUNCTION_URL in labels:
        domain = _FUNCTION_DOMAIN.get(domain, domain)
    return f"{labels}{domain}{colon}{port}"


def queue_authority_at_aws(region: str, host: str, domain: str) -> str:
    """Return the authority of a queue in `region` for a client of `host`: in the form of that, where it is one of queues."""
    name, colon, port = host.partition(":")
    form, named = queue_host(name), parse_host(host)
    if "sqs" not in named.services:
        return f"sqs.{region}.{domain}{colon}{port}"
    if region == (form.region or named.region or UNSIGNED_REGION):
        return host
    if form.form is not Form.PLAIN:
        return f"{form.of_region(region)}{colon}{port}"
    return f"{name.replace(f'.{named.region}.', f'.{region}.', 1)}{colon}{port}"


def is_queue_host_at_aws(authority: str) -> bool:
    """Return whether `authority` is a host at which AWS serves queues, in any form and partition."""
    return bool(partition_of(authority)) and "sqs" in parse_host(authority).services


def bucket_in_path(authority: str) -> str:
    """Return a host of S3 at AWS with the bucket behind it, in the path, where it stood in the host: all emulators know that.

    The path of the URL follows what is returned.
    """
    named = parse_host(authority)
    if "s3" not in named.services or not named.bucket:
        return authority
    return f"{authority[len(named.bucket) + 1 :]}/{named.bucket}"


def emulator_api_host(host: str, upstream: str) -> str:
    """Return the `Host` for a request to an API whose client wrote `host`: below the emulator's name; else `host` as it is.

    upstream: the emulator's authority.
    """
    if _API not in host or not partition_of(host):
        return host
    name, colon, port = upstream.rpartition(":")
    own = "localhost" if name in ("127.0.0.1", "[::1]", "0.0.0.0") else name  # noqa: S104 - compared, not bound
    return f"{host.partition('.')[0]}{_API}{own}{colon}{port}"
