"""Remove the blobs of the store that no version needs any more. Waits until nobody saves into it.

It asks nothing: whatever a version needs stays. So --yes, which other verbs take, makes no difference.
"""

from __future__ import annotations

import argparse

from replay_proxy.cli.pod.places import add_common, store_of
from replay_proxy.cli.pod.showing import print_json
from replay_proxy.config import resolve
from replay_proxy.wording import counted, size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `pod prune`."""
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask; it asks nothing anyway")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Remove what nobody needs, and return the exit code."""
    count, total = store_of(resolve(args)).prune()
    if args.json:
        print_json({"blobs": count, "bytes": total})
    else:
        print(f"removed {counted(count, 'blob')}, {size(total)}")
    return 0
