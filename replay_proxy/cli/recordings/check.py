"""Verify a recording: every line, every checksum, every large body. Nothing is changed, except with --repair.

--repair does what is safe, and says each step: it cuts the torn end that a crash can leave (a copy stays beside the
journal), and removes bodies that were never completed. Whatever would lose recorded calls needs --drop-damaged, too.

Exit code 0: everything that was recorded is there and right. 4: something is damaged or missing; each is named.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from replay_proxy.config import add_options, resolve
from replay_proxy.wording import counted, size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `check`."""
    add_options(parser, "check")
    parser.add_argument(
        "--quick", action="store_true", help="do not read the large bodies, only look whether they are there"
    )
    parser.add_argument(
        "--repair", action="store_true", help="do what is safe, after the check; check again afterwards"
    )
    parser.add_argument(
        "--drop-damaged",
        action="store_true",
        help="with --repair: leave damaged lines out; what they recorded is lost, the original file is kept",
    )
    parser.add_argument(
        "--remove-unreferenced",
        action="store_true",
        help="with --repair: remove large bodies that no recorded call refers to",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Check the recording, and repair it where that is asked for; return the exit code."""
    from replay_proxy.errors import RecordingError, UsageError
    from replay_proxy.journal.check import check, repair

    if (args.drop_damaged or args.remove_unreferenced) and not args.repair:
        raise UsageError("--drop-damaged and --remove-unreferenced are parts of a repair", hint="add --repair")
    data_dir = resolve(args).data_dir
    report = check(data_dir, blobs=not args.quick)
    steps: list[str] = []
    if args.repair:
        _print_errors(str(finding) for finding in report.findings)
        steps = repair(data_dir, drop_damaged=args.drop_damaged, remove_unreferenced=args.remove_unreferenced)
        _print_errors(f"repair: {step}" for step in steps or ["nothing to do"])
        report = check(data_dir, blobs=not args.quick)
    if args.json:
        import orjson

        whole = {**report.as_json(), "steps": steps}
        sys.stdout.write(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _print_errors(str(finding) for finding in report.findings)
        print(
            f"{report.path}: format version {report.version}, {counted(report.records, 'call')} ({report.in_effect} in effect), "
            f"{size(report.size)}; {counted(report.blobs, 'large body')}, {size(report.blob_bytes)}"
        )
        print("everything recorded is there" if report.ok else "this recording is damaged")
    return 0 if report.ok else RecordingError.exit_code


def _print_errors(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)
