"""List the pods of the store, or of a remote, each with its latest version."""

from __future__ import annotations

import argparse

from replay_proxy.cli.pod.places import add_common, store_of
from replay_proxy.cli.pod.remotes.choosing import add_remote
from replay_proxy.cli.pod.remotes.listing import list_remote
from replay_proxy.cli.pod.showing import print_json, print_table, version_document
from replay_proxy.config import resolve
from replay_proxy.wording import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `pod list`."""
    add_remote(parser, what="a remote to list instead: its name or its URL")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """List the pods, and return the exit code."""
    settings = resolve(args)
    if args.remote:
        return list_remote(args, settings)
    store = store_of(settings)
    counts: dict[str, int] = {}
    for each in store.versions():
        counts[each.name] = counts.get(each.name, 0) + 1
    documents = [{**version_document(each), "versions": counts[each.name]} for each in store.latest()]
    if args.json:
        print_json({"pods_dir": str(store.root), "pods": documents})
    elif not documents:
        print(f"there are no pods in {store.root}")
    else:
        rows = [
            [
                each["name"],
                str(each["version"]),
                counted(each["versions"], "version"),
                each["created"],
                ",".join(each["services"]),
                each["message"],
            ]
            for each in documents
        ]
        print_table(["POD", "LATEST", "VERSIONS", "CREATED", "SERVICES", "MESSAGE"], rows)
    return 0
