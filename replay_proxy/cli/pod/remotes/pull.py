"""Fetch a version from a remote into the local store. `pod load` then loads it.

  replay-proxy pod pull shop                         the latest version, from the only remote
  replay-proxy pod pull shop:2 team                  a certain version
  replay-proxy pod pull shop oci://registry/pods     a remote without a name

It keeps its number where that is free here. Only blobs that are not here are transferred, and each is verified before it is used.
Of one that was pushed with --encrypt, the passphrase is REPLAY_PASSPHRASE, or asked for.
"""

from __future__ import annotations

import argparse

from replay_proxy.cli.pod.places import add_common, store_of
from replay_proxy.cli.pod.remotes.choosing import add_remote, opened_remote
from replay_proxy.cli.pod.showing import print_json, progress, version_document
from replay_proxy.config import resolve
from replay_proxy.wording import size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `pod pull`."""
    parser.add_argument(
        "pod", metavar="NAME[:VERSION]", help="the version; the latest of the remote where none is named"
    )
    add_remote(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Pull the version, and return the exit code."""
    from replay_proxy.cli.recordings.export import passphrase
    from replay_proxy.pods.names import parse_reference
    from replay_proxy.pods.remotes.encrypted import fetch
    from replay_proxy.pods.remotes.transfer import find_number

    settings = resolve(args)
    store, reference = store_of(settings), parse_reference(args.pod)
    with opened_remote(args, settings) as remote:
        number = find_number(remote, reference)
        with progress(f"pulling {reference.name}:{number}", in_bytes=True) as bar:
            version, moved = fetch(store, reference.name, number, remote, lambda: passphrase(twice=False), bar)
    if reference.tag:
        version = store.tag(parse_reference(str(version)), reference.tag)
    if args.json:
        document = version_document(version)
        print_json(
            {
                **document,
                "remote": remote.url,
                "pulled": number,
                "blobs": moved.blobs,
                "bytes": moved.size_bytes,
                "transferred_blobs": moved.moved_blobs,
                "transferred_bytes": moved.moved_bytes,
            }
        )
        return 0
    print(f"pulled {reference.name}:{number} from {remote.url} as {version}: {size(moved.moved_bytes)} received")
    return 0
