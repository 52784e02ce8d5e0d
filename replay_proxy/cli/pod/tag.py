"""Give a version a second name, as in `pod load shop:stable`. A tag names one version; to move it from another asks first."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from replay_proxy.cli.pod.asking import require_consent
from replay_proxy.cli.pod.places import add_common, store_of
from replay_proxy.cli.pod.showing import print_json, version_document
from replay_proxy.config import resolve

if TYPE_CHECKING:
    from replay_proxy.pods.store import Version


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `pod tag`."""
    parser.add_argument("pod", metavar="NAME[:VERSION]", help="the version; the latest where none is named")
    parser.add_argument("tag", metavar="TAG", help="letters, digits, `-`, `_` and `.`, with a letter at the beginning")
    parser.add_argument("--yes", "-y", action="store_true", help="move a tag that another version has")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Tag the version, and return the exit code."""
    from replay_proxy.pods.names import parse_reference

    moved_from: list[Version] = []

    def taking_it(holder: Version) -> None:
        require_consent(f"{holder} is called {holder.name}:{args.tag}, and would not be any more. Go on?", yes=args.yes)
        moved_from.append(holder)

    version = store_of(resolve(args)).tag(parse_reference(args.pod), args.tag, taking_it=taking_it)
    if args.json:
        print_json({**version_document(version), "moved_from": moved_from[0].number if moved_from else None})
    else:
        before = f"; before, {moved_from[0]} was" if moved_from else ""
        print(f"{version} is called {version.name}:{args.tag} now{before}")
    return 0
