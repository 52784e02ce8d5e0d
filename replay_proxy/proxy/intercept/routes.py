"""Where a connection or a request goes that came to the interception door: decided by the names that it gives. Pure.

A client may name its peer in several places: in `CONNECT` or SOCKS, in the server name of TLS, in the target, in `Host` or
`:authority`. They need not agree, so all of them are asked. One that is AWS's is enough: then nothing but the engine gets the
request, or nobody.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from enum import StrEnum

from replay_proxy.values import HostPatterns
from replay_proxy.wire.models.aws_domains import is_endpoint, is_of_aws

_METADATA = (
    # Metadata of machines, credentials of containers and pods, the clock and the name server of a network.
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("fd00:ec2::/32"),
)
_NUMBER = re.compile(r"0x[0-9a-f]+|\d+")


class Route(StrEnum):
    """Where something goes.

    ENGINE: to the emulator, by the engine. OWN: to the reverse door. PASS: where it is addressed to. TUNNEL: there, and what it
    says is not looked at. REFUSED_METADATA, REFUSED_AWS, REFUSED_OTHER: nowhere. UNDECIDED: an address alone tells nothing.
    """

    ENGINE = "engine"
    OWN = "own"
    PASS = "pass"  # noqa: S105 - no password
    TUNNEL = "tunnel"
    REFUSED_METADATA = "metadata"
    REFUSED_AWS = "aws"
    REFUSED_OTHER = "other"
    UNDECIDED = "undecided"

    @property
    def is_refused(self) -> bool:
        """Whether it goes nowhere."""
        return self in REASONS

    @property
    def may_leave(self) -> bool:
        """Whether it may go to another machine."""
        return self in (Route.PASS, Route.TUNNEL)


REASONS = {
    Route.REFUSED_METADATA: "addresses of instance metadata and container credentials are not served; give the client "
    "credentials (any will do), and set AWS_EC2_METADATA_DISABLED=true",
    Route.REFUSED_AWS: "this host is AWS's, and no endpoint of an API, so the emulator cannot answer for it; no request "
    "for a host of AWS is passed on",
    Route.REFUSED_OTHER: "this host is not AWS's, and requests to other hosts are refused; --intercept-others pass lets them "
    "through, --intercept-tunnel HOSTS does so without decrypting them",
}
"""What a client is told of a request that goes nowhere."""
REFUSAL_HEADER = "X-Replay-Proxy-Refusal"
"""Says in a request to the engine's server that it is to be refused, and why: a `Route`. A client that writes it is refused."""
_PRECEDENCE = (
    Route.REFUSED_METADATA,
    Route.ENGINE,
    Route.REFUSED_AWS,
    Route.OWN,
    Route.REFUSED_OTHER,
    Route.TUNNEL,
    Route.PASS,
)


class Routes:
    """Decides by names. others_pass: whether hosts that are not AWS's are reached. tunnel: hosts that are not decrypted."""

    def __init__(self, *, others_pass: bool, tunnel: HostPatterns | None = None) -> None:
        self._others_pass = others_pass
        self._tunnel = tunnel or HostPatterns()
        self.own: frozenset[tuple[str, int]] = frozenset()
        """Addresses of the reverse door: host in lower case, and port."""

    def of(self, name: str, port: int = 0) -> Route:
        """Return where something goes that names the host `name` (any case, without brackets), and a port where it is known."""
        host = name.strip().lower().removesuffix(".").strip("[]")
        if (host, port) in self.own:
            return Route.OWN
        address = address_of(host)
        if address is not None:
            if is_metadata(address):
                return Route.REFUSED_METADATA
            # An address may be anybody's: no pattern means it, only itself.
            return Route.TUNNEL if host in self._tunnel.patterns else Route.UNDECIDED
        if not host:
            return Route.UNDECIDED
        if is_endpoint(host):
            return Route.ENGINE
        if is_of_aws(host):
            return Route.REFUSED_AWS
        if self._tunnel.match(host):
            return Route.TUNNEL
        return Route.PASS if self._others_pass else Route.REFUSED_OTHER

    def of_all(self, names: Iterable[tuple[str, int]]) -> Route:
        """Return where something goes that gives all these names with their ports. UNDECIDED where none tells anything."""
        routes = {self.of(name, port) for name, port in names if name}
        return next((route for route in _PRECEDENCE if route in routes), Route.UNDECIDED)

    def of_undecided(self) -> Route:
        """Return where something goes that gives an address and no name."""
        return Route.PASS if self._others_pass else Route.REFUSED_OTHER


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that `host` is, None where it is a name.

    Also in the spellings that resolvers understand: `2852039166`, `0xa9fea9fe`, `169.254.43518`, `0251.0376.0251.0376`.
    """
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _spelled_otherwise(host)
    mapped = getattr(found, "ipv4_mapped", None)
    return found if mapped is None else mapped


def _spelled_otherwise(host: str) -> ipaddress.IPv4Address | None:
    parts = host.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        numbers = [
            int(part, 8) if len(part) > 1 and part.isdigit() and part[0] == "0" else int(part, 0) for part in parts
        ]
    except ValueError:
        return None
    value = numbers.pop()
    for at, number in enumerate(numbers):
        if number > 255:
            return None
        value += number << (24 - 8 * at)
    return ipaddress.IPv4Address(value) if value < 1 << 32 else None


def is_metadata(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether an address is one that a machine of AWS answers for itself."""
    mapped = getattr(address, "ipv4_mapped", None)
    found = address if mapped is None else mapped
    return any(found in network for network in _METADATA if network.version == found.version)


def host_and_port(authority: str) -> tuple[str, int]:
    """Return the host, without brackets, and the port (0 where there is none) of an authority such as a `Host` header."""
    text = authority.strip().rpartition("@")[2]
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    return host, int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
