"""Recorded mutations that leave nothing behind, by what is known today.

A recording of an older version, or of another program, may hold calls that today's mutability tables say change nothing that
outlives a restart.
"""

from __future__ import annotations

from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.issued.issuing_calls import is_kept
from replay_proxy.wire.mutability.judge import Effect, Judgement, judge, judge_call


def is_kept_only(record: Record) -> bool:
    """Return whether a call was recorded because of what it gave out, and never to be made again by a restore."""
    head = record.head
    return head is not None and record.kind is not RecordKind.WITNESS and is_kept(head.service, head.operation)


def left_out_because(record: Record, verdict: Judgement) -> str:
    """Return the reason for leaving out a call of which `judged_without_effect` says that it has none."""
    if is_kept_only(record):
        return "it changes nothing; what it gave out is made again when a client presents it"
    return f"it leaves nothing that outlives a restart: {verdict.reason}"


def judged_without_effect(record: Record) -> Judgement | None:
    """Return why a recorded mutation need not be repeated; None where it has to be."""
    head = record.head
    if (
        head is None
        or record.flaw
        or record.kind is RecordKind.WITNESS
        or (judge(head.service, head.operation).effect is Effect.MUTATES and not is_kept(head.service, head.operation))
    ):
        return None
    verdict = judge_call(head, record.request)
    return None if verdict.effect is Effect.MUTATES else verdict
