"""Replay a recording into a running emulator once, and exit.

Exit code 0: every recorded call had an equivalent outcome. 3: some had not; each is named. Others: see docs/cli.md.
"""

from __future__ import annotations

import argparse
import sys

from replay_proxy.config import Settings, add_options, resolve
from replay_proxy.errors import DivergedError, UsageError
from replay_proxy.wording import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `restore`."""
    add_options(parser, "restore")
    parser.add_argument("--json", action="store_true", help="print the report as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Restore once, and return the exit code."""
    settings = resolve(args)
    if settings.upstream is None:
        raise UsageError("restore needs to know the emulator", hint="add --upstream http://127.0.0.1:PORT")
    from replay_proxy import log
    from replay_proxy.cli.loop import run_loop

    log.set_up(settings.log_format, settings.log_level)
    try:
        run_loop(_restore(settings, args.json))
    except (KeyboardInterrupt, SystemExit):  # by SIGTERM
        print(
            "interrupted: the emulator may hold a part of the recording\nhint: restart it before it is restored again",
            file=sys.stderr,
        )
        raise
    return 0


async def _restore(settings: Settings, as_json: bool) -> None:
    import orjson

    from replay_proxy.cli.progress import RestoreProgress
    from replay_proxy.proxy.lifecycle.restoring.restore import restore_once
    from replay_proxy.replay.execution.reporting.report import Result

    progress = RestoreProgress()
    try:
        report = await restore_once(settings, progress)
    finally:
        progress.close()
    if as_json:
        sys.stdout.write(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode() + "\n")
    if not report.complete:
        uncertain = report.counts[Result.UNCERTAIN]
        doubled = f"; {uncertain} of them may have been carried out, or not" if uncertain else ""
        said = (
            f"{report.troubled.total()} of {counted(report.total, 'recorded call')} had no equivalent outcome{doubled}"
        )
        if report.lost:
            said += f"; {counted(report.lost, 'finding')} of reads say that something is not there that was there"
        raise DivergedError(said, hint="each is named above; --json prints the whole report")
