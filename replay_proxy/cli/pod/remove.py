"""Remove a version of a pod, or a pod with all its versions. What they alone needed goes with `pod prune`.

  replay-proxy pod remove shop:2                     from the local store
  replay-proxy pod remove shop:2 --remote team       from a remote; what is here stays
  replay-proxy pod remove shop --remote team         all versions that are there now

In a remote the number of a version that was removed is not given again, and its blobs stay.
"""

from __future__ import annotations

import argparse

from replay_proxy.cli.pod.asking import require_consent
from replay_proxy.cli.pod.places import add_common, store_of
from replay_proxy.cli.pod.remotes.choosing import REMOTE_HELP, add_location_options
from replay_proxy.cli.pod.remotes.removing import remove_from_remote
from replay_proxy.cli.pod.showing import print_json, version_document
from replay_proxy.config import resolve
from replay_proxy.wording import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `pod remove`."""
    parser.add_argument("pod", metavar="NAME[:VERSION]", help="the version; all of the pod where none is named")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
    parser.add_argument(
        "--remote", metavar="REMOTE", default="", help=f"remove it there: {REMOTE_HELP.partition(';')[0]}"
    )
    add_location_options(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Remove what is named, and return the exit code."""
    from replay_proxy.pods.names import parse_reference

    settings = resolve(args)
    if args.remote:
        return remove_from_remote(args, settings)
    store = store_of(settings)
    reference = parse_reference(args.pod)
    store.find(reference)
    count = 1 if reference.which else len(store.versions(reference.name))
    require_consent(f"{counted(count, 'version')} of {reference.name} will be gone. Go on?", yes=args.yes)
    gone = store.remove(reference)
    if args.json:
        print_json({"removed": [version_document(each) for each in gone]})
    else:
        print(f"removed {', '.join(map(str, gone))}; `replay-proxy pod prune` frees their space")
    return 0
