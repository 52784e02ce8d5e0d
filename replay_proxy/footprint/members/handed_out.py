"""Tokens that an answer hands out and that a later call must name, told apart from tokens that only page.

`LockToken`, `RevisionId`, `ETag` are of the first kind, `NextToken` is of the second. The models say which is which: a
listing takes its page token in the same operation that returns it; the token of a lock is taken by another operation.
An ETag is handed out, too, but for stores of objects, where it is a digest of what the client sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from replay_proxy.wire.models import models
from replay_proxy.wire.mutability.judge import Effect, judge

_SERVICES = 256
"""What is worked out of services is remembered for so many."""
_FOLLOWS = re.compile(r"^(?:next|previous)(?=.)")
_TOKEN = re.compile(r".*(?:Token|Revision|RevisionId)", re.IGNORECASE)
_CONDITIONS = {"etag": ("etag", "ifmatch")}
"""By the name of a member of answers, the members of requests that take it (`If-Match`, as RFC 9110 calls it)."""


@dataclass(frozen=True, slots=True)
class _Members:
    """The members of a service's requests and answers that are strings, all in lower case.

    taken_by: by member of a request, the operations that have it. tokens_taken: those members that are tokens by name, of
    which an answer may show the first or the next (`InitialConfigurationToken`). paging: members by which pages of a
    listing are asked for, and those that answers give for that. from_client: members that SDKs fill in by themselves.
    of_content: members of answers that follow from a body of any length that the client sends.
    tokens_shown: those that are tokens by name, wherever they stand in an answer.
    conditions: members of requests that are conditions of HTTP (`If-Match`).
    """

    taken_by: dict[str, frozenset[str]]
    tokens_taken: frozenset[str]
    paging: frozenset[str]
    from_client: frozenset[str]
    of_content: frozenset[str]
    tokens_shown: frozenset[str]
    conditions: frozenset[str]


def is_handed_out(service: str, operation: str, member: str) -> bool:
    """Tell whether the member `member` of an answer is a token that another operation takes, and does not page."""
    members = _members(service)
    name = member.lower()
    if members is None or name in members.paging or name in members.from_client or name in members.of_content:
        return False
    wanted = {name, _FOLLOWS.sub("", name), *_CONDITIONS.get(name, ())}
    wanted |= {token for token in members.tokens_taken if name.endswith(token)}
    takers = {taker for each in wanted for taker in members.taken_by.get(each, ())}
    if judge(service, operation).effect is Effect.MUTATES and (name not in members.taken_by or name in _CONDITIONS):
        return bool(takers)  # `NextLockToken` of an update is for the next update
    return bool(takers - {operation})


def is_condition(service: str, member: str) -> bool:
    """Tell whether a member of a request says when the call is allowed or that it is the same one, and sets nothing.

    Such are tokens that the service hands out for the next call (`LockToken`, `RevisionId`, `ExpectedRevisionId`), those of
    idempotency, and conditions of HTTP (`IfMatch`).
    """
    members = _members(service)
    name = member.lower()
    if members is None:
        return False
    if name in members.from_client or name in members.conditions:
        return True
    handed_out = {_FOLLOWS.sub("", each) for each in members.tokens_shown}
    longer = handed_out - {"token", "revision"}
    return name in members.tokens_taken and (name in handed_out or any(name.endswith(each) for each in longer))


@lru_cache(maxsize=_SERVICES)
def _members(service: str) -> _Members | None:
    try:
        model = models.description(service)
    except LookupError:
        return None
    taken_by: dict[str, set[str]] = {}
    paging: set[str] = set()
    from_client: set[str] = set()
    of_content: set[str] = set()
    shown_anywhere: set[str] = set()
    walked: set[str] = set()
    conditions: set[str] = set()
    for name, operation in model["operations"].items():
        taken = _strings(model["shapes"], operation.get("input"))
        shown = _strings(model["shapes"], operation.get("output")).keys()
        shown_anywhere |= _names_below(model["shapes"], operation.get("output"), walked)
        for member, traits in taken.items():
            if traits.get("location") == "header" and str(traits.get("locationName", "")).lower().startswith("if-"):
                conditions.add(member)
            taken_by.setdefault(member, set()).add(name)
            if traits.get("idempotencyToken"):
                from_client.add(member)
        if _is_streaming(model["shapes"], operation.get("input")):
            of_content |= shown
        if judge(service, name).effect is not Effect.MUTATES:
            for member in shown:
                asked_by = taken.keys() & {member, _FOLLOWS.sub("", member)}
                paging |= {member, *asked_by} if asked_by else set()
    return _Members(
        {member: frozenset(takers) for member, takers in taken_by.items()},
        frozenset(member for member in taken_by if _TOKEN.fullmatch(member) and member not in paging | {"token"}),
        frozenset(paging),
        frozenset(from_client),
        frozenset(of_content),
        frozenset(member for member in shown_anywhere if _TOKEN.fullmatch(member)),
        frozenset(conditions),
    )


def _strings(shapes: dict[str, Any], reference: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the members of a request or an answer that are strings, in lower case, each with its traits."""
    if reference is None:
        return {}
    members = shapes[reference["shape"]].get("members", {})
    return {
        name.lower(): {**shapes[member["shape"]], **member}
        for name, member in members.items()
        if shapes[member["shape"]]["type"] == "string"
    }


def _names_below(shapes: dict[str, Any], reference: dict[str, Any] | None, walked: set[str]) -> set[str]:
    """Return the names of all members below a shape, in lower case. walked: the shapes that were looked at; more are noted."""
    found: set[str] = set()
    waiting = [reference["shape"]] if reference is not None else []
    while waiting:
        name = waiting.pop()
        if name in walked:
            continue
        walked.add(name)
        shape = shapes[name]
        found.update(member.lower() for member in shape.get("members", ()))
        below = (*shape.get("members", {}).values(), *(shape[part] for part in ("member", "value") if part in shape))
        waiting += [each["shape"] for each in below]
    return found


def _is_streaming(shapes: dict[str, Any], reference: dict[str, Any] | None) -> bool:
    """Return whether the body of a request is the client's own bytes (botocore's `has_streaming_input`)."""
    shape = shapes[reference["shape"]] if reference is not None else {}
    payload = shape.get("payload")
    return payload is not None and shapes[shape["members"][payload]["shape"]]["type"] == "blob"
