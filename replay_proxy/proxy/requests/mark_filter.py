"""Hides the session mark, which the proxy leaves in an emulator, from clients.

The mark lies in an account and a region that nobody uses. An emulator that knows no accounts would list it to everybody, and
Terraform and tests compare lists. So the answers to the few calls that list such things (`Place.lists`) lose its entry. No
other answer is looked into, and no other entry is touched.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

import orjson

from replay_proxy.emulators.mark_places import NAME, PARAMETER, PLACES
from replay_proxy.exchange import Answer, CallHead
from replay_proxy.identifiers.rewriting.body.derived_headers import for_body

_NAME_PART: Final = b"replay-proxy"
"""A part of every name of the mark, however its slashes are written."""
_LISTS: Final = {
    ("resourcegroupstaggingapi", "GetResources"): "",  # of all services: what has a tag
    **{(place.service, operation): place.element for place in PLACES for operation in place.lists},
}
_MARK: Final = re.compile(rf"(?:.*[/:])?(?:{re.escape(NAME)}|{re.escape(PARAMETER)})")


def may_list_mark(data: bytes, head: CallHead | None) -> bool:
    """Return whether an answer of these bytes may list the mark. Quick."""
    return _NAME_PART in data and head is not None and (head.service, head.operation) in _LISTS


def without_mark(answer: Answer, head: CallHead | None) -> Answer:
    """Return a whole answer without the mark; the same object where it does not list it."""
    body = answer.body
    if head is None or not isinstance(body, bytes) or not may_list_mark(body, head):
        return answer
    element = _LISTS[head.service, head.operation]
    new = _from_xml(body, element) if body.lstrip()[:1] == b"<" else _from_json(body)
    return answer if new == body else replace(answer, headers=for_body(answer.headers, new), body=new)


def _from_json(body: bytes) -> bytes:
    try:
        value = orjson.loads(body)
    except ValueError:
        return body
    left = _without(value)
    return body if left == value else orjson.dumps(left)


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without(each) for each in value if not _is_mark(each)]
    return value


def _is_mark(entry: Any) -> bool:
    if isinstance(entry, dict):
        return any(isinstance(each, str) and _MARK.fullmatch(each) for each in entry.values())
    return isinstance(entry, str) and _MARK.fullmatch(entry) is not None


def _from_xml(body: bytes, element: str) -> bytes:
    if not element:
        return body
    tag = re.escape(element.encode())
    entry = re.compile(rb"<" + tag + rb"(?:\s[^>]*)?>(?:(?!</?" + tag + rb"[\s>]).)*?</" + tag + rb">\s*", re.DOTALL)
    return entry.sub(lambda found: b"" if _names_mark(found[0]) else found[0], body)


def _names_mark(entry: bytes) -> bool:
    texts = re.findall(rb">([^<>]+)<", entry)
    return any(_MARK.fullmatch(text.decode("utf-8", "replace").strip()) for text in texts)
