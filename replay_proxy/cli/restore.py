"""Replay a recording into a running emulator once, and exit.

With --check-wiring 1 the emulator is asked at the end whether everything is there and wired, as `replay-proxy doctor` does, and
one line says so; --doctor-report keeps the whole of it. With --smoke the checks of a file are carried out.

Exit code 0: every recorded call had an equivalent outcome, and nothing that was checked is wrong. 3: some had not, or something
is; each is named. Others: see docs/cli.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replay_proxy.cli.pod.running import going_on
from replay_proxy.config import Settings, add_options, resolve
from replay_proxy.errors import DivergedError, UsageError
from replay_proxy.wording import counted

if TYPE_CHECKING:
    from replay_proxy.cli.progress import RestoreProgress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `restore`."""
    add_options(parser, "restore")
    parser.add_argument("--json", action="store_true", help="print the report as JSON on standard output")
    parser.add_argument(
        "--doctor-report",
        metavar="FILE",
        type=Path,
        help="check the wiring, too, and write the diagnosis as JSON, as `replay-proxy doctor --json` prints it; "
        "`replay-proxy report --doctor-report FILE` shows it",
    )


def run(args: argparse.Namespace) -> int:
    """Restore once, and return the exit code."""
    settings = resolve(args, defaults={"check_wiring": "0"})
    if settings.upstream is None:
        raise UsageError("restore needs to know the emulator", hint="add --upstream http://127.0.0.1:PORT")
    from replay_proxy import log
    from replay_proxy.cli.loop import run_loop
    from replay_proxy.cli.progress import RestoreProgress

    smoke = None
    if settings.smoke is not None:
        from replay_proxy.doctor.smoke.document import read_smoke_tests

        smoke = read_smoke_tests(settings.smoke)  # a mistake in it is told before anything is restored
    log.set_up(settings.log_format, settings.log_level)
    progress = RestoreProgress()
    with going_on(progress.so_far):
        said = [run_loop(_restore(settings, progress, as_json=args.json))]
    with going_on(lambda: "everything was made again; what comes after that was not finished"):
        if settings.check_wiring or args.doctor_report is not None:
            said.append(_wiring(settings, args.doctor_report))
        if smoke is not None:
            said.append(_smoke(settings, smoke))
    wrong = [each for each in said if each]
    if wrong:
        raise DivergedError("; ".join(wrong), hint="each is named above; --json prints the whole report of the restore")
    return 0


async def _restore(settings: Settings, progress: RestoreProgress, *, as_json: bool) -> str:
    """Restore, and return what did not come back, in words; empty where all did."""
    import orjson

    from replay_proxy.proxy.lifecycle.restoring.restore import restore_once
    from replay_proxy.replay.execution.reporting.report import Result

    try:
        report = await restore_once(settings, progress)
    finally:
        progress.close()
    if as_json:
        sys.stdout.write(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode() + "\n")
    if report.complete:
        return ""
    uncertain = report.counts[Result.UNCERTAIN]
    doubled = f"; {uncertain} of them may have been carried out, or not" if uncertain else ""
    said = f"{report.troubled.total()} of {counted(report.total, 'recorded call')} had no equivalent outcome{doubled}"
    if report.lost:
        said += f"; {counted(report.lost, 'finding')} of reads say that something is not there that was there"
    return said


def _wiring(settings: Settings, kept_in: Path | None) -> str:
    """Examine the emulator, say what came of it, and return what is wrong in words. kept_in: the file of the diagnosis."""
    import orjson

    from replay_proxy.cli.loop import run_loop
    from replay_proxy.control.doctor.without_proxy import examine_emulator
    from replay_proxy.errors import StorageError
    from replay_proxy.reports import doctor_text

    document: dict[str, Any] = run_loop(examine_emulator(settings, (), before_save=False))
    if kept_in is not None:
        try:
            kept_in.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise StorageError(
                f"{kept_in} cannot be written: {error.strerror}", hint="does its directory exist, and is it yours?"
            ) from error
    if not document["sound"]:
        for line in doctor_text.tree_lines(document):
            print(line, file=sys.stderr)
    print(doctor_text.summary_line(document), file=sys.stderr)
    return "" if document["sound"] else f"{counted(len(document['findings']), 'finding')} of the doctor"


def _smoke(settings: Settings, document: dict[str, Any]) -> str:
    """Carry out smoke tests, say what came of each, and return what did not pass, in words."""
    from replay_proxy.cli.loop import run_loop
    from replay_proxy.control.doctor.without_proxy import smoke_emulator
    from replay_proxy.reports import doctor_text

    results = run_loop(smoke_emulator(settings, document))
    for line in doctor_text.smoke_lines(results):
        print(line, file=sys.stderr)
    failed = sum(bool(each["failure"]) for each in results)
    return f"{failed} of {counted(len(results), 'smoke test')} did not pass" if failed else ""
