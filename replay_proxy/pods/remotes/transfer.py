"""Push and pull: only the blobs that the other side lacks, a few at a time, each verified before anything uses it.

Blobs go first, then the manifest, then its number or its entry in the index. So whatever is killed, and whenever, leaves both
sides with the versions that they had, and blobs that the next attempt finds there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import tenacity

from replay_proxy.errors import RemoteUnavailableError
from replay_proxy.pods.names import LATEST, PodReference
from replay_proxy.pods.oci.descriptor import Descriptor
from replay_proxy.pods.oci.layout import Layout, blob_path
from replay_proxy.pods.oci.manifest import Part
from replay_proxy.pods.oci.parts import parts_named
from replay_proxy.pods.remotes.parallel import in_parallel
from replay_proxy.pods.remotes.remote import PARALLEL, Remote, unknown_version
from replay_proxy.pods.store import PodStore, Version

ATTEMPTS: Final = 3
PAUSE_S: Final = 0.5

Progress = Callable[[int, int], None]
"""Called with the bytes that are through, and all of them."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a push or a pull did. number: of the version in the remote. blobs, size: all of the version's.

    moved_blobs, moved_bytes: what was transferred of them; the rest was there.
    """

    number: int
    blobs: int
    size_bytes: int
    moved_blobs: int
    moved_bytes: int


class _Meter:
    """Counts what is through, for a progress bar."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._done = 0
        self._progress = progress

    def advance(self, count: int) -> None:
        """Count bytes; a negative number where they must go once more."""
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


def push(layout: Layout, name: str, manifest: bytes, remote: Remote, progress: Progress | None = None) -> Transfer:
    """Send a version of a local store to a remote, as the next version of the pod `name` there.

    layout: holds the blobs. manifest: as it is stored; it gets the same digest there.

    Raises:
        PodError: a blob is missing here, or damaged. RemoteError, StorageError.
    """
    whole = layout.parsed(manifest, f"the manifest of {name}")
    parts = {each.descriptor.digest for each in whole.parts}
    blobs = [each for each in whole.blobs() if each.digest not in parts]
    return push_blobs(layout, name, manifest, blobs, remote, progress, whole.parts)


def push_blobs(
    layout: Layout,
    name: str,
    manifest: bytes,
    blobs: list[Descriptor],
    remote: Remote,
    progress: Progress | None = None,
    parts: Sequence[Part] = (),
) -> Transfer:
    """Send the blobs that a manifest names, then the manifests of its parts, then the manifest."""
    documents = [each.descriptor for each in parts]
    with remote.pushing():
        lacking = remote.missing(documents, name) if documents else []
        known = _known(parts, lacking) if remote.keeps_parts_whole else frozenset()
        missing = remote.missing([each for each in blobs if each.digest not in known], name)
        meter = _Meter(sum(each.size for each in (*missing, *lacking)), progress)
        for batch in (missing, lacking):
            in_parallel(lambda each: _send(layout, each, remote, meter), batch, PARALLEL)
        number = remote.publish(name, manifest)
    moved = [*missing, *lacking]
    size = sum(each.size for each in (*blobs, *documents))
    return Transfer(number, len(blobs) + len(documents), size, len(moved), sum(each.size for each in moved))


def _known(parts: Sequence[Part], lacking: list[Descriptor]) -> frozenset[str]:
    """Return the digests of the blobs that those parts name which the other side has."""
    missing = {each.digest for each in lacking}
    return frozenset(layer.digest for part in parts if part.descriptor.digest not in missing for layer in part.layers)


def _send(layout: Layout, blob: Descriptor, remote: Remote, meter: _Meter) -> None:
    for _chunk in layout.read(blob):  # a damaged blob must not leave
        pass
    path = layout.root / blob_path(blob.digest)
    sent = 0

    def advance(count: int) -> None:
        nonlocal sent
        sent += count
        meter.advance(count)

    def attempt() -> None:
        advance(-sent)
        remote.write_blob(blob, path, advance)

    _attempts()(attempt)
    advance(blob.size - sent)


def _attempts() -> tenacity.Retrying:
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(RemoteUnavailableError),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_exponential(multiplier=PAUSE_S, max=8),
        reraise=True,
    )


def find_number(remote: Remote, reference: PodReference) -> int:
    """Return the number of the version that a reference means in a remote. Raises RemoteError where there is none."""
    if reference.tag:
        number = remote.tags(reference.name).get(reference.tag)
        if number is None:
            raise unknown_version(remote.url, reference.name, reference.tag)
        return number
    if reference.version is not None and reference.which != LATEST:
        return reference.version
    numbers = remote.numbers(reference.name)
    if not numbers:
        raise unknown_version(remote.url, reference.name)
    return max(numbers)


def pull(
    store: PodStore, name: str, number: int, remote: Remote, progress: Progress | None = None, data: bytes | None = None
) -> tuple[Version, Transfer]:
    """Fetch a version from a remote into a store. It keeps its number where that is free there.

    data: its manifest, where it is known already.

    Raises:
        PodError: something came as other than its digest says, or is larger than the limits. RemoteError, StorageError.
    """
    if data is None:
        data = remote.read_manifest(name, number)
    layout = store.layout
    where = f"{name}:{number} in {remote.url}"
    with layout.writing():
        parts = [each for each in parts_named(data, where) if not layout.holds(each)]
        in_parallel(lambda each: layout.take(each, received(remote, each), remote.url), parts, PARALLEL)
        manifest = layout.parsed(data, where)
        blobs = list(manifest.blobs())
        missing = [each for each in blobs if not layout.holds(each)]
        meter = _Meter(sum(each.size for each in missing), progress)
        in_parallel(
            lambda each: layout.take(each, received(remote, each, meter.advance), remote.url), missing, PARALLEL
        )
        version = store.add(name, manifest, number=number, data=data)
    moved = [*missing, *parts]
    size = sum(each.size for each in blobs)
    return version, Transfer(number, len(blobs), size, len(moved), sum(each.size for each in moved))


def received(remote: Remote, blob: Descriptor, advance: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """Yield the bytes of a remote's blob, and go on where the connection breaks. They are not verified."""
    at = failures = 0
    while True:
        try:
            for chunk in remote.read_blob(blob, at):
                at, failures = at + len(chunk), 0
                if advance is not None:
                    advance(len(chunk))
                yield chunk
            return
        except RemoteUnavailableError:
            failures += 1
            if failures >= ATTEMPTS:
                raise
            if at >= blob.size:
                return
            time.sleep(PAUSE_S * failures)
