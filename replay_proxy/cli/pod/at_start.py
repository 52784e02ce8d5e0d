"""Pods that are loaded at the start of a proxy: those of AUTO_LOAD_POD, then those of a folder.

They are merged into the recording before the emulator is started, and restored with it: so they are there before the first
request is let through. All are read before the first is merged, so that a damaged one changes nothing. A version is loaded once
into a recording, and not at each start: that would undo what was done since.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.errors import ReplayProxyError, StorageError, UsageError
from replay_proxy.wording import counted

if TYPE_CHECKING:
    from replay_proxy.cli.pod.places import Found

_log = log.get("pods")

LOADED_NAME: Final = "loaded-pods.json"
_LIST_BYTES_MAX: Final = 64 << 10


async def load_at_start(settings: Settings, emulator: str) -> int:
    """Merge the pods of the settings into the recording, which nobody uses yet. Return how many were.

    emulator: for which a recording is begun where there is none yet.

    Raises:
        UsageError: there is no such pod. PodError: it is damaged. RecordingError, StorageError: the recording cannot be changed.
    """
    names = [(each, "") for each in _named(settings.auto_load_pod or "")]
    if settings.init_pods_dir is not None:
        names += _in_folder(settings.init_pods_dir)
    if not names:
        return 0
    if settings.read_only or not settings.persistence:
        raise UsageError(
            f"{counted(len(names), 'pod')} to be loaded at the start, and nothing may be recorded",
            hint="leave out AUTO_LOAD_POD, or --read-only and PERSISTENCE=0",
        )
    for name, file in names:  # before the first is read, which may be long or come from far away
        with _named_in(file):
            _require(name, settings)
    with ExitStack() as stack:
        there: list[_Unpacked] = []
        for name, file in names:  # before the first is in the recording
            with _named_in(file):
                there += _unpacked(name, file, settings, stack)
        loaded = 0
        for each in there:
            with _named_in(each.file):
                loaded += await _load(each, settings, emulator)
    return loaded


@contextmanager
def _named_in(file: str) -> Iterator[None]:
    """Have errors say in which file a pod is named. file: empty where it is in none."""
    try:
        yield
    except ReplayProxyError as error:
        if file:
            error.message = f"{file}: {error.message}"
            error.args = (error.message,)
        raise


def _require(name: str, settings: Settings) -> None:
    """Raise UsageError where there is no such pod; what is in it is read when it is loaded."""
    from replay_proxy.cli.pod.places import is_path, store_of
    from replay_proxy.pods.names import parse_reference
    from replay_proxy.pods.remotes.download import is_address

    if not is_path(name):
        store_of(settings).find(parse_reference(name))
    elif not is_address(name):
        try:
            Path(name).expanduser().stat()
        except OSError as error:
            reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
            raise UsageError(f"cannot read {name}: {reason}", hint="see AUTO_LOAD_POD and --init-pods-dir") from None


class _Unpacked(NamedTuple):
    """A pod that was read as a whole. file: the text file that names it, or empty. folder: where it is a recording."""

    version: Found
    file: str
    folder: Path


def _unpacked(name: str, file: str, settings: Settings, stack: ExitStack) -> list[_Unpacked]:
    """Read all of a pod, which is there until `stack` is closed; nothing where this recording had that very version before.

    Raises as `found`.
    """
    from replay_proxy.cli.pod.places import found
    from replay_proxy.journal.storage.scratch import scratch_folder
    from replay_proxy.pods.state.unpack import unpack

    version = stack.enter_context(found(name, settings))
    if _had(version, settings):
        return []
    folder = stack.enter_context(scratch_folder()) / "pod"
    unpack(version.layout, version.manifest, folder, version.where)
    return [_Unpacked(version, file, folder)]


async def _load(pod: _Unpacked, settings: Settings, emulator: str) -> bool:
    """Load one pod, unless it was named twice. Return whether it was loaded."""
    from replay_proxy.journal.read.reader import read
    from replay_proxy.pods.load_at_rest import load_at_rest
    from replay_proxy.pods.merge.strategies import MergeStrategy

    version = pod.version
    if _had(version, settings):
        return False
    strategy = MergeStrategy(settings.pod_merge)
    report = await load_at_rest(settings.data_dir, read(pod.folder), strategy, dry_run=False, emulator=emulator)
    _note(settings.data_dir, [*_loaded(settings.data_dir), version.descriptor.digest])
    _log.info("loaded a pod into the recording", pod=version.where, merge=settings.pod_merge, calls=report.calls)
    return True


def _had(version: Found, settings: Settings) -> bool:
    """Return whether this recording had that very version before."""
    if version.descriptor.digest not in _loaded(settings.data_dir):
        return False
    _log.info("the pod was loaded into this recording before", pod=version.where)
    return True


def _named(text: str) -> Iterator[str]:
    """Yield the names in a list that commas, blanks and line ends separate."""
    yield from text.replace(",", " ").split()


def _in_folder(folder: Path) -> list[tuple[str, str]]:
    """Return what the files of a folder name, in the order of their names: pod files themselves, and pods in text files.

    Each with the text file that names it.
    """
    found: list[tuple[str, str]] = []
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"cannot read {folder}: {error.strerror}", hint="see --init-pods-dir") from error
    for path in paths:
        try:
            with path.open("rb") as file:
                start = file.read(_LIST_BYTES_MAX)
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}", hint="see --init-pods-dir") from error
        if b"\0" in start:
            found.append((str(path), ""))
        else:
            found += [(each, str(path)) for each in _named(start.decode("utf-8", "replace"))]
    return found


def _loaded(data_dir: Path) -> list[str]:
    with suppress(OSError, ValueError, TypeError, KeyError):
        return [str(each) for each in orjson.loads((data_dir / LOADED_NAME).read_bytes())["loaded"]]
    return []


def _note(data_dir: Path, digests: list[str]) -> None:
    from replay_proxy.journal.storage.files import Files, replace, storage_error

    try:
        data = orjson.dumps({"loaded": digests})
        replace(Files(data_dir), LOADED_NAME, [data], temporary=f"{LOADED_NAME}.tmp")
    except OSError as error:
        raise storage_error("note which pods were loaded", data_dir / LOADED_NAME, error) from error
