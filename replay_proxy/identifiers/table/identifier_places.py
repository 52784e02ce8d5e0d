"""Where in a message identifiers stand, as far as the text around a place tells.

An alias whose text could be anything (`distinctive`) is replaced in these places only: in a member of that role, in a
part of an ARN of its service, in a path of that service. A message is not parsed for that. What stands to
the left of a value names its member, in JSON (`"VpcId": "…"`), XML (`<VpcId>…`) and forms (`VpcId.1=…`), also where such a
document is a text inside of another one, since escapes are resolved before.
"""

from __future__ import annotations

import re
from functools import lru_cache

from replay_proxy.footprint.members.member_roles import Role, role_by_name
from replay_proxy.footprint.names.resource_names import services_of_arn
from replay_proxy.identifiers.table import tokens

_LOOKED_BACK_BYTES = 512
_ARN = re.compile(rb"arn:aws[a-z-]*:([a-z0-9-]*):[^:\s\"'<>&]*:[^:\s\"'<>&]*:[^\s\"'<>&,]*\Z")
_OPENING = frozenset(b"\"'>=&?\n")
_CLOSING = re.compile(rb"[\"'<&?\n]")
_NO_MEMBER = frozenset({b"", b"\n", b"?", b"&"})
# (In a form a space is a `+`.)
_JSON_MEMBER = re.compile(
    rb"[\"']([^\"'\\]{1,128})[\"'][\s+]*:[\s+]*(?:\[[\s+]*(?:[\"'][^\"']*[\"'][\s+]*,[\s+]*)*)?\Z"
)
_XML_MEMBER = re.compile(rb"<([A-Za-z0-9_:.-]{1,128})(?:\s[^<>]*)?>\Z")
_XML_ITEMS = re.compile(
    rb"<([A-Za-z0-9_:.-]{1,128})(?:\s[^<>]*)?>\s*(?:<(?:member|item)>[^<>]*</(?:member|item)>\s*)*<(?:member|item)>\Z"
)
_FIELD = re.compile(rb"(?:\A|[&?\n])([A-Za-z0-9_.-]{1,256})=\Z")
_NUMBER_PLACE = re.compile(rb"[\"'][^\"'\\:,\s]{1,128}[\"'][\s+]*:[\s+]*(?:\[[\s+]*(?:[0-9.]+[\s+]*,[\s+]*)*)?\Z")
_PATH = re.compile(rb"(?:^|\s)[A-Za-z][A-Za-z0-9-]*/\Z")
_NUMBERING = frozenset({"member", "entry", "item", "value", "Value"})


def is_identifier_place(text: bytes, start: int, owners: frozenset[str], service: str) -> bool:
    """Return whether what stands at `start` of a text is, or is part of, an identifier.

    owners: the services of which the alias in question is (`Origin.services`). service: that of the message; empty for one
    that is no AWS call.
    """
    before = _before(text, start)
    arn = _ARN.search(before)
    if arn is not None:
        return is_of_any(arn[1].decode(), owners)
    at = len(before)
    while at and before[at - 1] not in _OPENING:
        at -= 1
    if not at and start > _LOOKED_BACK_BYTES:
        return False
    opening = before[at - 1 : at]
    if opening in _NO_MEMBER:
        return _is_own(owners, service)
    name = _member_before(before[:at], opening)
    return bool(name) and (
        any(_names(name, each) for each in ([service] if service else owners or [""]))
        or (before[at : at + 1] == b"/" and _is_own(owners, service))
        or (_PATH.search(before[at:]) is not None and _tells_state(name, service) and _is_own(owners, service))
    )


def value_around(text: bytes, start: int, end: int) -> tuple[bytes, int, str]:
    """Return the value of which `start:end` of an unescaped text is a part, where it begins, and the name of its member.

    The name is empty where it cannot be told.
    """
    first = max(0, start - _LOOKED_BACK_BYTES)
    at = start
    while at > first and text[at - 1] not in _OPENING:
        at -= 1
    closing = _CLOSING.search(text, end)
    value = text[at : closing.start() if closing is not None else len(text)]
    return value, at, _member_before(text[first:at], text[at - 1 : at]) if at > first else ""


def is_number_place(text: bytes, start: int) -> bool:
    """Return whether digits at `start` of a text are a number of a JSON document, which is no text."""
    return _NUMBER_PLACE.search(_before(text, start)) is not None


def arn_namespace(text: bytes, start: int) -> str:
    """Return the namespace of the ARN in whose resource `start` of a text is; empty where it is in none."""
    arn = _ARN.search(_before(text, start))
    return arn[1].decode() if arn is not None else ""


def is_of_any(namespace: str, owners: frozenset[str]) -> bool:
    """Return whether ARNs of a namespace are of one of these services; of any where none is told."""
    return not owners or not owners.isdisjoint(services_of_arn(namespace))


def _before(text: bytes, start: int) -> bytes:
    return tokens.unescaped(text[max(0, start - _LOOKED_BACK_BYTES) : start]).text


def _is_own(owners: frozenset[str], service: str) -> bool:
    """Return whether what no member names (a path, a header, a host) belongs to a service of which the alias is.

    A message that is no AWS call reaches what a service runs, such as an API, by its id.
    """
    return not service or not owners or any(service.startswith(each) or each.startswith(service) for each in owners)


def _member_before(before: bytes, opening: bytes) -> str:
    """Return the name of the member whose value begins after `before`; empty where it cannot be told."""
    if opening in (b'"', b"'"):
        found = _JSON_MEMBER.search(before[:-1])
    elif opening == b">":
        found = _XML_ITEMS.search(before) or _XML_MEMBER.search(before)
    else:
        found = _FIELD.search(before)
    if found is None:
        return ""
    parts = found[1].decode("ascii", "replace").replace(":", ".").split(".")
    return next((part for part in reversed(parts) if not part.isdigit() and part not in _NUMBERING), "")


@lru_cache(maxsize=4096)
def _tells_state(member: str, service: str) -> bool:
    """Return whether a member tells a state, or why it is so: in such a sentence, an id stands behind its kind (`ecs-svc/…`)."""
    return role_by_name(service, "", member) is Role.STATE


@lru_cache(maxsize=4096)
def _names(member: str, service: str) -> bool:
    """Return whether a member holds identifiers: everywhere, or in that service by a rule of its own (`issuer` in EKS)."""
    plain = member.removeprefix("x-amz-").replace("-", "")
    return any(role_by_name(each, "", plain) is Role.IDENTIFIER for each in ("", service))
