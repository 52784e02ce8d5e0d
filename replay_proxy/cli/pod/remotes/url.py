"""Print a URL from which somebody without credentials loads a version that lies in an S3-compatible bucket.

  replay-proxy pod url shop team --expires 1h
  replay-proxy pod load 'https://…'                  what the other one types

Whoever has the URL can read the version until it expires, secrets included; --encrypt seals the file with a passphrase.
"""

from __future__ import annotations

import argparse
import re

from replay_proxy.cli.pod.places import add_common, store_of
from replay_proxy.cli.pod.remotes.choosing import add_remote, location_of
from replay_proxy.cli.pod.showing import print_json, progress
from replay_proxy.config import resolve
from replay_proxy.errors import UsageError

_DURATION = re.compile(r"([1-9][0-9]{0,6})([smhd]?)", re.ASCII)
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `pod url`."""
    parser.add_argument(
        "pod", metavar="NAME[:VERSION]", help="the version; the latest of the remote where none is named"
    )
    add_remote(parser)
    parser.add_argument(
        "--expires",
        default="1h",
        metavar="TIME",
        help="how long it is good for, as in 30m, 12h, 7d; 7d at most (default: 1h)",
    )
    parser.add_argument(
        "--encrypt",
        action="store_true",
        help="encrypt with the passphrase in REPLAY_PASSPHRASE, or one that is asked for",
    )
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Print the URL, and return the exit code."""
    from replay_proxy.cli.recordings.export import passphrase
    from replay_proxy.pods.names import parse_reference
    from replay_proxy.pods.remotes.location import open_bucket
    from replay_proxy.pods.remotes.shared_file import shared_url
    from replay_proxy.pods.remotes.transfer import find_number

    settings = resolve(args)
    expires = _DURATION.fullmatch(args.expires)
    if expires is None:
        raise UsageError(f"{args.expires!r} is no time", hint="write a number and s, m, h or d, as in 12h")
    reference, location = parse_reference(args.pod), location_of(args, settings)
    if location.kind != "s3":
        raise UsageError(
            f"{location.url} cannot be read without credentials by a URL",
            hint="push the version to an s3:// remote, and name that",
        )
    remote = open_bucket(location)
    try:
        phrase = passphrase(twice=True) if args.encrypt else None
        number = find_number(remote, reference)
        with progress(f"preparing {reference.name}:{number}", in_bytes=True) as bar:
            url = shared_url(
                remote,
                store_of(settings),
                reference.name,
                number,
                expires_s=int(expires[1]) * _UNITS_S[expires[2]],
                passphrase=phrase,
                progress=bar,
            )
    finally:
        remote.close()
    if args.json:
        print_json(
            {"name": reference.name, "version": number, "remote": remote.url, "url": url, "expires": args.expires}
        )
    else:
        print(url)
    return 0
