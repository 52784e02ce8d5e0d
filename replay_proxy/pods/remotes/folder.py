"""A folder that several people reach, as a remote: an OCI image layout, exactly as a local store is one.

Numbers are given under the lock of the layout's index, which the kernel drops when its holder dies; the index is replaced as a
whole. What is written gets the permissions of the folder, so that whoever may read there may read the pods, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from replay_proxy.errors import RemoteError, UsageError
from replay_proxy.pods.limits import Limits, PodError
from replay_proxy.pods.names import PodReference, version_ref
from replay_proxy.pods.oci.descriptor import ARTIFACT_TYPE, REF_NAME, Descriptor
from replay_proxy.pods.oci.index import Index
from replay_proxy.pods.oci.layout import BLOBS, INDEX_NAME, LAYOUT_NAME, SPOOLS, Layout, blob_path
from replay_proxy.pods.oci.parts import document_type
from replay_proxy.pods.remotes.parallel import in_parallel
from replay_proxy.pods.remotes.remote import CHUNK_BYTES, PARALLEL, shown_annotations, unknown_version
from replay_proxy.pods.store import NoSuchPodError, PodStore, Version, next_number, versions_in

_T = TypeVar("_T")
_URL: Final = "the URL of the remote"


class FolderRemote:
    """A folder. Implements `Remote`. root: it need not exist until something is pushed. limits: of what it holds."""

    keeps_parts_whole = False

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self.url = str(root)
        self._layout = Layout(root, limits, option=_URL)
        self._store = PodStore(root, limits, option=_URL)

    def catalogue(self) -> Mapping[str, list[int]]:
        """Return the numbers of all versions by the names of their pods."""
        found: dict[str, list[int]] = {}
        for each in self._versions():
            found.setdefault(each.name, []).append(each.number)
        return found

    def numbers(self, name: str) -> list[int]:
        """Return the numbers of a pod's versions."""
        return [each.number for each in self._versions(name)]

    def describe(self, versions: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], Descriptor]:
        """Return what the index says of versions."""
        wanted = set(versions)
        found = {(each.name, each.number): each.descriptor for each in self._versions()}
        return {key: descriptor for key, descriptor in found.items() if key in wanted}

    def tags(self, name: str) -> Mapping[str, int]:
        """Return the tags of a pod."""
        return {tag: each.number for each in self._versions(name) for tag in each.tags}

    def read_manifest(self, name: str, number: int) -> bytes:
        """Return the manifest of a version."""
        for each in self._versions(name):
            if each.number == number:
                with _mended_by_a_push():
                    return self._layout.manifest_bytes(each.descriptor)
        raise unknown_version(self.url, name, number)

    def missing(self, blobs: Iterable[Descriptor], name: str) -> list[Descriptor]:
        """Return the blobs that the folder lacks, or has with another content: nothing else verifies what lies there."""
        asked = list(blobs)
        whole = in_parallel(self._layout.is_whole, asked, PARALLEL)
        return [each for each, is_whole in zip(asked, whole, strict=True) if not is_whole]

    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes of a blob from `start` on. Raises PodError where it is damaged."""
        with _mended_by_a_push():
            for chunk in self._layout.read(blob, CHUNK_BYTES):
                if start < len(chunk):
                    yield chunk[start:]
                start = max(0, start - len(chunk))

    def write_blob(self, blob: Descriptor, source: Path, sent: Callable[[int], None]) -> None:
        """Copy a blob into the folder."""
        self._layout.take(blob, _chunks(source, sent))
        self._share(blob_path(blob.digest))

    def pushing(self) -> AbstractContextManager[None]:
        """Keep others from removing blobs that no version names yet."""
        self._layout.create()
        for name in ("blobs", BLOBS, SPOOLS, LAYOUT_NAME):
            self._share(name)
        return self._layout.writing()

    def publish(self, name: str, manifest: bytes) -> int:
        """Add the manifest to the index under the next number."""
        descriptor = self._layout.put(manifest, document_type(manifest, name))
        shown = shown_annotations(manifest)

        def add(index: Index) -> int:
            number = next_number(index, name)
            annotations = {**shown, REF_NAME: version_ref(name, number)}
            index.manifests.append(replace(descriptor, artifact_type=ARTIFACT_TYPE, annotations=annotations))
            return number

        self._share(blob_path(descriptor.digest))
        return self._changed(lambda: self._layout.change(add))

    def set_tag(self, name: str, tag: str, number: int) -> None:
        """Let a tag stand for a version."""
        self._of_version(name, number, lambda reference: self._store.tag(reference, tag))

    def delete_version(self, name: str, number: int) -> None:
        """Take a version out of the index."""
        self._of_version(name, number, self._store.remove)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _versions(self, name: str = "") -> list[Version]:
        if not self._layout.exists:
            if self._layout.root.exists():
                return []
            raise RemoteError(f"the folder {self.url} is not there", hint="is it mounted? the first push makes it")
        return [each for each in versions_in(self._layout.index()) if not name or each.name == name]

    def _of_version(self, name: str, number: int, change: Callable[[PodReference], object]) -> None:
        try:
            self._changed(lambda: change(PodReference(name, str(number))))
        except NoSuchPodError as error:
            raise unknown_version(self.url, name, number) from error

    def _changed(self, change: Callable[[], _T]) -> _T:
        result = change()
        for name in (INDEX_NAME, "index.lock", "blobs.lock"):
            self._share(name)
        return result

    def _share(self, name: str) -> None:
        """Give a file or a folder the permissions of the remote's folder. Those of others are theirs to give."""
        place = self._layout.root / name
        with suppress(OSError):
            mode = self._layout.root.stat().st_mode & 0o7777
            wanted = mode if place.is_dir() else mode & 0o666
            if place.lstat().st_mode & 0o7777 != wanted:
                place.chmod(wanted)


@contextmanager
def _mended_by_a_push() -> Iterator[None]:
    try:
        yield
    except PodError as error:
        hint = "push the version there once more from a store that has it: that replaces what is damaged"
        raise PodError(error.message, hint=hint) from error


def _chunks(source: Path, sent: Callable[[int], None]) -> Iterator[bytes]:
    try:
        with source.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
                sent(len(chunk))
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}") from error
