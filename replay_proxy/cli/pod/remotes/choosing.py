"""The remote that an action means: by its name, by a URL, or the only one there is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from replay_proxy.cli.pod.places import limits_of, store_of
from replay_proxy.config import Settings

if TYPE_CHECKING:
    from replay_proxy.pods.remotes.location import RemoteLocation
    from replay_proxy.pods.remotes.remote import Remote


REMOTE_HELP = "its name, or a folder, oci://REGISTRY/REPOSITORY, s3://BUCKET/PREFIX; nothing where there is one alone"


def add_remote(parser: argparse.ArgumentParser, what: str = REMOTE_HELP) -> None:
    """Give `parser` the argument that names a remote, and how one is reached. what: its help."""
    parser.add_argument("remote", metavar="REMOTE", nargs="?", default="", help=what)
    add_location_options(parser)


def add_location_options(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options that say how a URL is reached."""
    parser.add_argument(
        "--endpoint-url",
        default="",
        metavar="URL",
        help="of s3://: the storage's endpoint (default: AWS_ENDPOINT_URL_S3, then AWS; never AWS_ENDPOINT_URL)",
    )
    parser.add_argument("--profile", default="", help="of s3://: the profile of AWS's configuration")
    parser.add_argument("--region", default="", help="of s3://: the region of the bucket")
    parser.add_argument(
        "--insecure", action="store_true", help="of oci://: plain HTTP, also elsewhere than on loopback"
    )


def location_of(args: argparse.Namespace, settings: Settings) -> RemoteLocation:
    """Return where the remote is that `args` name. Raises UsageError."""
    from replay_proxy.pods.remotes.location import checked_location
    from replay_proxy.pods.remotes.remotes_file import RemotesFile

    location = RemotesFile(store_of(settings).root).find(args.remote)
    given = {
        name: getattr(args, name) for name in ("endpoint_url", "profile", "region", "insecure") if getattr(args, name)
    }
    return checked_location(replace(location, **given))


@contextmanager
def opened_remote(args: argparse.Namespace, settings: Settings) -> Iterator[Remote]:
    """Open the remote that `args` name. Raises UsageError."""
    from replay_proxy.pods.remotes.location import open_remote

    remote = open_remote(location_of(args, settings), limits_of(settings))
    try:
        yield remote
    finally:
        remote.close()


def warn(text: str) -> None:
    """Print a warning on standard error."""
    print(f"warning: {text}", file=sys.stderr)
