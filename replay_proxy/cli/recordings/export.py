"""Copy a recording so that it can leave the machine: for a bug report, a colleague, a repository.

  replay-proxy export --output DIR --redact         without its secrets; what was redacted is listed
  replay-proxy export --output FILE --encrypt       with its secrets, encrypted with a passphrase (REPLAY_PASSPHRASE, or
                                                    asked for); `replay-proxy import FILE` reads it back
  replay-proxy export --output DIR                  as it is: only what a restore needs, verified

--redact replaces what AWS's models mark as sensitive, and what a name says is a password, a token or a key, wherever it
stands: members, keys of maps, variables, header fields, texts in objects and messages. Each value found is then looked for in
the whole recording, in every spelling. The report says what was redacted, left out, and what could not be judged
(archives, images and the like). It cannot know what else is confidential: names, addresses and other contents stay.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from replay_proxy.config import add_options, resolve
from replay_proxy.errors import UsageError
from replay_proxy.wording import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `export`."""
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
    """Copy the recording, and return the exit code."""
    import asyncio

    from replay_proxy.journal.interchange.export import export

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
    print(f"exported {counted(report.calls, 'call')} and {counted(report.blobs, 'large body')} to {report.path}")
    for member, count in report.redacted.items():
        print(f"redacted {count}: {member}")
    for call, count in report.elsewhere.items():
        print(f"redacted in other members {count}: {call}")
    for member, count in report.not_judged.items():
        print(f"not judged {count}: {member}")
    for reason, count in sorted(report.left_out.items()):
        print(f"left out {count}: {reason}")
    if not args.redact and not args.encrypt:
        print("warning: this copy holds the secrets that your clients sent", file=sys.stderr)
    return 0


def passphrase(*, twice: bool) -> str:
    """Return the passphrase, from the environment or else the terminal. Raises UsageError where there is none.

    twice: ask for it two times, since a mistake would make an export unreadable.
    """
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
