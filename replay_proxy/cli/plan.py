"""Say what a restore of a recording would do: which calls it would replay, which not, and why.

Nothing is sent, and nothing is changed. The estimate adds up how long the calls took when they were recorded.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from replay_proxy.config import add_options, resolve
from replay_proxy.errors import RecordingError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `plan`."""
    add_options(parser, "plan")
    parser.add_argument("--all", action="store_true", help="list every call, not only the sums")
    parser.add_argument("--json", action="store_true", help="print the whole plan as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the plan."""
    settings = resolve(args)
    import orjson

    from replay_proxy.journal.reader import read
    from replay_proxy.journal.records import JOURNAL_NAME

    if not (settings.data_dir / JOURNAL_NAME).exists():
        raise RecordingError(
            f"there is no recording in {settings.data_dir}", hint="name its directory with --data-dir (DATA_DIR)"
        )
    document = _document(read(settings.data_dir))
    if args.json:
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _show(document, args.all)
    return 0


def _document(recording: Any) -> dict[str, Any]:
    from datetime import UTC, datetime

    from replay_proxy.journal.records import Kind
    from replay_proxy.replay.compact import plan_of

    plan = plan_of(recording, datetime.now(UTC))
    dropped = {each.seq: each for each in plan.dropped}
    calls = []
    milliseconds = 0.0
    for record in recording.records():
        if record.kind is Kind.WITNESS and record.seq not in dropped:
            action, reason = "read again", "it showed identifiers that no recorded call explains"
        elif record.seq in dropped:
            action, reason = "leave out", dropped[record.seq].reason
        else:
            action, reason = "replay", ""
            milliseconds += record.duration_ms
        name = f"{record.head.service}:{record.head.operation}" if record.head is not None else record.request.method
        calls.append({"seq": record.seq, "call": name, "action": action, "reason": reason})
    return {
        "recording": str(recording.path),
        "replay": plan.kept_count,
        "leave_out": len(dropped),
        "will_be_missed": len(plan.losses),
        "estimated_seconds": round(milliseconds / 1000, 2),
        "calls": calls,
    }


def _show(document: dict[str, Any], every: bool) -> None:
    from collections import Counter

    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=160)
    summary = f"{document['replay']} calls to replay, {document['leave_out']} to leave out"
    console.print(f"{document['recording']}: {summary}; about {document['estimated_seconds']:g} s", highlight=False)
    if every:
        table = Table("seq", "call", "what a restore does", "why", box=None)
        for call in document["calls"]:
            table.add_row(str(call["seq"]), call["call"], call["action"], call["reason"])
    else:
        table = Table("calls", "call", "what a restore does", "why", box=None)
        sums = Counter((call["action"], call["call"], call["reason"]) for call in document["calls"])
        for (action, name, reason), count in sorted(sums.items()):
            table.add_row(str(count), name, action, reason)
    console.print(table)
