"""Where in a message the number of an account stands for that account.

Twelve digits may be anything: the name of a queue, the value of a tag or a parameter, a customer. They are an account in the
part of an ARN, of a queue's URL and of a registry's host that holds one, and in members that hold accounts.
"""

from __future__ import annotations

import re
from enum import Enum

from replay_proxy.footprint.members.account_members import holds_account
from replay_proxy.footprint.members.member_roles import Role, role_by_name
from replay_proxy.identifiers.table import tokens
from replay_proxy.identifiers.table.identifier_places import value_around

_LOOKED_AROUND_BYTES = 512
_IN_ADDRESS = re.compile(
    rb"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:\Z"
    rb"|:account/o-[a-z0-9]+/\Z"  # an account of an organization
)
_BEFORE_PATH = re.compile(rb"://[^/\s\"'<>&]+/(?:queue/[a-z0-9-]+/)?\Z")
_BEFORE_PATH_OF_TARGET = re.compile(rb"\A/(?:queue/[a-z0-9-]+/)?\Z")
_BEFORE_PART_OF_ARN = re.compile(rb"(?:\A|[\"'>=/])(?:[a-z]{2}(?:-[a-z]+)+-\d+:)?\Z")
_PART_OF_ARN = re.compile(rb":(?:function|layer):")
_HOST = re.compile(rb"\.(?:dkr[.-]ecr|s3-control|ddb|signin)\b")
_FILTERED_FIELD = re.compile(
    rb"(?:\A|[&?\n])([A-Za-z0-9_.]*Filters?(?:\.[A-Za-z]+)?\.\d+)\.Values?(?:\.[A-Za-z]+)?\.\d+=\Z"
)
_FILTERED_VALUES = re.compile(
    rb"\"([A-Za-z]*[Ff]ilters?)\"\s*:\s*\[(?:[^\[\]]|\[[^\[\]]*\])*"
    rb"\"(?:[Nn]ame|[Kk]ey)\"\s*:\s*\"([^\"]{1,64})\"\s*,\s*\"[Vv]alues\"\s*:\s*\[[^\[\]{}]*\Z"
)
_ENTRY = re.compile(rb"<entry>\s*<key>([^<]{1,128})</key>\s*<value>\Z")


class AccountPlace(Enum):
    """What says that a number is an account: nothing; the address around it; the member or field whose value it is.

    SEGMENT: it is a segment of the path of a request, of which only the model says what it is. BARE: it is all of a text whose
    member the text does not show.
    """

    NONE = "none"
    ADDRESS = "address"
    MEMBER = "member"
    SEGMENT = "segment"
    BARE = "bare"


def account_place(text: bytes, start: int, end: int, service: str) -> AccountPlace:
    """Return what says that `start:end` of a text is an account. service: of the message; empty where it is of none."""
    before = tokens.unescaped(text[max(0, start - _LOOKED_AROUND_BYTES) : start]).text
    after = tokens.unescaped(text[end : end + _LOOKED_AROUND_BYTES]).text
    if _IN_ADDRESS.search(before) or _HOST.match(after):
        return AccountPlace.ADDRESS
    if _PART_OF_ARN.match(after) and _BEFORE_PART_OF_ARN.search(before):
        return AccountPlace.ADDRESS
    if after[:1] == b"/" and service != "s3" and _BEFORE_PATH.search(before):
        return AccountPlace.ADDRESS
    if text[:1] == b"/" and b"?" not in text[:start] and text[start - 1 : start] == b"/":
        if service == "sqs" and after[:1] == b"/" and _BEFORE_PATH_OF_TARGET.match(text[:start]):
            return AccountPlace.ADDRESS
        return AccountPlace.SEGMENT if after[:1] in (b"", b"/", b"?") else AccountPlace.NONE
    if not start and end == len(text):
        return AccountPlace.BARE
    return _place_of_member(before, text[start:end], after, service)


def _place_of_member(before: bytes, account: bytes, after: bytes, service: str) -> AccountPlace:
    around = before + account + after
    value, at, member = value_around(around, len(before), len(before) + len(account))
    if value != account or at != len(before):
        # In a sentence about a state the emulator names accounts, too.
        told = bool(member) and role_by_name(service, "", member) is Role.STATE
    elif entry := _ENTRY.search(before):
        told = holds_account(service, _text(entry[1]))
    elif filtered := _FILTERED_VALUES.search(before):
        told = "tag" not in _text(filtered[1]).lower() and holds_account(service, _text(filtered[2]))
    elif field := _FILTERED_FIELD.search(before):
        name = re.search(re.escape(field[1]) + rb"\.(?:Name|Key)=([^&\n]{1,64})", around)
        told = name is not None and holds_account(service, _text(name[1]))
    else:
        told = bool(member) and holds_account(service, member)
    return AccountPlace.MEMBER if told else AccountPlace.NONE


def _text(name: bytes) -> str:
    return name.decode("latin-1")


def with_account(text: str, old: str, new: str, *, service: str, member: str) -> str:
    """Return the value of a member with another number of an account in it, where that stands for the account."""
    data = text.encode("utf-8", "surrogatepass")
    if old.encode() not in data:
        return text

    def replaced(found: re.Match[bytes]) -> bytes:
        place = account_place(data, *found.span(), service)
        is_bare = place in (AccountPlace.BARE, AccountPlace.SEGMENT)
        told = holds_account(service, member) if is_bare else place is not AccountPlace.NONE
        return new.encode() if told else found[0]

    word = re.compile(rb"(?<![A-Za-z0-9_-])" + re.escape(old.encode()) + rb"(?![A-Za-z0-9_-])")
    return word.sub(replaced, data).decode("utf-8", "surrogatepass")
