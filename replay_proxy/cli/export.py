"""Copy a recording so that it can leave the machine: for a bug report, a colleague, a repository.

  replay-proxy export --output DIR --redact         without its secrets; what was redacted is listed
  replay-proxy export --output FILE --encrypt       with its secrets, encrypted with a passphrase (REPLAY_PASSPHRASE, or
                                                    asked for); `replay-proxy import FILE` reads it back
  replay-proxy export --output DIR                  as it is: only what a restore needs, verified

--redact replaces what AWS's models mark as sensitive, and passwords, secrets and private keys by their names. It cannot
know what else is confidential: objects in buckets, messages, items of tables, templates and names stay as they are.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from replay_proxy.config import add_options, resolve
from replay_proxy.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `export`."""
    add_options(parser, "export")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="PATH", help="a new directory; with --encrypt, a new file"
    )
    parser.add_argument("--redact", action="store_true", help="replace secrets by placeholders")
    parser.add_argument(
        "--encrypt",
        action="store_true",
        help="encrypt with the passphrase in REPLAY_PASSPHRASE, or one that is asked for",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Export."""
    import asyncio

    from replay_proxy.journal.exporting import export

    settings = resolve(args)
    phrase = passphrase(twice=True) if args.encrypt else None
    report = asyncio.run(
        export(settings.data_dir, args.output, redact=args.redact, passphrase=phrase, threshold=settings.body_threshold)
    )
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.json:
        import orjson

        sys.stdout.write(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode() + "\n")
        return 0
    print(f"exported {report.calls} calls and {report.blobs} large bodies to {report.path}")
    for member, count in report.redacted.items():
        print(f"redacted {count}: {member}")
    for reason, count in sorted(report.left_out.items()):
        print(f"left out {count}: {reason}")
    if not args.redact and not args.encrypt:
        print("warning: this copy holds the secrets that your clients sent", file=sys.stderr)
    return 0


def passphrase(*, twice: bool) -> str:
    """From the environment, else from the terminal. Raises UsageError where there is none."""
    given = os.environ.get("REPLAY_PASSPHRASE", "")
    if given:
        return given
    if not sys.stdin.isatty():
        raise UsageError("no passphrase is given", hint="set REPLAY_PASSPHRASE, or run this in a terminal")
    from getpass import getpass

    typed = getpass("passphrase: ")
    if not typed or (twice and getpass("once more: ") != typed):
        raise UsageError("the passphrase is empty, or was typed differently", hint="try again")
    return typed
