"""Names of resources, in whichever form they are written: the canonical name, the parts of an ARN, the names in a text.

What a part of an ARN or a URL is follows from its position: account and region name a place, and no resource; what follows
the type of a resource names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote

from replay_proxy.wire.models.service_index import service_index

_PARTS = re.compile(r"[:/]")
_ARN = re.compile(r"arn:[^:\s]*:([a-z0-9.-]*):([^:\s\"']*):([^:\s\"']*):([^\s\"'<>,;()\[\]\\]+)")
"""An ARN in a text, up to what ends it in JSON, XML and prose. A template may stand in any of its places (`${AWS::Region}`)."""
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_URL = ("http://", "https://")
_ROUTE53_PATH = re.compile(r"/(?:hostedzone|delegationset|change)/")
"""The paths with which Route 53 writes its ids. As a client of botocore does, they are left out."""


class NameInArn(str):
    """What follows the type of a resource in its ARN (`a/b/web` of `role/a/b/web`): the name, perhaps with its path before it.

    A name that a client chose is no such text: it is whole, whatever slashes are in it.
    """

    __slots__ = ()

    def readings(self) -> list[str]:
        """Return the names that may be meant, the likeliest first.

        `parameter/x/1` is the parameter `/x/1`, whose slash the ARN has only once; of a role it is the last part.
        """
        text = str(self)
        return list(dict.fromkeys((text, f"/{text}" if "/" in text else text, text.rpartition("/")[2])))


def own_name(value: str) -> str:
    """Return the name by which a resource is told from others: of an ARN and a URL what names it there; of a name all of it."""
    if value.startswith("arn:"):
        resource = value.split(":", 5)[-1]
        found = _PARTS.search(resource)
        if found is None:
            return resource
        rest = resource[found.end() :].rstrip("/")
        return NameInArn(rest if found[0] == ":" else rest.lstrip("/"))
    if value.startswith(_URL):
        return value.rstrip("/").rpartition("/")[2]
    path = _ROUTE53_PATH.match(value)
    return value[path.end() :] if path is not None else value


def short_name(value: str) -> str:
    """Return what a name, an ARN and a URL of the same resource have in common, without a slash at its ends.

    Two resources may have it in common, too (`/web` and `web`): what tells them apart is `own_name`.
    """
    if value.startswith("arn:"):
        resource = value.split(":", 5)[-1]
        return _PARTS.split(resource, maxsplit=1)[-1].strip("/") if _PARTS.search(resource) else resource
    if value.startswith(_URL):
        return value.rstrip("/").rpartition("/")[2]
    return value.removeprefix("/hostedzone/").strip("/")


def last_part(text: str) -> str:
    """Return the name at the end of a name, an ARN or a URL."""
    return _PARTS.split(text.rstrip("/"))[-1]


def arn_service(text: str) -> str:
    """Return the service that an ARN names; empty for any other text."""
    return text.split(":", 3)[2] if text.startswith("arn:") and text.count(":") > 2 else ""


def parts_of_name(name: str) -> list[str]:
    """Return the parts of a canonical name, as of `app/shop/50dc6c495c0c9188`; none of one that has no parts."""
    return _PARTS.split(name) if _PARTS.search(name) else []


def arn_place(text: str) -> tuple[str, str]:
    """Return the region and the account in an ARN; empty texts where it has none, or is no ARN."""
    parts = text.split(":", 5)
    return (parts[3], parts[4]) if text.startswith("arn:") and len(parts) == 6 else ("", "")


def arn_resource_parts(arn: str) -> list[str]:
    """Return the parts of an ARN's resource, its type included; empty where the text is no whole ARN."""
    parts = arn.split(":", 5)
    return [part for part in _PARTS.split(parts[5]) if part] if len(parts) == 6 else []


@lru_cache(maxsize=1024)
def services_of_arn(namespace: str) -> frozenset[str]:
    """Return botocore's names of the services whose ARNs have this namespace (`states`: Step Functions)."""
    return frozenset({namespace, *service_index().by_signing_name.get(namespace, ())})


def names_in_identifier(value: str) -> list[str]:
    """Return the texts by which a later call may name what an identifier names: the whole first, and then its parts.

    Of an ARN these are what follows the type of the resource (`dev/one`, `web:7`), that without a revision (`web`), and its
    last part (`one`).
    """
    names = [value, short_name(value)]
    if value.startswith("arn:"):
        unversioned = names[1].partition(":")[0]
        names += [unversioned, last_part(unversioned), last_part(names[1])]
    return [name for name in dict.fromkeys(names) if name]


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Return a text in pieces, each with the namespace of the ARN that it is from: the resource of an ARN; the rest, with "".

    The place in an ARN is left out. Escapes of URLs and of JSON are resolved.
    """
    place = 0
    plain = _unescaped(text)
    for match in _ARN.finditer(plain):
        if match.start() > place:
            yield "", plain[place : match.start()]
        yield match[1], match[4]
        place = match.end()
    if place < len(plain):
        yield "", plain[place:]


def _unescaped(text: str) -> str:
    if "%" in text:
        text = f"{text}\n{unquote(text)}"
    if "\\" in text:
        plain = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text).replace("\\/", "/").replace('\\"', '"')
        text = plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
