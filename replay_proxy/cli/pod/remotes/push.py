"""Send a version to a remote, where it becomes the next version of the pod.

  replay-proxy pod push shop                         the latest version, to the only remote
  replay-proxy pod push shop:2 team                  a certain version
  replay-proxy pod push shop:stable team             the version with a tag, and the tag: to move it there asks first
  replay-proxy pod push shop s3://bucket/pods        a remote without a name

Only blobs that the remote lacks are transferred. Who pushes at the same time gets another number; the output says which. What the
version holds of secrets is said; --encrypt seals it with a passphrase (REPLAY_PASSPHRASE, or asked for), and `pod save --redact`
saves one without them.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from replay_proxy.cli.pod.asking import require_consent
from replay_proxy.cli.pod.places import add_common, store_of
from replay_proxy.cli.pod.remotes.choosing import add_remote, opened_remote, warn
from replay_proxy.cli.pod.showing import print_json, progress
from replay_proxy.config import resolve
from replay_proxy.wording import counted, size

if TYPE_CHECKING:
    from replay_proxy.pods.oci.manifest import Manifest
    from replay_proxy.pods.store import PodStore

_LISTED = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `pod push`."""
    parser.add_argument("pod", metavar="NAME[:VERSION]", help="the version; the latest where none is named")
    add_remote(parser)
    parser.add_argument(
        "--encrypt",
        action="store_true",
        help="encrypt with the passphrase in REPLAY_PASSPHRASE, or one that is asked for",
    )
    parser.add_argument("--yes", "-y", action="store_true", help="move a tag that another version has there")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Push the version, and return the exit code."""
    from replay_proxy.cli.recordings.export import passphrase
    from replay_proxy.pods.names import parse_reference
    from replay_proxy.pods.remotes.encrypted import push_encrypted
    from replay_proxy.pods.remotes.transfer import push

    settings = resolve(args)
    store, reference = store_of(settings), parse_reference(args.pod)
    version = store.find(reference)
    manifest = store.manifest(version)
    with opened_remote(args, settings) as remote:
        before = remote.tags(version.name).get(reference.tag) if reference.tag else None
        if before is not None:
            require_consent(
                f"{version.name}:{before} is called {version.name}:{reference.tag} in {remote.url}, and would not be any "
                "more. Go on?",
                yes=args.yes,
            )
        phrase = passphrase(twice=True) if args.encrypt else ""
        secrets = {} if args.encrypt else _said_secrets(store, manifest, str(version), remote.url)
        with progress(f"pushing {version}", in_bytes=True) as bar:
            if args.encrypt:
                moved = push_encrypted(store.layout, version, remote, phrase, bar)
            else:
                data = store.layout.manifest_bytes(version.descriptor)
                moved = push(store.layout, version.name, data, remote, bar)
        if reference.tag:
            remote.set_tag(version.name, reference.tag, moved.number)
    if args.json:
        print_json(
            {
                "name": version.name,
                "version": moved.number,
                "pushed": version.number,
                "digest": version.digest,
                "remote": remote.url,
                "encrypted": args.encrypt,
                "tag": reference.tag,
                "moved_from": before,
                "blobs": moved.blobs,
                "bytes": moved.size_bytes,
                "transferred_blobs": moved.moved_blobs,
                "transferred_bytes": moved.moved_bytes,
                "secrets": secrets,
            }
        )
        return 0
    there = counted(moved.blobs - moved.moved_blobs, "blob", "was were")
    print(
        f"pushed {version} as {version.name}:{moved.number} to {remote.url}: {size(moved.moved_bytes)} sent, "
        f"{there} there already"
    )
    if before is not None:
        print(f"it is called {version.name}:{reference.tag} there now; before, {version.name}:{before} was")
    return 0


def _said_secrets(store: PodStore, manifest: Manifest, where: str, url: str) -> dict[str, int]:
    """Say what a version holds of secrets, and return it: how many by `service:operation:member`."""
    from replay_proxy.pods.oci.descriptor import REDACTED
    from replay_proxy.pods.state.held_secrets import held_secrets

    if manifest.annotations.get(REDACTED) == "true":
        return {}
    found = dict(sorted(held_secrets(store.layout, manifest, where).items()))
    if found:
        listed = ", ".join(f"{member} ({count})" for member, count in list(found.items())[:_LISTED])
        more = f", and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        warn(f"{where} holds secrets, which whoever reads {url} can read: {listed}{more}")
    return found
