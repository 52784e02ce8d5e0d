"""Which calls may be sent again, and what an answer says about whether the call was carried out. Pure.

A request that was sent, and whose answer was lost, may have been carried out. Sent again, it would add the message a second
time, or increase the counter twice. So such a call is repeated only where the second time does nothing that the first has
not done:

1. what a person has decided (`data/repeating.json`),
2. calls that change nothing,
3. messages with a deduplication id: FIFO queues and topics take the second for a repetition of the first,
4. PUT and DELETE, which HTTP calls idempotent (RFC 9110, section 9.2.2), unless the operation's name says that it makes
   something new,
5. calls that write no data, and whose first word says that they set a value, or take something away; `Put` only in
   services of which every operation was reviewed, because it also adds records, events and metrics.

Calls of 4 and 5 do not count where the recorded answer shows a version: each repetition would make a new one (an object in a
versioned bucket, a parameter's history).

A client token (Smithy's `idempotencyToken`) does not count, because emulators ignore it. Two `RunInstances` with one token make
two instances on moto and on MiniStack, and two `TransactWriteItems` increase a counter twice on moto.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.exchange import CallHead, Request
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.models import models
from replay_proxy.wire.mutability.judge import Effect, is_data, judge_call, reviewed_services
from replay_proxy.wire.mutability.tables import leading_verb

_DATA = Path(__file__).parent / "data" / "repeating.json"

_VERSION: Final = re.compile(r"version(?:id|number)?", re.IGNORECASE)
_GONE: Final = re.compile(r"not_?found|no_?such|not_?exist|non_?exist|unknown", re.IGNORECASE)

NOT_NOW: Final = frozenset(
    {
        # A dependency is still being created or changed.
        "ConcurrentModificationException",
        "DependencyViolation",
        "IncorrectState",
        "InvalidStateException",
        "OperationAborted",
        "PendingVerification",
        "ResourceInUseException",
        "ResourceNotReadyException",
        # The emulator wants fewer calls.
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Codes of refusals that may pass: the call was not carried out."""


NOT_OFFERED: Final = frozenset(
    {"InvalidAction", "NotImplemented", "NotYetImplemented", "UnknownOperation", "UnknownOperationException"}
)
"""Codes of refusals of operations that an endpoint does not have."""


class AnswerMeaning(StrEnum):
    """What an answer says about its call.

    FINAL: the call was carried out, or refused for good.
    NOT_NOW: it was refused, and not carried out; it may succeed later.
    BROKEN: something failed on the way; whether the call was carried out is not known, and it may succeed the next time.
    UNKNOWN: as BROKEN, but nothing suggests that the next time differs.
    """

    FINAL = "final"
    NOT_NOW = "not now"
    BROKEN = "broken"
    UNKNOWN = "unknown"


def meaning_of(outcome: Outcome) -> AnswerMeaning:
    """Return what an answer says about its call.

    A 503 counts as a refusal only with an error code of AWS. Without one it comes from something in between, which does not
    know what became of the call; so do 502 and 504. A 500, and any other 5xx but 501 (not implemented), says nothing.
    """
    if outcome.ok:
        return AnswerMeaning.FINAL
    code, status = outcome.error_code, outcome.status
    if code in NOT_NOW or status == 429 or (status == 503 and code != "503"):
        return AnswerMeaning.NOT_NOW
    if code == "InternalError" or status in (502, 503, 504):
        return AnswerMeaning.BROKEN
    return AnswerMeaning.UNKNOWN if status >= 500 and status != 501 else AnswerMeaning.FINAL


def says_gone(outcome: Outcome) -> bool:
    """Return whether the call was refused because what it names is not there."""
    return outcome.status == 404 or (400 <= outcome.status < 500 and _GONE.search(outcome.error_code) is not None)


def says_there(outcome: Outcome) -> bool:
    """Return whether the call was refused because what it names exists already."""
    if says_gone(outcome) or not 400 <= outcome.status < 500:
        return False
    code = outcome.error_code
    # Some services have one code for all conflicts, such as ResourceInUseException, and say in words which it is.
    return (
        "Exist" in code or "Duplicate" in code or "Already" in code or "already exist" in outcome.error_message.lower()
    )


