"""The account of a restore: what came back, and what did not, each with its reason."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain
from typing import Any, Final

RECENT_FINDINGS = 200
"""So many of the latest findings are compared with a new one, which is not noted twice."""
LISTED_BYTES_MAX = 16 << 20
"""Of the text of problems and findings. What exceeds it is counted, and not listed."""
LISTED_MAX = 20_000
"""Problems and findings together. What exceeds it is counted, and not listed."""
TEXT_MAX, DETAILS_MAX = 2_000, 50
"""Characters of one text, and details of one problem. What exceeds them is cut off."""

_DIFFERENCE: Final = ("member", "recorded", "replayed")

UNRECOGNISED = "?"
"""Stands for the service of calls that were not recognised."""

ServiceSummary = dict[str, object]
"""What clients are told of a service that is back: `service`, `status` (`ok` or `error`), `restored` of `calls`."""


class Result(StrEnum):
    """What became of one recorded call.

    RESTORED: it was replayed, and its outcome was equivalent to the recorded one.
    DIVERGED: it was replayed, and succeeded, but what it gave differs beyond identifiers, times and the like.
    FAILED: it was replayed and refused, or no answer came, or it cannot be sent.
    UNCERTAIN: it was sent, and no answer says whether it was carried out. To send it again could have done it twice. So
        what it makes may be there or not.
    """

    RESTORED = "restored"
    DIVERGED = "diverged"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class CallResult:
    """What became of the call with sequence number `seq`; `reason` is for people, empty where it was restored.

    details: where its outcome differs, in a line each. differences: the same apart: member, recorded value, replayed value.
    broken_off: neither the call nor the emulator is the reason (`NotRestored`).
    """

    seq: int
    service: str
    operation: str
    result: Result
    reason: str = ""
    details: tuple[str, ...] = ()
    differences: tuple[tuple[str, str, str], ...] = ()
    broken_off: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as `/_replay/status` and `--json` show it."""
        return {
            "seq": self.seq,
            "call": f"{self.service}:{self.operation}",
            "result": self.result.value,
            "reason": self.reason,
            "details": list(self.details),
            "differences": [dict(zip(_DIFFERENCE, each, strict=True)) for each in self.differences],
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a reader of the report should know of one call: ambiguous identifiers, a read that differs.

    loss: it says that something is not there that was there.
    """

    seq: int
    service: str
    operation: str
    message: str
    loss: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as `/_replay/status` and `--json` show it."""
        shown = {"seq": self.seq, "call": f"{self.service}:{self.operation}", "message": self.message}
        return {**shown, "loss": True} if self.loss else shown


@dataclass(slots=True)
class RestoreReport:
    """The account of one restore; it grows while the restore runs.

    path: of the recording's journal. total: how many calls are to be replayed, with reads that count as calls (`add_read`);
    superseded: how many need not be, because later ones undid them; switched_off: how many are not wanted (`--restore-services`,
    `--restore-kinds`); answered: how many are about runs that are not started again, and are answered from the recording.
    by_service: how many were dealt with. dealt_with: the numbers of the records that were, witnesses included; through: the
    number of the recording's last record when the restore began. seconds: wall-clock time, reading and planning included.
    settled: seconds until what calls had begun was done as well (`settling`); None before.
    in_doubt: the numbers of records that were sent, and had no answer (yet) that says what became of them, with what is
    known of that; those that were dealt with since are in `dealt_with`, too.
    problems: every call that was not restored. findings: what else is to be said of calls. Both up to a bound; unlisted: how many
    are beyond it. troubled: how many calls were not restored, by service; broken_off: how many of them because a connection
    broke, or something could not be read. lost: how many findings say that something is not
    there that was there.
    notes: what is to be said of the recording, such as a torn tail.
    """

    path: str
    total: int = 0
    superseded: int = 0
    switched_off: int = 0
    answered: int = 0
    counts: dict[Result, int] = field(default_factory=lambda: dict.fromkeys(Result, 0))
    by_service: Counter[str] = field(default_factory=Counter)
    dealt_with: set[int] = field(default_factory=set)
    through: int = 0
    in_doubt: dict[int, str] = field(default_factory=dict)
    problems: list[CallResult] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unlisted: int = 0
    troubled: Counter[str] = field(default_factory=Counter)
    broken_off: int = 0
    lost: int = 0
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    settled: float | None = None
    finished: bool = False
    _listed: int = 0

    def add(self, result: CallResult) -> None:
        """Count one call."""
        self.counts[result.result] += 1
        self.by_service[result.service] += 1
        if result.result is not Result.RESTORED:
            self.troubled[result.service] += 1
            self.broken_off += result.broken_off
            details = tuple(_cut(each) for each in result.details[:DETAILS_MAX])
            differences = tuple(
                (_cut(path), _cut(recorded), _cut(replayed))
                for path, recorded, replayed in result.differences[:DETAILS_MAX]
            )
            cut = replace(result, reason=_cut(result.reason), details=details, differences=differences)
            if self._has_room(cut.reason, *cut.details, *chain.from_iterable(cut.differences)):
                self.problems.append(cut)

    def add_read(self, result: CallResult) -> None:
        """Count a read that counts as a call: what it shows is in another account, or of somebody else's credentials."""
        self.total += 1
        self.add(result)

    def take_over(self, earlier: RestoreReport) -> None:
        """Take over what an earlier report, from which this one goes on, says of calls that were not restored."""
        for problem in earlier.problems:
            if problem.seq in earlier.dealt_with:
                self.add(problem)
        for finding in earlier.findings:
            self.find(finding.seq, finding.service, finding.operation, finding.message, loss=finding.loss)
        self.unlisted += earlier.unlisted

    def find(self, seq: int, service: str, operation: str, message: str, *, loss: bool = False) -> None:
        """Note something about one call, once. loss: it says that something is not there that was there."""
        finding = Finding(seq, service, operation, _cut(message), loss)
        if finding in self.findings[-RECENT_FINDINGS:]:
            return
        self.lost += loss
        if self._has_room(finding.message):
            self.findings.append(finding)

    def _has_room(self, *texts: str) -> bool:
        """Return whether these texts can be listed; where not, count them."""
        size = sum(map(sys.getsizeof, texts))
        if self._listed + size > LISTED_BYTES_MAX or len(self.problems) + len(self.findings) >= LISTED_MAX:
            self.unlisted += 1
            return False
        self._listed += size
        return True

    @property
    def left_in_doubt(self) -> tuple[int, ...]:
        """The numbers of records that were sent, and were not dealt with since."""
        return tuple(sorted(self.in_doubt.keys() - self.dealt_with))

    @property
    def restored(self) -> int:
        """The number of calls whose replay had an equivalent outcome."""
        return self.counts[Result.RESTORED]

    @property
    def done(self) -> int:
        """The number of calls that were dealt with so far."""
        return sum(self.counts.values())

    @property
    def complete(self) -> bool:
        """Whether every call that was to be replayed had an equivalent outcome, and no read says that something is lost."""
        return self.finished and not self.troubled and not self.lost

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to restore."""
        return not (self.total or self.superseded or self.switched_off or self.answered)

    @property
    def headline(self) -> str:
        """The one line that people look for in a log."""
        return f"Restored {self.restored} API calls from persistent file: {self.path}"

    def as_json(self) -> Mapping[str, Any]:
        """Return it as `/_replay/status` and `--json` show it."""
        return {
            "path": self.path,
            "total": self.total,
            "superseded": self.superseded,
            "switched_off": self.switched_off,
            "answered_from_recording": self.answered,
            **{result.value: count for result, count in self.counts.items()},
            "lost": self.lost,
            "seconds": round(self.seconds, 3),
            "settled": None if self.settled is None else round(self.settled, 3),
            "finished": self.finished,
            "problems": [problem.as_json() for problem in self.problems],
            "findings": [finding.as_json() for finding in self.findings],
            "unlisted": self.unlisted,
            "notes": self.notes,
        }


@dataclass(slots=True)
class RestoreTotals:
    """What the restores of a running proxy that have ended add up to.

    complete: they brought back everything. incomplete: they ended, and calls were not restored or something is lost.
    failed: they could not be carried out. seconds: of the first two. calls: by what became of them; superseded: so many more
    needed no repeating.
    """

    complete: int = 0
    incomplete: int = 0
    failed: int = 0
    seconds: float = 0.0
    calls: Counter[Result] = field(default_factory=Counter)
    superseded: int = 0

    def add(self, report: RestoreReport) -> None:
        """Add a restore that has ended, unless there was nothing to restore."""
        if report.is_empty:
            return
        if report.complete:
            self.complete += 1
        else:
            self.incomplete += 1
        self.seconds += report.seconds
        self.calls.update(report.counts)
        self.superseded += report.superseded


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "..."


def service_summary(report: RestoreReport, service: str) -> ServiceSummary:
    """Return what clients are told of a service that is back."""
    service = service or UNRECOGNISED
    calls = report.by_service[service]
    troubled = report.troubled[service]
    return {
        "service": service,
        "status": "error" if troubled else "ok",
        "restored": calls - troubled,
        "calls": calls,
    }
