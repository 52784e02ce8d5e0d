"""Give remotes names, so that `pod push` and `pod pull` need no URL.

  replay-proxy pod remote add team oci://registry.example.com/team/pods
  replay-proxy pod remote add bucket s3://bucket/pods --profile dev
  replay-proxy pod remote add shared /mnt/shared/pods
  replay-proxy pod remote list
  replay-proxy pod remote remove team                the pods there stay

No credentials are kept: those of registries are Docker's (`docker login`), those of buckets AWS's.
"""

from __future__ import annotations

import argparse

from replay_proxy.cli.pod.places import add_common, limits_of, store_of
from replay_proxy.cli.pod.remotes.choosing import add_location_options
from replay_proxy.cli.pod.showing import print_json, print_table
from replay_proxy.config import Settings, resolve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the actions of `pod remote`."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, summary in (
        ("add", "let a name stand for a remote"),
        ("list", "list the names"),
        ("remove", "forget a name; the pods there stay"),
    ):
        below = actions.add_parser(
            name,
            prog=f"{parser.prog} {name}",
            help=summary,
            description=summary,
            formatter_class=parser.formatter_class,
            allow_abbrev=False,
        )
        if name != "list":
            below.add_argument("name", metavar="REMOTE", help="letters, digits, `-`, `_` and `.`")
        if name == "add":
            below.add_argument("url", metavar="URL", help="a folder, oci://REGISTRY/REPOSITORY or s3://BUCKET/PREFIX")
            add_location_options(below)
        add_common(below)
        below.set_defaults(remote_action=name)


def run(args: argparse.Namespace) -> int:
    """Change or list the remotes, and return the exit code."""
    settings = resolve(args)
    match args.remote_action:
        case "add":
            return _add(args, settings)
        case "remove":
            return _remove(args, settings)
    return _list(args, settings)


def _add(args: argparse.Namespace, settings: Settings) -> int:
    from replay_proxy.pods.remotes.location import RemoteLocation, open_remote
    from replay_proxy.pods.remotes.remotes_file import RemotesFile

    location = RemoteLocation(args.url, args.endpoint_url, args.profile, args.region, args.insecure)
    open_remote(
        location, limits_of(settings)
    ).close()  # an endpoint that is a proxy is refused now, not at the first push
    added = RemotesFile(store_of(settings).root).add(args.name, location)
    if args.json:
        print_json({"name": args.name, **added.as_json()})
    else:
        print(f"{args.name} is {added.url}")
    return 0


def _remove(args: argparse.Namespace, settings: Settings) -> int:
    from replay_proxy.pods.remotes.remotes_file import RemotesFile

    gone = RemotesFile(store_of(settings).root).remove(args.name)
    if args.json:
        print_json({"name": args.name, **gone.as_json()})
    else:
        print(f"forgot {args.name}; the pods in {gone.url} stay")
    return 0


def _list(args: argparse.Namespace, settings: Settings) -> int:
    from replay_proxy.pods.remotes.remotes_file import RemotesFile

    remotes = RemotesFile(store_of(settings).root).all()
    if args.json:
        print_json({"remotes": [{"name": name, **each.as_json()} for name, each in remotes.items()]})
    elif not remotes:
        print("there are no remotes; `replay-proxy pod remote add REMOTE URL` adds one")
    else:
        rows = [[name, each.url, each.endpoint_url, each.profile] for name, each in remotes.items()]
        print_table(["REMOTE", "URL", "ENDPOINT", "PROFILE"], rows)
    return 0
