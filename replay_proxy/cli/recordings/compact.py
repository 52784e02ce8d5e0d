"""Rewrite a recording to its live part: without the calls that no restore would repeat.

What is left out is what `replay-proxy plan` lists: messages that were deleted, values that were overwritten, resources
that are gone with all that hung on them. What a restore brings back stays the same.

The new journal is written beside the present one, verified, and put in its place at once. The present one is kept as
recorded_api_calls.json.before-compaction until the next compaction, with the large bodies that it needs;
--discard-original removes both right away. To go back, stop the proxy, and rename it to recorded_api_calls.json.

A running proxy compacts by itself (see --compact-percentage of `serve`); this is for recordings that nobody uses.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from replay_proxy.config import add_options, resolve
from replay_proxy.wording import counted, size

if TYPE_CHECKING:
    from replay_proxy.journal.compaction.rewrite import CompactionReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `compact`."""
    add_options(parser, "compact")
    parser.add_argument("--dry-run", action="store_true", help="say what would go and why, and change nothing")
    parser.add_argument(
        "--discard-original",
        action="store_true",
        help="do not keep the journal as it was; the bodies that only it needs are removed at once",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Compact the recording, or say what that would do; return the exit code."""
    from replay_proxy.journal.read.journal_file import require_recording
    from replay_proxy.journal.storage.files import Files
    from replay_proxy.replay.planning.compact_recording import compact_recording, stage_compaction

    data_dir = resolve(args).data_dir
    require_recording(data_dir)
    if args.dry_run:
        report = stage_compaction(Files(data_dir), write=False)
    else:
        report = compact_recording(data_dir, discard_original=args.discard_original)
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.json:
        import orjson

        document = {**report.as_json(), "dry_run": args.dry_run}
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _show(report, args.dry_run, args.discard_original)
    return 0


def _show(report: CompactionReport, dry_run: bool, discarded: bool) -> None:
    from replay_proxy.journal.compaction.file_swap import BACKUP_NAME

    gone = report.calls_before - report.calls_after
    if not report.worth_it:
        print(
            f"{report.path}: {counted(report.calls_before, 'call')} recorded, and all of it is needed; nothing to leave out"
        )
    else:
        verb = "would go" if dry_run else "went"
        print(f"{report.path}: {gone} of {counted(report.calls_before, 'call')} {verb}, {report.calls_after} stay")
        for reason, count in sorted(report.reasons.items(), key=lambda each: (-each[1], each[0])):
            print(f"{count:>8}  {reason}")
        if report.changed:
            print(f"{report.changed:>8}  stay in part: batches that lost entries, and the like")
        print(f"journal: {size(report.journal_before)} before, {size(report.journal_after)} after")
        if report.bodies_before:
            print(f"large bodies that it needs: {size(report.bodies_before)} before, {size(report.bodies_after)} after")
    if report.waiting:
        print(
            f"{counted(report.waiting, 'call', 'was were')} not looked at: not saved yet (MANUAL), or behind what is not"
        )
    if report.bodies_removed:
        print(
            f"removed {counted(report.bodies_removed, 'large body')} ({size(report.body_bytes_removed)}) that nothing needs "
            "any more"
        )
    if report.worth_it and not dry_run and not discarded:
        print(f"the journal as it was is kept as {BACKUP_NAME} until the next compaction")
