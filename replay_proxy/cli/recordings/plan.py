"""Say what a restore of a recording would do: which calls it would replay, in which order, which not, and why.

Nothing is sent, and nothing is changed. A call waits for those that the plan names with it; what need not wait runs side by
side. The estimate takes every call to last as long as when it was recorded.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from replay_proxy.config import Settings, add_options, resolve
from replay_proxy.wording import counted, duration

SHOWN_WAITS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `plan`."""
    add_options(parser, "plan")
    parser.add_argument("--all", action="store_true", help="list every call, not only the sums")
    parser.add_argument("--json", action="store_true", help="print the whole plan as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the plan, and return the exit code."""
    settings = resolve(args)
    import orjson

    from replay_proxy.journal.read.journal_file import require_recording
    from replay_proxy.journal.read.reader import read

    require_recording(settings.data_dir)
    document = _document(read(settings.data_dir), settings)
    if args.json:
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _show(document, args.all)
    return 0


def _document(recording: Any, settings: Settings) -> dict[str, Any]:
    from datetime import UTC, datetime

    from replay_proxy.call_filter import to_restore
    from replay_proxy.journal.format.records import RecordKind
    from replay_proxy.replay.execution.executor import default_concurrency
    from replay_proxy.replay.ordering.estimate import estimate
    from replay_proxy.replay.planning.plan import plan_of

    plan = plan_of(recording, datetime.now(UTC), supersede=settings.compaction, call_filter=to_restore(settings))
    graph = plan.graph
    dropped = {each.seq: each for each in plan.omissions}
    calls, durations = [], {}
    for record in recording.records():
        call: dict[str, Any] = {"seq": record.seq, "call": record.request.method}
        if record.head is not None:
            call["call"] = f"{record.head.service}:{record.head.operation}"
        if record.seq in dropped:
            call |= {"action": "leave out", "reason": dropped[record.seq].reason}
        else:
            call |= {"action": "replay", "reason": ""}
            if record.kind is RecordKind.WITNESS:
                call |= {"action": "read again", "reason": "it showed identifiers that no recorded call explains"}
            if record.seq in graph.late:
                call["reason"] = call["reason"] or "after the data that would set it off, or what waits for such a call"
            call["waits_for"] = sorted(graph.predecessors(record.seq))
            durations[record.seq] = 0.0 if record.flaw else record.duration_ms
            if record.flaw:
                call["reason"] = f"it cannot be sent, and counts as failed: {record.flaw}"
        calls.append(call)
    at_once = settings.restore_concurrency or default_concurrency()
    expected = estimate(graph, durations, at_once)
    places = {seq: place for place, seq in enumerate(expected.order, 1)}
    for call in calls:
        if call["seq"] in places:
            call["order"] = places[call["seq"]]
    return {
        "recording": str(recording.path),
        "replay": plan.mutation_count,
        "leave_out": len(dropped) - plan.switched_off_count,
        "switched_off": plan.switched_off_count,
        "will_be_missed": len(plan.losses),
        "at_once": at_once,
        "estimated_seconds": round(expected.seconds, 3),
        "calls": calls,
    }


def _show(document: dict[str, Any], every: bool) -> None:
    from collections import Counter

    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=160)
    summary = f"{counted(document['replay'], 'call')} to replay, {document['leave_out']} to leave out"
    if document["switched_off"]:
        summary += f", {document['switched_off']} switched off"
    estimate = f"about {duration(document['estimated_seconds'])}, {document['at_once']} at a time"
    console.print(f"{document['recording']}: {summary}; {estimate}", highlight=False)
    if every:
        table = Table("seq", "call", "what a restore does", "order", "waits for", "why", box=None)
        for call in document["calls"]:
            waits = _listed(call.get("waits_for", []))
            table.add_row(
                str(call["seq"]), call["call"], call["action"], str(call.get("order", "")), waits, call["reason"]
            )
    else:
        table = Table("calls", "call", "what a restore does", "why", box=None)
        sums = Counter((call["action"], call["call"], call["reason"]) for call in document["calls"])
        for (action, name, reason), count in sorted(sums.items()):
            table.add_row(str(count), name, action, reason)
    console.print(table)


def _listed(numbers: list[int]) -> str:
    more = f" and {len(numbers) - SHOWN_WAITS} more" if len(numbers) > SHOWN_WAITS else ""
    return " ".join(map(str, numbers[:SHOWN_WAITS])) + more
