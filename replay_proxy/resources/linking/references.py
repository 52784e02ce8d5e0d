"""What a text refers to: ARNs, addresses and identifiers in it, resolved to resources.

What a part of an ARN is follows from its position. Identifiers that the emulator drew name their resource wherever they stand.
A name that a client chose names its resource only where the member says so: it is called like the kind (`RoleName`), or it is
a variable of an environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import unquote, urlsplit

from replay_proxy.footprint.names.name_index import words
from replay_proxy.footprint.names.resource_names import arn_place, own_name, services_of_arn, short_name
from replay_proxy.resources.resource import Resource

_ARN = re.compile(r"arn:[^:\s]*:[a-z0-9.-]*:[^:\s\"']*:[^:\s\"']*:[^\s\"'<>,;()\[\]\\]+")
_SEPARATOR = re.compile(r"[:/]")
_PARTS_MAX = 12
_TEXT_MAX = 1 << 20
_API_GATEWAY = ("apigateway", "apigatewayv2")


class References:
    """The names of live resources. Memory: the names."""

    def __init__(self, resources: dict[int, Resource]) -> None:
        self._resources = resources
        self._whole: dict[str, dict[int, None]] = {}
        self._drawn: dict[str, dict[int, None]] = {}
        self._names: dict[tuple[str, str], dict[int, None]] = {}
        self._any_service: dict[str, dict[int, None]] = {}
        self.default_account = ""

    def add(self, resource: Resource, drawn: Iterable[str]) -> None:
        """Take in a resource, or more of its identifiers. drawn: the identifiers that the emulator made up."""
        for table, name in self._entries(resource, drawn):
            table.setdefault(name, {})[resource.number] = None

    def discard(self, resource: Resource) -> None:
        """Forget a resource that is gone."""
        drawn = [each for value in (*resource.identifiers.values(), *resource.key.names) for each in _forms(value)]
        for table, name in self._entries(resource, drawn):
            owners = table.get(name)
            if owners is not None:
                owners.pop(resource.number, None)
                if not owners:
                    del table[name]

    def _entries(
        self, resource: Resource, drawn: Iterable[str]
    ) -> Iterator[tuple[dict[object, dict[int, None]], object]]:
        tables: tuple[dict[object, dict[int, None]], ...] = (self._whole, self._drawn, self._names, self._any_service)  # type: ignore[assignment]  # keys differ by table, and go with it
        whole, ids, names, anywhere = tables
        for value in resource.identifiers.values():
            if value.startswith("arn:"):
                yield whole, value
            elif value.startswith(("http://", "https://")):
                yield whole, _address(value)
        for value in drawn:
            for form in _forms(value):
                yield ids, form
        own = resource.key.names
        spellings = {
            own[-1],
            *("/".join(own[at:]) for at in range(len(own))),
            *(":".join(own[at:]) for at in range(len(own))),
        }
        spellings |= {short_name(value) for value in resource.identifiers.values() if value.startswith("arn:")}
        for value in resource.identifiers.values():
            if value not in spellings and not value.startswith(("arn:", "http:", "https:")):
                yield names, (resource.service, value)
        for name in spellings:
            yield names, (resource.service, name)
            yield anywhere, name

    def named(self, service: str, text: str) -> list[int]:
        """Return the resources of a service that a text names as a whole: an ARN, an address, an id or a name."""
        if text.startswith("arn:"):
            found = self.of_arn(text)
            return [found] if found else []
        if text.startswith(("http://", "https://")) and _address(text) in self._whole:
            return list(self._whole[_address(text)])
        return list(self._names.get((service, own_name(text)), ()))

    def owners(self, text: str) -> list[int]:
        """Return the resources of any service whose name a text is, as a whole."""
        return list(self._any_service.get(own_name(text), ()))

    def in_text(self, text: str) -> Iterator[tuple[int, str]]:
        """Return the resources that a text names by ARN, address or drawn identifier, each with the part that does.

        An ARN that names nothing that is known comes with the number 0.
        """
        text = text[:_TEXT_MAX]
        if text.startswith(("http://", "https://")):
            found = self._whole.get(_address(text))
            if found:
                yield from ((number, text) for number in found)
                return
        rest = text
        if "arn:" in text:
            for arn in arns_in(text):
                yield self.of_arn(arn), arn
                rest = rest.replace(arn, " ")
        if "%3A" in rest or "%3a" in rest:
            for arn in arns_in(unquote(rest)):
                yield self.of_arn(arn), arn
        if rest in self._drawn:
            yield from ((number, rest) for number in self._drawn[rest])
            return
        for word in dict.fromkeys(words(rest)):
            for number in self._drawn.get(word, ()):
                yield number, word

    def of_arn(self, arn: str) -> int:
        """Return the resource that an ARN names, the most particular that is known; 0 where it names none."""
        if arn in self._whole:
            return next(iter(self._whole[arn]))
        head = arn.split(":", 5)
        if len(head) < 6:
            return 0
        region, account = arn_place(arn)
        namespace, resource = head[2], head[5]
        if namespace == "apigateway" and account and not account.isdecimal():
            # What an API calls: `arn:aws:apigateway:REGION:SERVICE:path/…`, with the service in the account's place.
            namespace, account, resource = account.rpartition(".")[2], "", resource.partition("/")[2]
        services = (
            _API_GATEWAY if namespace in ("execute-api", "apigateway") else tuple(sorted(services_of_arn(namespace)))
        )
        found = self._of_path(services, resource, region, account)
        if found:
            return found
        ends = [*(match.start() for match in islice(_SEPARATOR.finditer(resource), _PARTS_MAX)), len(resource)]
        starts = [0, *(end + 1 for end in ends[:-1])]
        kind = _folded(resource[: ends[0]]) if len(ends) > 1 else ""
        for start in starts:
            for end in reversed(ends):
                if end <= start or (
                    start == 0 and end == ends[0] and len(ends) > 1 and namespace not in ("s3", "execute-api")
                ):
                    continue
                for name in _readings(resource, start, end):
                    found = self._of_name(services, name, region, account, kind)
                    if found:
                        return found
        return 0

    def _of_path(self, services: Iterable[str], path: str, region: str, account: str) -> int:
        """Return what a path of kinds and names ends in: `/restapis/ID/stages/NAME` is a stage, and not its API; else 0.

        One name may be a path itself (`/prod/parameter/db`): then no part of it is a kind.
        """
        parts = path.strip("/").split("/")
        if len(parts) < 4 or len(parts) % 2:
            return 0
        kind, names = _folded(parts[-2]), tuple(parts[1::2])
        for number in self._called(services, "/".join(names), region, account):
            resource = self._resources[number]
            if resource.key.names == names and _is_kind(resource, kind):
                return number
        return 0

    def _called(self, services: Iterable[str], name: str, region: str, account: str) -> list[int]:
        return [
            number
            for service in services
            for number in self._names.get((service, name), ())
            if self._is_at(self._resources[number], region, account)
        ]

    def _of_name(self, services: Iterable[str], name: str, region: str, account: str, kind: str) -> int:
        fitting = self._called(services, name, region, account)
        if len(fitting) > 1:
            fitting.sort(
                key=lambda number: (not _is_kind(self._resources[number], kind), len(self._resources[number].key.names))
            )
        return fitting[0] if fitting else 0

    def _is_at(self, resource: Resource, region: str, account: str) -> bool:
        own = resource.key.account or self.default_account
        same_region = not region or not resource.key.region or region == resource.key.region or not region.strip("*")
        return same_region and (not account or not own or account == own or not account.strip("*"))


def _readings(resource: str, start: int, end: int) -> tuple[str, ...]:
    """Return the names that a part of an ARN may be: an ARN whose type ends with a slash has no second one for the name."""
    name = resource[start:end].rstrip("/*:")
    if start and resource[start - 1] == "/" and "/" in name:
        return name.lstrip("/"), f"/{name.lstrip('/')}"
    return (name,)


def arns_in(text: str) -> Iterator[str]:
    """Return the ARNs in a text; of one that is inside another (an integration's URI) the inner one."""
    for match in _ARN.finditer(text):
        arn = match[0]
        inner = arn.find("arn:", 4)
        if inner > 0:
            yield from arns_in(arn[inner:].replace("/invocations", ""))
        else:
            yield arn.rstrip(".}")


def _folded(kind: str) -> str:
    return re.sub(r"[-_]", "", kind).lower()


def _is_kind(resource: Resource, folded: str) -> bool:
    return resource.key.noun.lower() in (folded, folded.removesuffix("s"))


def _address(url: str) -> str:
    """Return what an address is told by, whatever host it is asked at: its path, or where it has none its host."""
    try:
        parts = urlsplit(url)
        return f"url:{parts.path.rstrip('/') or f'//{parts.netloc}'}"
    except ValueError:
        return url


def _forms(value: str) -> list[str]:
    return list(dict.fromkeys((value, short_name(value)))) if not value.startswith("http") else []
