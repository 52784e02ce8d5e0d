"""Where pods lie: the store of the settings; a file or a folder that somebody else made."""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from replay_proxy.config import Settings, add_options
from replay_proxy.errors import UsageError

if TYPE_CHECKING:
    from replay_proxy.journal.read.reader import Recording
    from replay_proxy.pods.limits import Limits
    from replay_proxy.pods.oci.descriptor import Descriptor
    from replay_proxy.pods.oci.layout import Layout
    from replay_proxy.pods.oci.manifest import Manifest
    from replay_proxy.pods.store import PodStore


@dataclass(frozen=True, slots=True)
class Found:
    """A version, wherever it lies. where: what people call it. name, number: of it; empty and 0 where nothing tells."""

    layout: Layout
    descriptor: Descriptor
    manifest: Manifest
    where: str
    name: str
    number: int


def add_common(parser: argparse.ArgumentParser) -> None:
    """Give `parser` what all actions take."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")
    add_options(parser, "pod")


def limits_of(settings: Settings) -> Limits:
    """Return how large what others made may be."""
    from replay_proxy.pods.limits import Limits

    return Limits(settings.pod_max_layers, settings.pod_max_size, settings.pod_max_ratio)


def store_of(settings: Settings) -> PodStore:
    """Return the store that the settings name."""
    from replay_proxy.pods.places import pods_dir_of
    from replay_proxy.pods.store import PodStore

    return PodStore(pods_dir_of(settings), limits_of(settings))


def is_path(text: str) -> bool:
    """Return whether a text is a path, and not the name of a pod: it has a separator, or ends as pod files do."""
    return os.sep in text or text.endswith((".pod", ".tar")) or text in (".", "..", "-")


@contextmanager
def found(text: str, settings: Settings) -> Iterator[Found]:
    """Find the version that `text` names: in the store, in a pod file, or in a folder that is a layout.

    Raises:
        UsageError: there is none. PodError: it is damaged, or none of ours. StorageError: it cannot be read.
    """
    from replay_proxy.pods.names import parse_reference

    if not is_path(text):
        store = store_of(settings)
        version = store.find(parse_reference(text))
        manifest = store.manifest(version)
        yield Found(store.layout, version.descriptor, manifest, str(version), version.name, version.number)
        return
    from replay_proxy.cli.recordings.export import passphrase
    from replay_proxy.journal.storage.scratch import TEMPORARY, scratch_folder
    from replay_proxy.pods.archive import only_version, read_archive
    from replay_proxy.pods.oci.layout import Layout
    from replay_proxy.pods.remotes.download import is_address
    from replay_proxy.pods.remotes.encrypted import plain_archive

    path = Path(text).expanduser()
    where = text.partition("?")[0] if is_address(text) else text  # what follows in a presigned URL is a secret
    if not is_address(text) and stat.S_ISDIR(_mode_of(path)):
        layout = Layout(path, limits_of(settings))
        if not layout.exists:
            raise UsageError(
                f"{text} is no OCI image layout", hint="a pod is a name, a pod file, or a folder with pods"
            )
        descriptor, manifest, known = only_version(layout.index(), layout, text)
        yield Found(layout, descriptor, manifest, text, *(known or (manifest.name, 0)))
        return
    with _source(text, settings) as source, scratch_folder() as scratch:
        layout = Layout(scratch, limits_of(settings), where, durable=False, option=TEMPORARY)
        with layout.writing(), plain_archive(source, where, lambda: passphrase(twice=False)) as archive:
            descriptor, manifest, known = read_archive(archive, layout, where)
            while archive.read(1 << 16):  # what follows the end of an encrypted archive is authentic, too
                pass
        yield Found(layout, descriptor, manifest, where, *(known or (manifest.name, 0)))


@contextmanager
def _source(text: str, settings: Settings) -> Iterator[IO[bytes]]:
    """Open a pod file, or download it. Raises UsageError, PodError, RemoteError."""
    from replay_proxy.cli.pod.showing import progress
    from replay_proxy.pods.remotes.download import downloaded, is_address

    if is_address(text):
        with (
            progress("downloading", in_bytes=True) as bar,
            downloaded(text, limits_of(settings), bar) as file,
        ):
            yield file
        return
    path = Path(text).expanduser()
    if (mode := _mode_of(path)) and not stat.S_ISREG(mode):
        raise UsageError(
            f"cannot read {text}: it is a pipe or a device, and a pod file is read at more than one place",
            hint="write what comes from it into a file first",
        )
    try:
        source = path.open("rb")
    except OSError as error:
        raise UsageError(
            f"cannot read {text}: {error.strerror}", hint="write NAME, NAME:VERSION, or the path of a pod file"
        ) from None
    with source:
        yield source


def _mode_of(path: Path) -> int:
    """Return the mode of what lies at a path; 0 where nothing does, or nobody may look: then opening it tells why."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


@contextmanager
def opened(text: str, settings: Settings) -> Iterator[Recording]:
    """Open the version that `text` names as a recording. Raises as `found`."""
    from replay_proxy.journal.read.reader import read
    from replay_proxy.journal.storage.scratch import scratch_folder
    from replay_proxy.pods.state.unpack import unpack

    with found(text, settings) as version, scratch_folder() as scratch:
        folder = scratch / "recording"
        unpack(version.layout, version.manifest, folder, version.where)
        recording = read(folder)
        recording.origin = version.where
        yield recording
