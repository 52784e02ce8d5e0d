"""Print the path of the addon that records and restores inside of your own mitmproxy.

  mitmdump -s "$(replay-proxy addon)"                                               AWS's hosts, by an embedded moto
  REPLAY_UPSTREAM=http://127.0.0.1:5000 mitmproxy -s "$(replay-proxy addon)"        by an emulator that somebody else runs

The settings are those of `serve`, from the environment. mitmproxy and replay-proxy must be installed side by side.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Add nothing: there are no options."""


def run(_args: argparse.Namespace) -> int:
    """Print the path, and return the exit code."""
    sys.stdout.write(f"{Path(__file__).with_name('mitmproxy_addon.py')}\n")
    return 0