def says_not_offered(outcome: Outcome) -> bool:
    """Return whether the call was refused because the emulator does not have its operation, or its service.

    AWS's errors have a code, which is one word. An emulator that says of a path or a method that it has none, without such a
    code, does not know what it was asked; nor does one that answers with a sentence.
    """
    code, status = outcome.error_code, outcome.status
    without_code = code in ("404", "405") or (400 <= status < 500 and " " in code)
    return status == 501 or code in NOT_OFFERED or without_code


@dataclass(frozen=True, slots=True)
class Repeatability:
    """Whether a call may be sent again after a request that may have been carried out.

    reason: for people; empty where it may not. removes: the call takes something away, so a refusal because the thing is gone
    means that the call was carried out. refused_if_there: a second call is refused because the thing exists; that means the same.
    """

    allowed: bool
    reason: str = ""
    removes: bool = False
    refused_if_there: bool = False


def repeatability(head: CallHead, request: Request, parameters: Mapping[str, Any], recorded: Outcome) -> Repeatability:
    """Return whether a recorded call may be sent again. parameters: of the request. recorded: its recorded outcome."""
    decided = _operations().get((head.service, head.operation))
    if decided is not None:
        return decided
    effect = judge_call(head, request).effect
    if effect is not Effect.MUTATES:
        return Repeatability(effect is Effect.READS, "it changes nothing")
    if _is_deduplicated(parameters):
        return Repeatability(True, "its deduplication id makes the second the same as the first")
    if any(_VERSION.fullmatch(name) for name in recorded.parsed):
        return Repeatability(False)
    word = leading_verb(head.operation)
    by_verb = _verbs().get(word)
    if _is_put_or_delete(head, request) and word not in _creating():
        return Repeatability(True, f"HTTP calls {request.method} idempotent", by_verb is not None and by_verb.removes)
    if is_data(head.service, head.operation) or by_verb is None:
        return Repeatability(False)
    if word == "Put" and head.service not in reviewed_services():
        return Repeatability(False)  # not reviewed: some `Put` of it may add records, events, metrics
    return by_verb


def repeated_is_refused(head: CallHead) -> bool:
    """Return whether a second call is refused because the thing exists, by the errors that the model declares."""
    try:
        errors = models.operation_model(head.service, head.operation).error_shapes
    except LookupError:
        return False
    names = [shape.name for shape in errors]
    return any(("Exist" in name or "Duplicate" in name) and _GONE.search(name) is None for name in names)


def _is_deduplicated(parameters: Mapping[str, Any]) -> bool:
    entries = parameters.get("Entries", parameters.get("PublishBatchRequestEntries"))
    if isinstance(entries, list) and entries:
        return all(isinstance(entry, Mapping) and "MessageDeduplicationId" in entry for entry in entries)
    return "MessageDeduplicationId" in parameters


def _is_put_or_delete(head: CallHead, request: Request) -> bool:
    return request.method in ("PUT", "DELETE") and head.protocol in ("rest-json", "rest-xml")


@cache
def _document() -> Any:
    return orjson.loads(_DATA.read_bytes())


@cache
def _operations() -> Mapping[tuple[str, str], Repeatability]:
    return {
        (entry["service"], operation): Repeatability(
            entry["repeatable"], entry["reason"] if entry["repeatable"] else "", leading_verb(operation) == "Delete"
        )
        for entry in _document()["operations"]
        for operation in entry["operations"]
    }


@cache
def _verbs() -> Mapping[str, Repeatability]:
    return {
        verb: Repeatability(True, group["reason"], group.get("taking", False))
        for group in _document()["verbs"]
        for verb in group["verbs"]
    }


@cache
def _creating() -> frozenset[str]:
    return frozenset(_document()["creating"])


def makes_something(head: CallHead) -> bool:
    """Return whether the operation's name says that it makes something new."""
    return leading_verb(head.operation) in _creating()
