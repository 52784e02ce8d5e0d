"""Say what a version holds: who saved it, when and why, from which emulator; resources by type, and how large it is."""

from __future__ import annotations

import argparse
from typing import Any

from replay_proxy.cli.pod.places import add_common, found
from replay_proxy.cli.pod.showing import print_json
from replay_proxy.config import resolve
from replay_proxy.wording import counted, size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `pod show`."""
    parser.add_argument("pod", metavar="NAME[:VERSION]", help="a version of a pod, or the path of a pod file")
    parser.add_argument(
        "--metamodel", action="store_true", help="print the metamodel as JSON: resources, links, counts"
    )
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Say what the version holds, and return the exit code."""
    from replay_proxy.pods.state.unpack import metamodel_in

    with found(args.pod, resolve(args)) as version:
        manifest = version.manifest
        metamodel = metamodel_in(version.layout, manifest, version.where)
        if args.metamodel:
            print_json(metamodel)
            return 0
        document: dict[str, Any] = {
            "name": version.name,
            "version": version.number,
            "digest": version.descriptor.digest,
            "state": manifest.state,
            "created": manifest.created,
            "message": manifest.message,
            "author": manifest.author,
            "emulator": manifest.emulator,
            "parent": manifest.parent,
            "size": manifest.size,
            "layers": len(manifest.layers),
            "large_bodies": len(manifest.bodies),
            "smoke_tests": manifest.smoke is not None,
            "services": metamodel.get("services", {}),
        }
    if args.json:
        print_json(document)
        return 0
    _print(document)
    return 0


def _print(document: dict[str, Any]) -> None:
    from replay_proxy.reports.plain_text import plain

    print(f"{document['name']}:{document['version']}  {document['digest']}")
    for member in ("message", "author", "created", "emulator", "parent"):
        if document[member]:
            print(f"  {member}: {plain(document[member], 500)}")
    print(f"  size: {size(document['size'])} in {counted(document['layers'], 'layer')}")
    if document["smoke_tests"]:
        print("  carries smoke tests")
    services = document["services"]
    for name, told in sorted(services.items()) if isinstance(services, dict) else ():
        types = ", ".join(f"{count} {kind}" for kind, count in told.get("types", {}).items())
        print(
            f"  {plain(name, 100)}: {counted(told.get('calls', 0), 'call')}{': ' if types else ''}{plain(types, 500)}"
        )
