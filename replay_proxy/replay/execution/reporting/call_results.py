"""What became of one call, in the words of a report."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

from replay_proxy import log
from replay_proxy.identifiers.learning.compare import Comparison
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.execution.reporting.not_restored import NotRestored
from replay_proxy.replay.execution.reporting.report import CallResult, Result

_log = log.get("restore")
_NAME_CHARACTERS_MAX: Final = 100


def call_result(record: Record, outcome: Comparison | NotRestored) -> CallResult:
    """Return the account of a call. outcome: how it compares with the recorded one, or why it was not restored."""
    names = names_of(record)
    if isinstance(outcome, NotRestored):
        result = Result.UNCERTAIN if outcome.in_doubt else Result.FAILED
        return CallResult(record.seq, *names, result, str(outcome), broken_off=outcome.broken_off)
    if outcome.equivalent:
        return CallResult(record.seq, *names, Result.RESTORED)
    details = tuple(str(each) for each in outcome.differences)
    differences = tuple((each.path, each.expected, each.actual) for each in outcome.differences)
    return CallResult(record.seq, *names, Result.DIVERGED, "the answer differs", details, differences)


def unexpected(record: Record, error: Exception, *, in_doubt: bool = False) -> NotRestored:
    """Return an error that nobody foresaw as a reason, with its place in the program."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"
    _log.debug("an unexpected error", seq=record.seq, exc_info=error)
    reason = f"an error of the program itself, {type(error).__name__} at {place}: {error}"
    return NotRestored(reason, in_doubt=in_doubt)


def names_of(record: Record) -> tuple[str, str]:
    """Return service and operation of a record as a report shows them."""
    head = record.head
    names = (head.service, head.operation) if head is not None else ("?", record.request.method)
    return _printable(names[0]), _printable(names[1])


def _printable(name: str) -> str:
    """Return a name as a terminal can show it: files may say anything."""
    return name[:_NAME_CHARACTERS_MAX] if name.isprintable() else repr(name)[:_NAME_CHARACTERS_MAX]
