"""What the order of a restore has to know of operations beyond their names and parameters: `data/order.json`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.exchange import CallHead

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
_ENDING = ("Delete", "Remove", "Disable", "Unsubscribe", "Deregister", "Stop", "Cancel", "Terminate", "Detach")


@cache
def trigger_noun(operation: str) -> str:
    """Return what the operation of a trigger sets, as others name it: `BucketNotification`, `EventSourceMapping`."""
    verb = next((each for each in _VERBS if operation.startswith(each)), "")
    noun = operation.removeprefix(verb).removesuffix("Configuration")
    return "Subscri" if noun == "Subscribe" else noun.removesuffix("s")


def is_about_trigger(operation: str, noun: str, *, reads: bool) -> bool:
    """Does a call on what a trigger touches have to come after the trigger? noun: of the trigger (`trigger_noun`).

    So it is with what names the same thing, and with what may end or undo it. Other settings, such as tags, may come before.
    """
    return noun in operation or (not reads and operation.startswith(_ENDING))
