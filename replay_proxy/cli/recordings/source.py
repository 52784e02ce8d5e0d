"""The argument RECORDING: where a recording lies that a verb shows, and as of which moment."""

from __future__ import annotations

import argparse

from replay_proxy.config import Settings


def add_recording(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the argument; where it is left out, the recording of --data-dir is meant."""
    parser.add_argument(
        "recording",
        metavar="RECORDING",
        nargs="?",
        help="a directory, a journal, a ZIP or tar archive, `-`, or NAME[:VERSION] of a pod; with @NUMBER or @TIME as it was "
        "then (default: --data-dir)",
    )


def named_recording(args: argparse.Namespace, settings: Settings) -> str:
    """Return what was given, or the directory of --data-dir."""
    return args.recording if args.recording is not None else str(settings.data_dir)
