"""List the versions of a pod: when, by whom and why each was saved, and what it holds."""

from __future__ import annotations

import argparse

from replay_proxy.cli.pod.places import add_common, store_of
from replay_proxy.cli.pod.remotes.choosing import add_remote
from replay_proxy.cli.pod.remotes.listing import list_versions
from replay_proxy.cli.pod.showing import print_json, print_table, version_document
from replay_proxy.config import resolve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `pod versions`."""
    parser.add_argument("pod", metavar="NAME", help="the pod")
    add_remote(parser, what="a remote that holds it, instead of the local store: its name or its URL")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """List the versions, and return the exit code."""
    from replay_proxy.pods.names import PodReference, check_name

    settings, name = resolve(args), check_name(args.pod)
    if args.remote:
        return list_versions(args, settings, name)
    store = store_of(settings)
    store.find(PodReference(name))
    documents = [version_document(each) for each in store.versions(name)]
    if args.json:
        print_json({"name": name, "versions": documents})
        return 0
    rows = [
        [
            str(each["version"]),
            ",".join(each["tags"]),
            each["created"],
            each["author"],
            f"{each['resources']}",
            ",".join(each["services"]),
            each["message"],
        ]
        for each in documents
    ]
    print_table(["VERSION", "TAGS", "CREATED", "AUTHOR", "RESOURCES", "SERVICES", "MESSAGE"], rows)
    return 0
