"""Show what changed between two versions: as `replay-proxy diff` does for recordings. 1 where anything did, else 0."""

from __future__ import annotations

import argparse

from replay_proxy.cli.recordings import diff as recording_diff


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `pod diff`."""
    recording_diff.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print what differs, and return 1 where anything does."""
    return recording_diff.run(args)
