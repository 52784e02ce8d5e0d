"""What is lost is told once for each reason."""

from __future__ import annotations

import logging

import structlog
from structlog.testing import capture_logs

from replay_proxy.proxy.lifecycle.restoring.restore import log_report
from replay_proxy.replay.execution.reporting.report import RestoreReport


def test_many_reads_with_one_reason_are_one_line() -> None:
    report = RestoreReport("calls.json", total=1)
    gone, other = (
        "the read could not be repeated: no such group: /g",
        "the read could not be repeated: no such group: /h",
    )
    for seq in (4, 9, 12):
        report.find(seq, "logs", "FilterLogEvents", gone, loss=True)
    report.find(15, "logs", "FilterLogEvents", other, loss=True)
    report.find(16, "logs", "GetLogEvents", "another group is shown")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    try:
        with capture_logs() as lines:
            log_report(report)
    finally:
        structlog.reset_defaults()
    told = [(line["seq"], line["reason"], line.get("times")) for line in lines if line["event"].startswith("lost: ")]
    assert told == [(4, gone, 3), (15, other, None)]
    [headline] = [line for line in lines if line["event"] == report.headline]
    assert headline["lost"] == 4
