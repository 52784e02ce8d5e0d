"""What the page shows of the proxy: small enough to be worked out every second while somebody looks."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.proxy.lifecycle.status import degraded
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.reports.page.restore_part import restore_part
from replay_proxy.reports.restore_report import restore_document

LISTED_MAX: Final = 2000
"""Problems and findings of a restore that are shown."""


def proxy_view(proxy: Proxy) -> dict[str, Any]:
    """Return the state of a proxy as the page shows it."""
    strategy, recorder, recording = proxy.load_strategy, proxy.recorder, proxy.recording
    report = None if strategy is None else strategy.report
    counters = proxy.engine.policy.counters
    return {
        "state": proxy.gate.state.value,
        "reason": proxy.gate.reason,
        "waiting": proxy.gate.waits.under_way,
        "emulator": {"name": proxy.backend.name, "url": proxy.backend.url, "returns": proxy.emulator_returns},
        "recording": None if recording is None else str(recording.path),
        "read_only": recording is not None and recording.writer is None,
        "save_strategy": proxy.settings.save_strategy,
        "load_strategy": proxy.settings.load_strategy,
        "can_reset": proxy.requested_resets is not None,
        "degraded": degraded(proxy),
        "requests": counters.as_json(),
        "not_recorded": [] if recorder is None else recorder.omissions.as_json(),
        "gaps": 0 if proxy.session is None else proxy.session.gaps,
        "aliases": len(proxy.engine.translator.aliases),
        "restoring": None if strategy is None else strategy.status(),
        "restore": None if report is None else _counts(report),
    }


def _counts(report: RestoreReport) -> dict[str, Any]:
    return {
        "done": report.done,
        "total": report.total,
        "restored": report.restored,
        "bad": report.done - report.restored + report.lost,
        "superseded": report.superseded,
        "seconds": round(report.seconds, 1),
        "finished": report.finished,
    }


def restore_view(proxy: Proxy) -> dict[str, Any] | None:
    """Return the report of the latest restore as the page reads it; None before the first."""
    report = None if proxy.load_strategy is None else proxy.load_strategy.report
    if report is None:
        return None
    problems, findings = report.problems, report.findings
    counts = RestoreReport(
        report.path,
        report.total,
        report.superseded,
        report.switched_off,
        report.answered,
        counts=report.counts,
        lost=report.lost,
        unlisted=report.unlisted + max(len(problems) - LISTED_MAX, 0) + max(len(findings) - LISTED_MAX, 0),
        problems=list(islice(problems, LISTED_MAX)),
        findings=list(islice(findings, LISTED_MAX)),
        notes=report.notes,
        seconds=report.seconds,
        finished=report.finished,
    )
    return restore_part(restore_document(counts.as_json()))
