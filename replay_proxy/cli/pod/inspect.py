"""Show the resources of a version, their links and its calls: as `replay-proxy inspect` does for a recording."""

from __future__ import annotations

import argparse

from replay_proxy.cli.recordings import inspect as recording_inspect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `pod inspect`."""
    recording_inspect.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Show the version, and return the exit code."""
    return recording_inspect.run(args)
