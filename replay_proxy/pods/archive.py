"""Versions of pods as one file: a tar of an OCI image layout, which other tools read as such (`oci-archive:`).

Written in one order, with nothing in it of the machine that wrote it, and private to its owner. What is taken in may come from
anybody: plain files under the names that a layout has, each once, each with the digest that its name says; anything else is
refused before it is used. Nothing is written under a name from the archive.
"""

from __future__ import annotations

import os
import re
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import IO, Final

from replay_proxy.errors import UsageError
from replay_proxy.journal.storage.files import output_error
from replay_proxy.pods.limits import INDEX_BYTES_MAX, PodError, damaged
from replay_proxy.pods.names import parse_version_ref, version_ref
from replay_proxy.pods.oci.descriptor import DOCUMENT_TYPES, REF_NAME, Descriptor
from replay_proxy.pods.oci.index import Index, parse_index
from replay_proxy.pods.oci.layout import INDEX_NAME, LAYOUT_CONTENT, LAYOUT_NAME, Layout, blob_path
from replay_proxy.pods.oci.manifest import Manifest
from replay_proxy.pods.store import Version

MEMBERS_MAX: Final = 1_000_000
_FOLDERS: Final = frozenset({"blobs", "blobs/sha256", "."})
_BLOB: Final = re.compile(r"blobs/sha256/([0-9a-f]{64})", re.ASCII)
_CHUNK: Final = 1 << 20


def write_archive(layout: Layout, version: Version, sink: IO[bytes]) -> None:
    """Write a version with all its blobs as an archive. `sink` need not be seekable. Raises PodError, StorageError, OSError."""
    data = layout.manifest_bytes(version.descriptor)
    manifest = layout.manifest(version.descriptor)
    annotations = {**version.annotations, REF_NAME: version_ref(version.name, version.number)}
    index = Index([replace(version.descriptor, annotations=annotations)])
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, LAYOUT_NAME, LAYOUT_CONTENT)
        _add(archive, INDEX_NAME, index.encode())
        _add(archive, blob_path(version.digest), data)
        for each in sorted(manifest.blobs(), key=lambda blob: blob.digest):
            archive.addfile(_member(blob_path(each.digest), each.size), _Chunks(layout.read(each)))  # type: ignore[arg-type]


@contextmanager
def new_file(path: Path, *, overwrite: bool = False) -> Iterator[IO[bytes]]:
    """Open a new private file for writing, which appears under its name when it is complete and durable.

    Raises:
        UsageError: it exists, and is not to be overwritten. StorageError: it cannot be written.
    """
    if not overwrite and os.path.lexists(path):
        raise UsageError(f"{path} exists already", hint="choose another name, or say --yes to replace it")
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with ExitStack() as stack:
            fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            stack.callback(partial.unlink, missing_ok=True)
            sink = stack.enter_context(os.fdopen(fd, "wb"))
            yield sink
            sink.flush()
            os.fsync(fd)
            partial.rename(path)
    except OSError as error:
        raise output_error("write the pod", path, error) from error


def read_archive(source: IO[bytes], target: Layout, name: str) -> tuple[Descriptor, Manifest, tuple[str, int] | None]:
    """Take the one version of an archive into a layout, blob by blob; `source` need not be seekable.

    To be called while `target.writing`. name: for messages. Return the descriptor of its manifest, the manifest, and the name
    and number that the index gives it, where it does.

    Raises:
        PodError: it is damaged, holds something else, or is larger than the limits. StorageError: it cannot be written.
    """
    index: Index | None = None
    seen: set[str] = set()
    total = 0
    try:
        with tarfile.open(fileobj=source, mode="r|", tarinfo=_PlainMember) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile remembers each
                place = member.name.removeprefix("./").rstrip("/")
                if member.isdir() and (place or ".") in _FOLDERS:
                    continue
                if not member.isreg() or member.issparse() or place in seen or len(seen) >= MEMBERS_MAX:
                    raise damaged(f"{name} holds what no pod holds: {member.name[:100]!r}")
                seen.add(place)
                total += member.size
                if total > target.limits.size_bytes:
                    raise PodError(f"{name} is larger than the limit of {target.limits.size_bytes} bytes", hint=_LARGER)
                content = archive.extractfile(member)
                assert content is not None
                blob = _BLOB.fullmatch(place)
                if blob is not None:
                    target.take(Descriptor("", f"sha256:{blob[1]}", member.size), _chunks(content))
                elif place in (INDEX_NAME, LAYOUT_NAME):
                    if member.size > INDEX_BYTES_MAX:
                        raise damaged(f"{name}: {place} has {member.size} bytes")
                    data = content.read()
                    if place == INDEX_NAME:
                        index = parse_index(data, f"{name}: {INDEX_NAME}")
                else:
                    raise damaged(f"{name} holds what no pod holds: {member.name[:100]!r}")
    except _MemberError as error:
        raise damaged(f"{name} {error}") from None
    except (tarfile.TarError, ValueError, EOFError, OverflowError, RecursionError) as error:
        raise damaged(
            f"{name} is no pod, or damaged: {error}", hint="a pod file is a tar of an OCI image layout"
        ) from error
    if index is None:
        raise damaged(f"{name} has no {INDEX_NAME}", hint="a pod file is a tar of an OCI image layout")
    return only_version(index, target, name)


def only_version(index: Index, layout: Layout, name: str) -> tuple[Descriptor, Manifest, tuple[str, int] | None]:
    """Return the one version that an index of somebody else names, whole. Raises PodError."""
    digests = {each.digest: each for each in index.manifests if each.media_type in DOCUMENT_TYPES}
    if len(digests) != 1:
        refs = ", ".join(
            sorted(each.annotations.get("org.opencontainers.image.ref.name", "?") for each in digests.values())
        )
        raise damaged(
            f"{name} holds {len(digests)} versions: {refs[:300]}", hint="one file holds one version of one pod"
        )
    (descriptor,) = digests.values()
    manifest = layout.manifest(descriptor)
    layout.require_whole(manifest)
    known = next(
        (found for each in index.manifests if (found := parse_version_ref(each.annotations.get(REF_NAME, "")))), None
    )
    return descriptor, manifest, known


_LARGER: Final = "REPLAY_POD_MAX_SIZE allows more, where you trust whoever made it"
_HEADER_BYTES_MAX: Final = 64 << 10
_PLAIN_TYPES: Final = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.XHDTYPE)


class _MemberError(Exception):
    """A member that no pod file has."""


class _PlainMember(tarfile.TarInfo):
    """A member as a pod file has it. What tarfile would hold in memory as a whole, or follow without end, is refused."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _PlainMember:
        """Return the member of a header's block. Raises tarfile.HeaderError, _MemberError."""
        member = super().frombuf(buf, encoding, errors)
        if member.type not in _PLAIN_TYPES or member.size < 0:
            raise _MemberError(f"has a member of the type {member.type!r}, which no pod file has")
        if member.type == tarfile.XHDTYPE and member.size > _HEADER_BYTES_MAX:
            raise _MemberError(f"has a header of {member.size} bytes")
        return member


class _Chunks:
    """A file to `tarfile` that reads what an iterator yields."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer at the end."""
        while len(self._rest) < size and (chunk := next(self._chunks, b"")):
            self._rest += chunk
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    while chunk := content.read(_CHUNK):
        yield chunk


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    archive.addfile(_member(name, len(data)), BytesIO(data))


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600
    return member
