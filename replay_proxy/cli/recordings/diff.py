"""Show what changed between two recordings, or between two moments of one: resources, attributes, tags, data.

replay-proxy diff before/ after/                 two recordings: directories, journals, archives, or `-`
replay-proxy diff recordings@42 recordings       one recording, after its record 42 and at its end
replay-proxy diff recordings@2026-01-31T12:00 recordings
replay-proxy diff a b --data                     also which objects, items and messages

Ids that an emulator draws are other ones in each recording: such resources are compared by the names that people gave them.
The exit code is 0 where nothing differs, 1 where something does. docs/inspecting.md says how git shows recordings by it.
"""

from __future__ import annotations

import argparse
import sys

from replay_proxy.config import add_options, resolve
from replay_proxy.errors import UsageError

DIFFERENT = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `diff`."""
    parser.add_argument(
        "before",
        metavar="A",
        help="a recording: directory, journal, archive, `-`, or NAME[:VERSION] of a pod; `@NUMBER` or `@TIME` for a moment",
    )
    parser.add_argument(
        "after", metavar="B", help="the other one; `@NUMBER` or `@TIME` alone is a moment of --data-dir"
    )
    parser.add_argument("--data", action="store_true", help="list also which objects, items and messages differ")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a document (docs/schemas/diff.schema.json)")
    form.add_argument("--markdown", action="store_true", help="print Markdown, for a comment or a job's summary")
    add_options(parser, "diff")


def run(args: argparse.Namespace) -> int:
    """Print what differs, and return 1 where anything does."""
    settings = resolve(args)
    from replay_proxy.cli.recordings.opening import open_named
    from replay_proxy.reports.moments import model_at, split_moment
    from replay_proxy.reports.plain_text import plain
    from replay_proxy.resources.comparison import compare_models

    if args.before == args.after == "-":
        raise UsageError("standard input cannot be both sides", hint="give one of them as a file")
    models = []
    for name in (args.before, args.after):
        where, at = split_moment(name)
        with open_named(where or str(settings.data_dir), settings) as recording:
            models.append(model_at(recording, at))
            for warning in recording.warnings:
                print(f"warning: {plain(warning, 1000)}", file=sys.stderr)
    comparison = compare_models(models[0], models[1], by_key=args.data)
    if args.json:
        from replay_proxy.reports.comparison_document import comparison_document
        from replay_proxy.reports.json_text import json_text

        sys.stdout.write(json_text(comparison_document(args.before, args.after, comparison)))
    else:
        from replay_proxy.reports.comparison_text import comparison_lines, comparison_markdown

        lines = (
            comparison_markdown(args.before, args.after, comparison) if args.markdown else comparison_lines(comparison)
        )
        for line in lines:
            print(line)
    return DIFFERENT if comparison.differs else 0
