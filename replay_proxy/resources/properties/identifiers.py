"""What identifies a resource in a creation and its answer, and what else the answer shows of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.handed_out import is_condition
from replay_proxy.footprint.members.member_roles import Role, role_by_name
from replay_proxy.footprint.members.naming_members import names_account
from replay_proxy.resources.kinds import Kind
from replay_proxy.resources.properties.attributes import tree

_SHOWN_MEMBERS = 40


_GENERAL = frozenset({"id", "arn", "name", "url", "uuid"})


def identifiers_in(
    kind: Kind, params: Mapping[str, Any], result: Mapping[str, Any], *, about_another: bool = False
) -> dict[str, str]:
    """Return member and value of everything that names the resource itself.

    about_another: the answer is about something else that the call made, so that a member `id` in it is not of the resource.
    """
    found = kind.other_names(params, result)
    for member in kind.named[:-1]:
        found.pop(member, None)
    if about_another:
        found = {member: value for member, value in found.items() if member.lower() not in _GENERAL}
    return found


def other_attributes(
    head: CallHead, shape: Any, result: Mapping[str, Any], identifiers: Mapping[str, str], params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what an answer shows of a resource that nobody asked for: identifiers of others, a zone that was chosen.

    shape: of the answer. Times, states and what is counted are left out.
    """
    if len(result) == 1:
        ((member, below),) = result.items()
        if isinstance(below, Mapping):
            result = below
            shape = shape.members.get(member) if shape is not None and shape.type_name == "structure" else None
    found: dict[str, Any] = {}
    sent = {member.lower() for member in params}
    for member, value in result.items():
        if (
            not isinstance(value, str | list)
            or member.lower() in sent
            or member in identifiers
            or names_account(member)
            or is_condition(head.service, member)
        ):
            continue
        if _is_identifier(head, member, value):
            found[member] = value
        if len(found) >= _SHOWN_MEMBERS:
            break
    hidden: dict[str, Any] = tree(shape, found)
    return hidden


def _is_identifier(head: CallHead, member: str, value: Any) -> bool:
    if isinstance(value, str):
        if value == "" or member.lower() in ("availabilityzone", "ownerid"):
            return member.lower() == "availabilityzone"
        return role_by_name(head.service, head.operation, member) is Role.IDENTIFIER
    if isinstance(value, list):
        texts: Iterable[Any] = value
        return (
            bool(value)
            and all(isinstance(each, str) for each in texts)
            and (role_by_name(head.service, head.operation, member) is Role.IDENTIFIER)
        )
    return False
