"""Write what is in a recording, and what a restore made of it, for people and for CI systems.

The page is one HTML file that needs no network: a summary, a timeline, the resources as a tree and as a graph of their links,
every call with its request, its answer and the `aws` command, the restore with recorded and replayed values side by side, and
a search over all of it. Markdown is for the summary of a CI job; JUnit XML shows what did not come back as failed tests.

replay-proxy report -o report.html                        the page, of the recording of --data-dir
replay-proxy report artifact.zip -o report/               report.html, report.md and junit.xml in a folder
replay-proxy report --markdown "$GITHUB_STEP_SUMMARY"     the summary alone; `-` is standard output
replay-proxy report -o report/ --restore-report restore.json     with what `replay-proxy restore --json` printed
replay-proxy report -o report/ --doctor-report doctor.json       with what `replay-proxy doctor --json` printed
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from replay_proxy.cli.recordings.source import add_recording, named_recording
from replay_proxy.config import add_options, resolve
from replay_proxy.errors import UsageError

PAGE, MARKDOWN, JUNIT = "report.html", "report.md", "junit.xml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `report`."""
    add_recording(parser)
    parser.add_argument(
        "--output",
        "-o",
        metavar="PATH",
        help=f"a file (.html): the page; a directory: {PAGE}, {MARKDOWN} and {JUNIT} in it",
    )
    parser.add_argument("--markdown", metavar="FILE", help="write the summary as Markdown; `-` for standard output")
    parser.add_argument("--junit", metavar="FILE", help="write JUnit XML; `-` for standard output")
    parser.add_argument(
        "--restore-report",
        metavar="FILE",
        help="what `replay-proxy restore --json` printed, or /_replay/status answered",
    )
    parser.add_argument(
        "--doctor-report",
        metavar="FILE",
        help="what `replay-proxy doctor --json` printed, or GET /_replay/doctor answered",
    )
    add_options(parser, "report")


def run(args: argparse.Namespace) -> int:
    """Write what is asked for, and return the exit code."""
    settings = resolve(args)
    if not (args.output or args.markdown or args.junit):
        raise UsageError(
            "report needs to know what to write", hint="add -o report.html, or -o DIR for all it can write"
        )
    from replay_proxy.cli.recordings.opening import open_named
    from replay_proxy.reports.doctor_report import read_doctor_report
    from replay_proxy.reports.doctor_text import doctor_markdown
    from replay_proxy.reports.junit import junit_xml
    from replay_proxy.reports.moments import model_at, split_moment
    from replay_proxy.reports.page.write import page_pieces
    from replay_proxy.reports.plain_text import plain
    from replay_proxy.reports.restore_report import read_restore_report
    from replay_proxy.reports.summary_markdown import summary_markdown

    # Whatever is made here lives until the end, and is looked through again and again for nothing.
    gc.set_threshold(200_000, 20, 100)
    page, markdown, junit = _outputs(args)
    restore = read_restore_report(Path(args.restore_report)) if args.restore_report else None
    diagnosis = read_doctor_report(Path(args.doctor_report)) if args.doctor_report else None
    named = named_recording(args, settings)
    where, at = split_moment(named)
    title = "standard input" if named == "-" else named
    with open_named(where, settings) as recording:
        model = model_at(recording, at)
        if page:
            pieces = page_pieces(title, recording, model, restore, diagnosis)
            _write(page, (piece.encode("utf-8", "replace") for piece in pieces))
        if markdown:
            lines = [*summary_markdown(title, model, restore)]
            lines += ["", *doctor_markdown(diagnosis).splitlines()] if diagnosis is not None else []
            _write(markdown, (f"{line}\n".encode("utf-8", "replace") for line in lines))
        if junit:
            _write(junit, [junit_xml(recording, restore, diagnosis)])
        for warning in recording.warnings:
            print(f"warning: {plain(warning, 1000)}", file=sys.stderr)
    return 0


def _outputs(args: argparse.Namespace) -> tuple[str, str, str]:
    """Return where the page, the Markdown and the JUnit XML go; empty for what is not asked for."""
    markdown, junit = args.markdown or "", args.junit or ""
    if not args.output:
        return "", markdown, junit
    path = Path(args.output)
    if path.suffix.lower() in (".html", ".htm") and not path.is_dir():
        return str(path), markdown, junit
    return str(path / PAGE), markdown or str(path / MARKDOWN), junit or str(path / JUNIT)


def _write(name: str, pieces: Iterable[bytes]) -> None:
    """Write a file as a whole: until it is finished, another name has it. Raises StorageError."""
    from replay_proxy.journal.storage.files import output_error

    if name == "-":
        sys.stdout.flush()
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    # What is no regular file (a pipe, a terminal) is written to, and not replaced.
    part = path if path.exists() and not path.is_file() else path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.writelines(pieces)
        if part != path:
            part.replace(path)
            print(f"wrote {path}", file=sys.stderr)
    except OSError as error:
        raise output_error("write the report", path, error) from error
    finally:
        if part != path:
            with suppress(OSError):
                part.unlink(missing_ok=True)
