"""Save states under names, version them, load them again, and share them.

  replay-proxy pod save shop -m "before the migration"     the state of the running proxy, as the next version of `shop`
  replay-proxy pod load shop                               its latest version; `shop:2` is a certain one
  replay-proxy pod save ./shop.pod                         one file, for a colleague; `pod load ./shop.pod` loads it
  replay-proxy pod push shop oci://registry/team/pods      to a registry, a bucket or a folder; `pod pull` fetches it there
  replay-proxy pod diff shop:1 shop:2                      what changed between two versions

The proxy is the one at AWS_ENDPOINT_URL, or at --listen; with --data-dir, a recording that nobody uses is saved, or loaded
into. Pods lie in --pods-dir (REPLAY_PODS_DIR), which is an OCI image layout.
"""

from __future__ import annotations

import argparse
import importlib
from typing import NamedTuple


class Action(NamedTuple):
    """One action. module: in this package. summary: what it does. arguments: what may follow its name."""

    module: str
    summary: str
    arguments: str


ACTIONS = {
    "save": Action("save", "save the state as the next version of a pod, or into a file", "NAME|FILE [OPTIONS]"),
    "load": Action("load", "load a pod into what is there", "NAME[:VERSION]|FILE [OPTIONS]"),
    "list": Action("list_", "list the pods, with their latest versions", "[REMOTE] [OPTIONS]"),
    "versions": Action("versions", "list the versions of a pod", "NAME [REMOTE] [OPTIONS]"),
    "show": Action("show", "say what a version holds, without its calls", "NAME[:VERSION]|FILE [OPTIONS]"),
    "inspect": Action(
        "inspect", "show the resources of a version, their links, its calls", "NAME[:VERSION]|FILE [OPTIONS]"
    ),
    "diff": Action("diff", "show what changed between two versions, or pods", "A[:VERSION] B[:VERSION] [OPTIONS]"),
    "tag": Action("tag", "give a version a second name", "NAME[:VERSION] TAG [OPTIONS]"),
    "remove": Action("remove", "remove a version, or a pod with all its versions", "NAME[:VERSION] [OPTIONS]"),
    "prune": Action("prune", "remove what no version needs any more", "[OPTIONS]"),
    "push": Action("remotes.push", "send a version to a remote", "NAME[:VERSION] [REMOTE] [OPTIONS]"),
    "pull": Action("remotes.pull", "fetch a version from a remote", "NAME[:VERSION] [REMOTE] [OPTIONS]"),
    "remote": Action("remotes.names", "name remotes: add, list, remove", "add|list|remove [OPTIONS]"),
    "url": Action("remotes.url", "print a URL that loads without credentials", "NAME[:VERSION] [REMOTE] [OPTIONS]"),
    "commit": Action("save", "the same as save", "NAME|FILE [OPTIONS]"),
    "inject": Action("load", "the same as load", "NAME[:VERSION]|FILE [OPTIONS]"),
    "delete": Action("remove", "the same as remove", "NAME[:VERSION] [OPTIONS]"),
}
"""Every action by its name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the actions of `pod`."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, action in ACTIONS.items():
        loaded = importlib.import_module(f"replay_proxy.cli.pod.{action.module}")
        below = actions.add_parser(
            name,
            prog=f"replay-proxy pod {name}",
            help=action.summary,
            usage=f"replay-proxy pod {name} {action.arguments}",
            description=(loaded.__doc__ or action.summary).strip(),
            formatter_class=parser.formatter_class,
            allow_abbrev=False,
        )
        loaded.add_arguments(below)
        below.set_defaults(run_action=loaded.run, action=name)


def run(args: argparse.Namespace) -> int:
    """Run the action, and return its exit code."""
    code: int = args.run_action(args)
    return code
