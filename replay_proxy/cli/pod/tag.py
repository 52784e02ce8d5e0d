"""Give a version a second name, as in `pod load shop:stable`. A tag names one version; it moves where it is given again."""

from __future__ import annotations

import argparse

from replay_proxy.cli.pod.places import add_common, store_of
from replay_proxy.cli.pod.showing import print_json, version_document
from replay_proxy.config import resolve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `pod tag`."""
    parser.add_argument("pod", metavar="NAME[:VERSION]", help="the version; the latest where none is named")
    parser.add_argument("tag", metavar="TAG", help="letters, digits, `-`, `_` and `.`, with a letter at the beginning")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Tag the version, and return the exit code."""
    from replay_proxy.pods.names import parse_reference

    version = store_of(resolve(args)).tag(parse_reference(args.pod), args.tag)
    if args.json:
        print_json(version_document(version))
    else:
        print(f"{version} is called {version.name}:{args.tag} now")
    return 0
