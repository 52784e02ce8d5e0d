"""Save the state as the next version of a pod, or into one file.

  replay-proxy pod save shop -m "before the migration"
  replay-proxy pod save ./shop.pod --services sqs,dynamodb
  replay-proxy pod save shop --data-dir recordings         a recording that nobody uses

What the emulator did by itself is looked at first. Requests go on meanwhile. A version holds the secrets that clients sent,
unless --redact takes them out.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replay_proxy.cli.control_client import add_endpoint
from replay_proxy.cli.pod.places import add_common, is_path, limits_of, store_of
from replay_proxy.cli.pod.running import going_on, is_at_rest, running_proxy
from replay_proxy.cli.pod.showing import print_json, progress
from replay_proxy.cli.service_list import add_services
from replay_proxy.config import Settings, resolve
from replay_proxy.errors import UsageError
from replay_proxy.wording import counted, size

if TYPE_CHECKING:
    from replay_proxy.journal.storage.scratch import ScratchFile
    from replay_proxy.pods.store import PodStore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `pod save`."""
    parser.add_argument("pod", metavar="NAME|FILE", help="the name of the pod, or the path of a file (`./shop.pod`)")
    parser.add_argument("--message", "-m", metavar="TEXT", default="", help="why it is saved")
    add_services(parser, "these services alone, as in sqs,s3")
    parser.add_argument("--redact", action="store_true", help="replace secrets by placeholders")
    checks = parser.add_mutually_exclusive_group()
    checks.add_argument(
        "--strict",
        action="store_true",
        help="do not save where something is under way, or not as it was recorded (exit code 3); else it is a warning",
    )
    checks.add_argument("--no-check", action="store_true", help="do not ask the emulator whether that is so")
    parser.add_argument("--yes", "-y", action="store_true", help="replace a file that exists")
    add_endpoint(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Save the state, and return the exit code."""
    settings = resolve(args)
    if not is_path(args.pod):
        report = _save(args, settings, store_of(settings), _checked(args.pod))
        _show(args, report, report["name"])
        return 0
    from replay_proxy.journal.storage.scratch import TEMPORARY, scratch_folder
    from replay_proxy.pods.archive import new_file, write_archive
    from replay_proxy.pods.names import PodReference
    from replay_proxy.pods.store import PodStore

    if args.pod.endswith("/"):
        raise UsageError(f"{args.pod} is a folder's path", hint="name a file, as in ./shop.pod")
    path = Path(args.pod).expanduser()
    with suppress(OSError):  # where nobody may look, writing tells why
        if path.is_dir():
            raise UsageError(f"{args.pod} is a directory", hint="name a file, as in ./shop.pod")
        if not path.parent.is_dir():
            raise UsageError(f"{path.parent} is no directory", hint="choose another place")
    with new_file(path, overwrite=args.yes) as sink, scratch_folder() as scratch:
        store = PodStore(scratch, limits_of(settings), durable=False, option=TEMPORARY)
        name = _name_of(path)
        report = _save(args, settings, store, name)
        write_archive(store.layout, store.find(PodReference(name)), sink)
    _show(args, report, str(path))
    return 0


def _checked(name: str) -> str:
    from replay_proxy.pods.names import check_name

    return check_name(name)


def _name_of(path: Path) -> str:
    """Return a name for the pod in a file: that of the file, where a pod can be called so."""
    from replay_proxy.pods.names import is_name

    return path.stem if is_name(path.stem) else "pod"


def _save(args: argparse.Namespace, settings: Settings, store: PodStore, name: str) -> dict[str, Any]:
    """Save into a store, and return the report as JSON values."""
    from replay_proxy.pods.state.save_request import SaveRequest

    request = SaveRequest(name, args.message, settings.pod_author or "", args.services, redact=args.redact).checked()
    if args.strict and is_at_rest(args):
        raise UsageError(
            "no emulator holds a recording at rest, so there is nothing to check", hint="leave out --strict"
        )
    if not is_at_rest(args):
        return _save_running(args, settings, store, request.name, request.message, request.author)
    from replay_proxy.journal.read.journal_file import require_recording
    from replay_proxy.journal.storage.files import Files
    from replay_proxy.pods.state.save import save_recording

    require_recording(settings.data_dir)
    with progress("saving") as bar:
        return save_recording(Files(settings.data_dir), store, request, progress=bar).as_json()


def _save_running(
    args: argparse.Namespace, settings: Settings, store: PodStore, name: str, message: str, author: str
) -> dict[str, Any]:
    """Have the running proxy save, and take its file into the store."""
    from replay_proxy.journal.storage.scratch import scratch_file
    from replay_proxy.pods.archive import read_archive

    proxy = running_proxy(args, settings)
    asked = {
        "name": name,
        "message": message,
        "author": author,
        "services": ",".join(args.services),
        "redact": "1" if args.redact else "",
        "strict": "1" if args.strict else "",
        "check": "0" if args.no_check else "",
    }
    versions = store.versions(name)
    if versions:
        asked["parent"] = versions[-1].digest
    store.layout.create()
    with scratch_file(store.root, store.layout.option) as file, progress("saving", in_bytes=True) as bar:
        with going_on(lambda: "no version was made"):
            report = proxy.saved_file({key: value for key, value in asked.items() if value}, _Spooled(file, bar))
        file.seek(0)
        with store.layout.writing():
            before = {each.digest for each in store.layout.stored()}
            descriptor, manifest, _known = read_archive(file, store.layout, proxy.url)
            version = store.add(name, manifest, data=store.layout.manifest_bytes(descriptor))
            new = sum(each.size for each in manifest.blobs() if each.digest not in before)
    return {**report, "version": version.number, "digest": version.digest, "new_bytes": new}


class _Spooled:
    """A file that takes what the proxy sends, and tells a bar how much that was."""

    def __init__(self, file: ScratchFile, bar: Any) -> None:
        self._file = file
        self._bar = bar

    def write(self, chunk: bytes) -> None:
        """Write a chunk. Raises StorageError."""
        self._file.write(chunk)
        self._bar(self._file.tell(), 0)


def _show(args: argparse.Namespace, report: dict[str, Any], where: str) -> None:
    for warning in report.get("warnings", ()):
        print(f"warning: {warning}", file=sys.stderr)
    if args.json:
        print_json({**report, "saved": where})
        return
    told = where if where != report["name"] else f"{report['name']}:{report['version']}"
    print(
        f"saved {told}: {counted(report['resources'], 'resource')} by {counted(report['calls'], 'call')}, "
        f"{size(report['size'])}, {size(report['new_bytes'])} of it new"
    )
    for member, count in report.get("redacted", {}).items():
        print(f"redacted {count}: {member}")
    for member, count in report.get("not_judged", {}).items():
        print(f"not judged {count}: {member}")
    for reason, count in report.get("left_out", {}).items():
        print(f"left out {count}: {reason}")
