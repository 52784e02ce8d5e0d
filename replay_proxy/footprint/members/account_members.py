"""Which members hold the number of an account: as their whole value, and as nothing but that number.

Their names tell most, the patterns of the models the rest: a member that takes twelve digits, and neither eleven nor
thirteen. A queue, a tag or a parameter may be called by any digits; that makes none of them an account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from replay_proxy.footprint.members.naming_members import names_account
from replay_proxy.wire.models.models import description

_ACCOUNT: Final = "1" * 12
_OTHERS: Final = ("1" * 11, "1" * 13)
_HOLDING: Final = re.compile(
    r"[a-z0-9]*principal(?:id|identifier)?s?"  # of policies, grants and permissions
    r"|aws"  # in the principal of a policy
    r"|userids?"  # whose image, snapshot or group it is (EC2); the caller who is root
    r"|requesterid|catalogid"  # who asked for an interface; the Data Catalog of an account
    r"|outputvalue",  # what a stack makes of `AWS::AccountId`
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def holds_account(service: str, member: str) -> bool:
    """Return whether a member, header field or filter of a service holds accounts. service: empty for any.

    member: as it is written (`OwnerId`, `x-amz-expected-bucket-owner`, `requester-vpc-info.owner-id`).
    """
    plain = member.rpartition(".")[2].replace("-", "")
    return names_account(plain) or _HOLDING.fullmatch(plain) is not None or plain.lower() in _by_model(service)


@lru_cache(maxsize=64)
def _by_model(service: str) -> frozenset[str]:
    """Return the members of a service, in lower case, whose pattern lets an account in; by their names on the wire, too."""
    try:
        shapes = description(service)["shapes"]
    except LookupError:
        return frozenset()
    found = set()
    for shape in shapes.values():
        for member, part in shape.get("members", {}).items():
            if _lets_account_in(shapes, part["shape"]):
                found |= {member.lower(), part.get("locationName", member).lower().replace("-", "")}
    return frozenset(found)


def _lets_account_in(shapes: Mapping[str, Any], name: str) -> bool:
    shape = shapes[name]
    if shape["type"] == "list":
        shape = shapes[shape["member"]["shape"]]
    pattern = shape.get("pattern")
    if shape["type"] != "string" or not pattern:
        return False
    try:
        form = re.compile(pattern)
    except re.error:  # of another dialect
        return False
    return form.fullmatch(_ACCOUNT) is not None and not any(map(form.fullmatch, _OTHERS))
