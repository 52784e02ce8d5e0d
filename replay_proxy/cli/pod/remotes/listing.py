"""What a remote holds: the tables and documents of `list REMOTE` and `versions NAME REMOTE`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from replay_proxy.cli.pod.remotes.choosing import opened_remote
from replay_proxy.cli.pod.showing import print_json, print_table, version_document
from replay_proxy.config import Settings
from replay_proxy.wording import counted

if TYPE_CHECKING:
    from replay_proxy.pods.oci.descriptor import Descriptor
    from replay_proxy.pods.remotes.remote import Remote


def list_remote(args: argparse.Namespace, settings: Settings) -> int:
    """List the pods of a remote, each with its latest version."""
    with opened_remote(args, settings) as remote:
        catalogue = remote.catalogue()
        latest = [(name, numbers[-1]) for name, numbers in sorted(catalogue.items())]
        described = remote.describe(latest)
    documents = [{**_document(*each, described), "versions": len(catalogue[each[0]])} for each in latest]
    if args.json:
        print_json({"remote": remote.url, "pods": documents})
    elif not documents:
        print(f"there are no pods in {remote.url}")
    else:
        rows = [
            [
                each["name"],
                str(each["version"]),
                counted(each["versions"], "version"),
                each.get("created", ""),
                ",".join(each.get("services", ())),
                each.get("message", ""),
            ]
            for each in documents
        ]
        print_table(["POD", "LATEST", "VERSIONS", "CREATED", "SERVICES", "MESSAGE"], rows)
    return 0


def list_versions(args: argparse.Namespace, settings: Settings, name: str) -> int:
    """List the versions of a pod in a remote."""
    from replay_proxy.pods.remotes.remote import unknown_version

    with opened_remote(args, settings) as remote:
        numbers = remote.numbers(name)
        if not numbers:
            raise unknown_version(remote.url, name)
        described = remote.describe([(name, number) for number in reversed(numbers)])
        tags = _tags(remote, name)
    documents = [{**_document(name, each, described), "tags": tags.get(each, [])} for each in numbers]
    if args.json:
        print_json({"name": name, "remote": remote.url, "versions": documents})
        return 0
    rows = [
        [
            str(each["version"]),
            ",".join(each["tags"]),
            each.get("created", ""),
            each.get("author", ""),
            ",".join(each.get("services", ())),
            each.get("message", ""),
        ]
        for each in documents
    ]
    print_table(["VERSION", "TAGS", "CREATED", "AUTHOR", "SERVICES", "MESSAGE"], rows)
    return 0


def _tags(remote: Remote, name: str) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for tag, number in sorted(remote.tags(name).items()):
        found.setdefault(number, []).append(tag)
    return found


def _document(name: str, number: int, described: Mapping[tuple[str, int], Descriptor]) -> dict[str, Any]:
    """Return what a remote tells of a version: its number alone, where only a manifest tells more."""
    from replay_proxy.pods.store import Version

    descriptor = described.get((name, number))
    if descriptor is None:
        return {"name": name, "version": number}
    return version_document(Version(name, number, descriptor))
