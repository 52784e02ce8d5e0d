"""What every remote can do, in the terms of OCI: blobs by digest, manifests, versions, tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

from replay_proxy.errors import RemoteError
from replay_proxy.pods.oci.descriptor import Descriptor, parse_annotations, parse_json_object
from replay_proxy.pods.store import SHOWN_IN_INDEX

CHUNK_BYTES: Final = 1 << 20
"""What is held of a blob at a time while it is read."""
PART_BYTES: Final = 8 << 20
"""Larger blobs are sent in parts of this size, so that what breaks off costs one part."""
PARALLEL: Final = 4
"""Blobs under way at a time."""


class Remote(Protocol):
    """A place that holds pods. Every method raises RemoteError; RemoteUnavailableError where it may help to repeat.

    Methods may be called by several threads at once.
    """

    url: str
    keeps_parts_whole: bool
    """Whether a manifest that is there by its digest has all blobs that it names, since the other side sees to that."""

    def catalogue(self) -> Mapping[str, list[int]]:
        """Return the numbers of all versions, ascending, by the names of their pods."""

    def numbers(self, name: str) -> list[int]:
        """Return the numbers of a pod's versions, ascending; none where there is no such pod."""

    def describe(self, versions: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], Descriptor]:
        """Return the descriptors of manifests, with what is said of them, by name and number, as far as that costs little.

        versions: those of the most interest first.
        """

    def tags(self, name: str) -> Mapping[str, int]:
        """Return the tags of a pod, and the number of the version that each stands for."""

    def read_manifest(self, name: str, number: int) -> bytes:
        """Return the manifest of a version, with the digest verified that the remote gives for it."""

    def missing(self, blobs: Iterable[Descriptor], name: str) -> list[Descriptor]:
        """Return those of `blobs` that are not there with their size. name: of the pod that they belong to."""

    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes of a blob from `start` on. They are not verified."""

    def write_blob(self, blob: Descriptor, source: Path, sent: Callable[[int], None]) -> None:
        """Put a blob there whose bytes are in the file `source`. It is there as a whole, or not at all.

        sent: called with how many bytes more are through.
        """

    def pushing(self) -> AbstractContextManager[None]:
        """Open what holds from the first blob of a push until it is published."""

    def publish(self, name: str, manifest: bytes) -> int:
        """Give a manifest, whose blobs are there, the next free number of a pod, and return that number."""

    def set_tag(self, name: str, tag: str, number: int) -> None:
        """Let a tag stand for a version, whatever it stood for before."""

    def delete_version(self, name: str, number: int) -> None:
        """Take a version away. Its blobs stay: a push under way may have found them there."""

    def close(self) -> None:
        """Give back connections."""


def shown_annotations(manifest: bytes) -> dict[str, str]:
    """Return the annotations of a manifest, of whatever type, that an index repeats. Raises PodError where it is none."""
    found = parse_annotations(parse_json_object(manifest, "the manifest").get("annotations"), "the manifest")
    return {key: found[key] for key in SHOWN_IN_INDEX if key in found}


def unknown_version(url: str, name: str, which: int | str | None = None) -> RemoteError:
    """Return the error for a version, or a pod, that a remote does not hold."""
    what = f"{name}:{which}" if which is not None else f"the pod {name}"
    return RemoteError(
        f"{url} does not hold {what}",
        hint="`replay-proxy pod list REMOTE` and `pod versions NAME REMOTE` show what it holds",
    )
