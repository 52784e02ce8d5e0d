"""Turn recordings of other tools into one of ours.

Reads LocalStack's legacy recorded_api_calls.json (and the files per service of PERSISTENCE_SINGLE_FILE=0, or the
directory that holds them), moto's recorder files, mitmproxy's flow files, and HAR files. Calls that only read and
calls that failed are left out, and counted. Everything is read once before anything is written. An encrypted export
(`replay-proxy export --encrypt`) is brought back as it was.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from replay_proxy.config import add_options, resolve
from replay_proxy.wording import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `import`."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="what to import: files, or a directory of LocalStack's"
    )
    add_options(parser, "import")
    parser.add_argument("--append", action="store_true", help="add to a recording that holds calls already")
    parser.add_argument("--json", action="store_true", help="print the report as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Import the files, and return the exit code."""
    import asyncio

    from replay_proxy.journal.interchange.import_ import import_files

    settings = resolve(args)
    if _is_encrypted_export(args.files):
        return _import_encrypted(args, settings.data_dir)
    report = asyncio.run(
        import_files(args.files, settings.data_dir, append=args.append, threshold=settings.body_threshold)
    )
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.json:
        import orjson

        sys.stdout.write(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode() + "\n")
        return 0
    print(f"imported {counted(report.imported, 'call')} into {report.path}")
    for reason, count in sorted(report.left_out.items()):
        print(f"left out {count}: {reason}")
    return 0


def _is_encrypted_export(files: list[Path]) -> bool:
    from replay_proxy.journal.interchange.encryption import MAGIC, is_encrypted
    from replay_proxy.journal.interchange.foreign.formats import is_directory
    from replay_proxy.journal.interchange.foreign.source_files import opened

    if len(files) != 1 or is_directory(files[0]):
        return False
    with opened(files[0]) as source:
        return is_encrypted(source.read(len(MAGIC)))


def _import_encrypted(args: argparse.Namespace, data_dir: Path) -> int:
    import asyncio

    from replay_proxy.cli.recordings.export import passphrase
    from replay_proxy.journal.interchange.encrypted_archive import decrypt_recording

    calls = asyncio.run(decrypt_recording(args.files[0], data_dir, passphrase(twice=False)))
    if args.json:
        import orjson

        sys.stdout.write(orjson.dumps({"path": str(data_dir), "imported": calls}).decode() + "\n")
        return 0
    print(f"imported {counted(calls, 'call')} into {data_dir}")
    return 0
