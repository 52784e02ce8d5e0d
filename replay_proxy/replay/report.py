"""The account of a restore: what came back, and what did not, each with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MOST_FINDINGS = 200
"""How far back a finding is looked for before it is noted again."""


UNRECOGNISED = "?"
"""In the place of a service, for calls that were not recognised."""

Line = dict[str, object]
"""What is told of one service that is back: `service`, `status` (`ok` or `error`), `restored` of `calls`."""


class Result(StrEnum):
    """What became of one recorded call.

    RESTORED: it was replayed, and its outcome was equivalent to the recorded one.
    DIVERGED: it was replayed, and succeeded, but what it gave differs beyond identifiers, times and the like.
    FAILED: it was replayed and refused, or no answer came.
    """

    RESTORED = "restored"
    DIVERGED = "diverged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CallResult:
    """What became of the call with sequence number `seq`; `reason` is for people, empty where it was restored."""

    seq: int
    service: str
    operation: str
    result: Result
    reason: str = ""
    details: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For `/_replay/status` and `--json`."""
        return {
            "seq": self.seq,
            "call": f"{self.service}:{self.operation}",
            "result": self.result.value,
            "reason": self.reason,
            "details": list(self.details),
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a reader of the report should know of one call: ambiguous identifiers, a read that differs."""

    seq: int
    service: str
    operation: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """For `/_replay/status` and `--json`."""
        return {"seq": self.seq, "call": f"{self.service}:{self.operation}", "message": self.message}


@dataclass(slots=True)
class RestoreReport:
    """The account of one restore; it grows while the restore runs.

    path: of the recording's journal. total: how many calls are to be replayed; superseded: how many need not be, because
    later ones undid them; switched_off: how many are not wanted (`--restore-services`, `--restore-kinds`).
    by_service: how many were dealt with. dealt_with: the numbers of the records that were, witnesses included; through: the
    number of the recording's last record when the restore began. seconds: wall-clock time, reading and planning included.
    settled: seconds until what calls had begun was done as well (`settling`); None before.
    problems: every call that was not restored. findings: what else is to be said of calls.
    notes: what is to be said of the recording, such as a torn tail.
    """

    path: str
    total: int = 0
    superseded: int = 0
    switched_off: int = 0
    counts: dict[Result, int] = field(default_factory=lambda: dict.fromkeys(Result, 0))
    by_service: Counter[str] = field(default_factory=Counter)
    dealt_with: set[int] = field(default_factory=set)
    through: int = 0
    problems: list[CallResult] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    settled: float | None = None
    finished: bool = False

    def add(self, result: CallResult) -> None:
        """Count one call."""
        self.counts[result.result] += 1
        self.by_service[result.service] += 1
        if result.result is not Result.RESTORED:
            self.problems.append(result)

    def find(self, seq: int, service: str, operation: str, message: str) -> None:
        """Note something about one call, once."""
        finding = Finding(seq, service, operation, message)
        if finding not in self.findings[-MOST_FINDINGS:]:
            self.findings.append(finding)

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
        """Every call of the recording had an equivalent outcome."""
        return self.finished and not self.problems

    @property
    def headline(self) -> str:
        """The one line that people look for in a log."""
        return f"Restored {self.restored} API calls from persistent file: {self.path}"

    def as_json(self) -> Mapping[str, Any]:
        """For `/_replay/status` and `--json`."""
        return {
            "path": self.path,
            "total": self.total,
            "superseded": self.superseded,
            "switched_off": self.switched_off,
            **{result.value: count for result, count in self.counts.items()},
            "seconds": round(self.seconds, 3),
            "settled": None if self.settled is None else round(self.settled, 3),
            "finished": self.finished,
            "problems": [problem.as_json() for problem in self.problems],
            "findings": [finding.as_json() for finding in self.findings],
            "notes": self.notes,
        }


def line_of(report: RestoreReport, service: str) -> Line:
    """What is told of a service that is back."""
    service = service or UNRECOGNISED
    calls = report.by_service[service]
    troubled = sum(problem.service == service for problem in report.problems)
    return {
        "service": service,
        "status": "error" if troubled else "ok",
        "restored": calls - troubled,
        "calls": calls,
    }
