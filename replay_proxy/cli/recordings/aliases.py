"""List which emulator identifiers stand for which client identifiers, and the call that taught each.

Read from the recording's latest session; a running proxy shows the same at GET /_replay/aliases.
"""

from __future__ import annotations

import argparse
import sys

from replay_proxy.config import add_options, resolve
from replay_proxy.errors import RecordingError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `aliases`."""
    add_options(parser, "aliases")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the aliases, and return the exit code."""
    settings = resolve(args)
    import orjson

    from replay_proxy.identifiers.table.alias import without_secrets
    from replay_proxy.proxy.lifecycle.restoring.session_file import FILE_NAME, read_saved

    saved = read_saved(settings.data_dir)
    if saved is None:
        raise RecordingError(
            f"{settings.data_dir / FILE_NAME} does not exist",
            hint="aliases are learned by a restore: start the proxy on this recording once",
        )
    aliases = without_secrets(saved.aliases)
    if args.json:
        sys.stdout.write(orjson.dumps(aliases, option=orjson.OPT_INDENT_2).decode() + "\n")
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("client id", "emulator id", "kind", "account", "region", "learned from", box=None)
    for entry in aliases:
        origin = entry["learned_from"]
        taught = "live" if entry["minted"] else f"{origin['seq']} {origin['call']} {origin['member']}"
        table.add_row(entry["client"], entry["emulator"], entry["kind"], entry["account"], entry["region"], taught)
    console = Console() if sys.stdout.isatty() else Console(width=240)
    console.print(table)
    return 0
