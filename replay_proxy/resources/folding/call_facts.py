"""What a recorded call says before anything is folded: whether it failed, what its answer shows, which texts it sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from replay_proxy.errors import MalformedMessage
from replay_proxy.footprint.members.member_roles import Role, role_by_name
from replay_proxy.footprint.names.resource_names import arn_place, short_name
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.recorded_call import Call
from replay_proxy.resources.kinds import Kind
from replay_proxy.resources.resource import Resource
from replay_proxy.wire.codecs.answers import ERROR_STATUS_MIN
from replay_proxy.wire.codecs.error_bodies import read_error
from replay_proxy.wire.codecs.parameters import parse_parameters

_IDENTIFIER: Final = re.compile(r"(?:Id|Arn|ARN|Url|UUID)$|^(?:id|arn|url|uuid)$")


def call_without_body(record: Record) -> Call | None:
    """Read a record whose body lies in a blob that is not at hand: its path and its answer still tell what it was about."""
    head = record.head
    if head is None or record.flaw or not record.body_refs:
        return None
    request = record.request if isinstance(record.request.body, bytes) else replace(record.request, body=b"")
    answer = record.answer if isinstance(record.answer.body, bytes) else replace(record.answer, body=b"")
    try:
        params = parse_parameters(head, request)
    except MalformedMessage:
        params = {}
    witness = record.kind is RecordKind.WITNESS
    key = record.credential.access_key
    return Call(record.seq, record.time, head, params, request, answer, dict(record.notes), witness, key)


def failure_of(record: Record) -> tuple[bool, str]:
    """Return whether a call failed, and the code of its error."""
    answer = record.answer
    if answer.status >= ERROR_STATUS_MIN:
        protocol = record.head.protocol if record.head is not None else ""
        code = read_error(protocol, answer, answer.body)[0] if record.head is not None else ""
        return True, code or str(answer.status)
    return False, ""


def element_of(kind: Kind, result: Mapping[str, Any], at: int) -> Mapping[str, Any]:
    """Return what an answer says of the resource that a creation made, of several that at a place."""
    if not kind.found_at:
        return result
    listed = result.get(kind.found_at.partition(".")[0])
    found: Mapping[str, Any] = listed[at] if isinstance(listed, list) and at < len(listed) else {}
    return found


def drawn_identifiers(call: Call, identifiers: Mapping[str, str], resource: Resource) -> list[str]:
    """Return the identifiers that the emulator made up: those that no parameter of the call has."""
    sent = set(texts_in(call.params, 3))
    short = {short_name(each) for each in sent}
    own = [value for member, value in identifiers.items() if _IDENTIFIER.search(member)]
    return [value for value in own if value not in sent and short_name(value) not in short]


def first_identifier(call: Call) -> list[tuple[str, ...]]:
    """Return the first identifier at the top of an answer that the call did not send."""
    sent = set(texts_in(call.params, 3))
    for member, value in call.result.items():
        role = role_by_name(call.service, call.operation, member)
        if isinstance(value, str) and role is Role.IDENTIFIER and value not in sent and value:
            return [(short_name(value),)]
    return []


def texts_in(value: Any, depth: int) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, Mapping):
        for below in value.values():
            yield from texts_in(below, depth - 1)
    elif depth and isinstance(value, list):
        for below in value[:100]:
            yield from texts_in(below, depth - 1)


def account_in(text: str) -> str:
    """Return the account in an ARN, or in an address (`http://HOST/000000000000/orders`); empty where there is none."""
    if text.startswith(("http://", "https://")):
        account = text.split("/", 4)[3] if text.count("/") > 3 else ""
    else:
        account = arn_place(text)[1]
    return account if account.isdecimal() and len(account) == 12 else ""


def members_naming(kind: Kind, params: Mapping[str, Any]) -> list[str]:
    """Return the members of parameters that name the resource."""
    found = []
    for member, value in params.items():
        names = kind.names_in({**{each: params[each] for each in kind.named[:-1] if each in params}, member: value})
        if names and isinstance(value, str) and member.lower() not in ("version", "action"):
            found.append(member)
    return found
