"""What the order of a restore has to know of operations beyond their names and parameters: `data/order.json`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.wire.models import models

_DATA = Path(__file__).parent / "data" / "order.json"


@cache
def document() -> dict[str, Any]:
    """Return what `data/order.json` says."""
    content: dict[str, Any] = orjson.loads(_DATA.read_bytes())
    return content


@cache
def _operations(section: str) -> frozenset[tuple[str, str]]:
    return frozenset(
        (entry["service"], operation) for entry in document()[section] for operation in entry["operations"]
    )


def is_barrier(head: CallHead) -> bool:
    """Does the call make or change resources of other services under names that cannot be seen?"""
    return (head.service, head.operation) in _operations("barriers")


def is_trigger(head: CallHead) -> bool:
    """Does data set something off once this call was made?"""
    return (head.service, head.operation) in _operations("triggers")


def is_sender(head: CallHead) -> bool:
    """Does the call itself make the emulator tell others, so that a trigger has to come after it?"""
    return (head.service, head.operation) in _operations("senders")


@cache
def sender_services() -> frozenset[str]:
    """Return the services that have such calls."""
    return frozenset(service for service, _operation in _operations("senders"))


_VERBS = ("BatchPut", "Put", "Create", "Update", "Enable", "Start", "Replace")
_NAMING = re.compile(r"(?:name|arn|id|identifier|url)$")
_ENDING = ("Delete", "Remove", "Disable", "Unsubscribe", "Deregister", "Stop", "Cancel", "Terminate", "Detach")


@cache
def trigger_noun(operation: str) -> str:
    """Return what the operation of a trigger sets, as others name it: `BucketNotification`, `EventSourceMapping`."""
    verb = next((each for each in _VERBS if operation.startswith(each)), "")
    noun = operation.removeprefix(verb).removesuffix("Configuration")
    return "Subscri" if noun == "Subscribe" else noun.removesuffix("s")


def is_about_trigger(call: tuple[str, str], trigger: tuple[str, str], *, reads: bool) -> bool:
    """Does a call on what a trigger touches have to come after the trigger?

    So it is with what names the same thing, and with what may end or undo it. Other settings, such as tags, may come before,
    and so may an ending of something else there.

    call, trigger: service and operation. reads: the call changes nothing.
    """
    operation = call[1]
    if trigger_noun(trigger[1]) in operation:
        return True
    return not reads and is_ending(operation) and not _ends_something_else(call, trigger)


def is_ending(operation: str) -> bool:
    """Is it an operation that takes something away, or switches it off?"""
    return operation.startswith(_ENDING)


@cache
def _ends_something_else(call: tuple[str, str], trigger: tuple[str, str]) -> bool:
    """Does an ending end neither what a trigger touches nor the trigger?

    What it ends is named by a member that is called like it: `logStreamName` of DeleteLogStream, which a filter of the log
    group does not name. Where no member is called like it, it is a part or a setting of what the members name: the tags of a
    bucket. A member that is merely called `Name` can be the name of anything.
    """
    ended = operation_noun(call[1])
    named, triggering = _called(*call), _called(*trigger)
    own = {each for each in named if each and ended.endswith(each)}
    if not ended or "" in named or not named:
        return False
    return not own or (call[0] == trigger[0] and own.isdisjoint(triggering) and not named.isdisjoint(triggering))


def operation_noun(operation: str) -> str:
    """Return what an ending ends, in lower case: `logstream` of DeleteLogStream."""
    verb = next((each for each in _ENDING if operation.startswith(each)), "")
    return operation.removeprefix(verb).lower()


@cache
def _called(service: str, operation: str) -> frozenset[str]:
    """Return what the members of a request are called after, in lower case: `loggroup` for `logGroupName`."""
    try:
        shape = models.operation_model(service, operation).input_shape
    except LookupError:
        return frozenset()
    return frozenset(_NAMING.sub("", member.lower()) for member in shape.members) if shape is not None else frozenset()
