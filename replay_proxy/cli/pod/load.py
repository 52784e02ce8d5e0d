"""Load a pod into what is there.

  replay-proxy pod load shop                               the latest version, merged as --merge says
  replay-proxy pod load shop:2 --merge overwrite           exactly this version, and nothing else
  replay-proxy pod load ./shop.pod --dry-run               what would change; nothing is done

overwrite: the emulator is emptied, and holds exactly the pod afterwards. account-region-merge: services of an account and region
that only one side has are united; where both have one, the pod's is taken. service-merge: resources of both; of the same one the
data and the attributes of both, the pod's where both have one. A load that fails leaves the state as it was before.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import IO, Any

from replay_proxy.cli.control_client import add_endpoint
from replay_proxy.cli.pod.asking import require_consent
from replay_proxy.cli.pod.places import Found, add_common, found
from replay_proxy.cli.pod.running import RunningProxy, going_on, is_at_rest, running_proxy
from replay_proxy.cli.pod.showing import print_json, progress
from replay_proxy.config import Settings, resolve
from replay_proxy.errors import EmulatorError
from replay_proxy.settings.pods import MERGE_STRATEGIES
from replay_proxy.wording import counted

_LISTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `pod load`."""
    parser.add_argument("pod", metavar="NAME[:VERSION]|FILE", help="a version of a pod, or the path of a pod file")
    parser.add_argument(
        "--merge", choices=MERGE_STRATEGIES, help="how it is merged into what is there (default: that of --pod-merge)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
    add_endpoint(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Load the pod, and return the exit code."""
    settings = resolve(args)
    strategy = args.merge or settings.pod_merge
    with found(args.pod, settings) as version:
        if is_at_rest(args):
            document = _load_at_rest(args, settings, version, strategy)
        else:
            _verify(version)
            document = _load_running(args, running_proxy(args, settings), version, strategy)
    if args.json:
        print_json(document)
    else:
        _show(document, version.where)
        if version.manifest.smoke is not None and not args.dry_run:
            print("it carries smoke tests: `replay-proxy doctor --smoke` carries them out")
    return 0


def _verify(version: Found) -> None:
    """Read all of a version before the proxy is asked, so that what is damaged is told by the name that people gave.

    Raises PodError.
    """
    from replay_proxy.pods.state.unpack import records_of

    for _record in records_of(version.layout, version.manifest, version.where):
        pass


def _consent(args: argparse.Namespace, strategy: str, would: dict[str, Any]) -> None:
    """Ask before anything that is there is lost. Raises UsageError where nobody agrees."""
    lost = sum(each["counts"]["removed"] + each["counts"]["replaced"] for each in would["services"].values())
    lost += would["conflict_count"]
    if lost:
        require_consent(
            f"{strategy} removes or replaces {counted(lost, 'thing')} that {'is' if lost == 1 else 'are'} there "
            "(--dry-run lists them). Go on?",
            yes=args.yes,
        )


def _load_at_rest(args: argparse.Namespace, settings: Settings, version: Found, strategy: str) -> dict[str, Any]:
    import asyncio

    from replay_proxy.journal.read.reader import read
    from replay_proxy.journal.storage.scratch import scratch_folder
    from replay_proxy.pods.load_at_rest import load_at_rest
    from replay_proxy.pods.merge.strategies import MergeStrategy
    from replay_proxy.pods.state.unpack import unpack

    with scratch_folder() as scratch:
        folder = scratch / "pod"
        unpack(version.layout, version.manifest, folder, version.where)
        pod, way = read(folder), MergeStrategy(strategy)
        if not args.dry_run and not args.yes:
            report = asyncio.run(load_at_rest(settings.data_dir, pod, way, dry_run=True))
            _consent(args, strategy, report.as_json())
        report = asyncio.run(load_at_rest(settings.data_dir, pod, way, dry_run=args.dry_run))
    return {"pod": version.where, "dry_run": args.dry_run, "merge": report.as_json(), "restore": None, "left": []}


def _load_running(args: argparse.Namespace, proxy: RunningProxy, version: Found, strategy: str) -> dict[str, Any]:
    from replay_proxy.journal.storage.scratch import scratch_file
    from replay_proxy.pods.archive import write_archive
    from replay_proxy.pods.store import Version

    with scratch_file() as file:
        there = Version(version.name or "pod", version.number or 1, version.descriptor)
        write_archive(version.layout, there, file)
        if not args.dry_run and not args.yes:
            file.seek(0)
            would = _completed(proxy, {"merge": strategy, "dry_run": "1"}, file)
            _consent(args, strategy, would["merge"])
        file.seek(0)
        asked = {"merge": strategy, **({"dry_run": "1"} if args.dry_run else {})}
        if args.dry_run:
            document = _completed(proxy, asked, file)
        else:
            with going_on(lambda: _rest_of(proxy, file)):
                document = _completed(proxy, asked, file)
    return {
        "pod": version.where,
        "dry_run": args.dry_run,
        "merge": document["merge"],
        "restore": document["restore"],
        "left": document["left"],
    }


def _rest_of(proxy: RunningProxy, file: IO[bytes]) -> str:
    """Say what comes of a load whose command ends now. file: the pod file, as far as it was sent."""
    if file.tell() < os.fstat(file.fileno()).st_size:
        return f"the proxy at {proxy.url} has not all of the pod, and loads nothing"
    return f"the proxy at {proxy.url} has the pod, and goes on loading it; its log tells how that ends"


def _completed(proxy: RunningProxy, asked: dict[str, str], file: Any) -> dict[str, Any]:
    """Return the completion of a load. Raises EmulatorError, with the exit code of what went wrong, where it failed."""
    done = 0
    with progress("loading") as bar:
        for event in proxy.load_file(asked, file):
            if event.get("event") == "completion":
                if event.get("status") != "ok":
                    error = EmulatorError(str(event.get("message", "the load failed")), hint=str(event.get("hint", "")))
                    error.exit_code = int(event.get("exit_code", error.exit_code))
                    raise error
                return event
            done += 1
            bar(done, 0)
    raise AssertionError("load_file raises where no completion comes")


def _show(document: dict[str, Any], where: str) -> None:
    merge, restore = document["merge"], document["restore"]
    verb = "would be" if document["dry_run"] else "were"
    print(f"{'would load' if document['dry_run'] else 'loaded'} {where} by {merge['strategy']}")
    for service, changes in merge["services"].items():
        counts = changes["counts"]
        told = [f"{count} {name}" for name, count in counts.items() if count]
        print(f"  {service}: {', '.join(told)}")
        for name, sign in (("added", "+"), ("changed", "~"), ("replaced", "="), ("removed", "-")):
            for each in changes[name][:_LISTED]:
                print(f"    {sign} {each}")
            if counts[name] > _LISTED:
                print(f"    {sign} … and {counts[name] - _LISTED} more")
    if merge["conflict_count"]:
        print(f"both sides set {counted(merge['conflict_count'], 'thing')}, and the pod's {verb} taken:")
        for each in merge["conflicts"][:_LISTED]:
            print(f"    {each['resource']}: {each['member']}")
    for old, new in merge["renamed"].items():
        print(f"  {old} is somebody else's here; the pod's is called {new}")
    for old, new in merge["united"].items():
        print(f"  {old} is known to the pod as {new}, and is called so now")
    if restore is not None:
        missing = list(restore["problems"])
        print(f"restored {counted(restore.get('restored', 0), 'call')}")
        for each in missing[:_LISTED]:
            print(
                f"  not as recorded: {each.get('call')}: {each.get('reason')}",
                file=sys.stderr,
            )
    for each in document["left"][:_LISTED]:
        print(f"  left of before: {each['resource']}: {each['reason']}", file=sys.stderr)
