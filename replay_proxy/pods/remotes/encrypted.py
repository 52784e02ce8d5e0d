"""Versions that a remote holds encrypted: one blob, which is the archive of the version, sealed with a passphrase.

The remote sees the name of the pod, the size, and when it was pushed; not what it holds, nor its message. Two versions have
nothing in common there, so each is transferred as a whole. The encryption is that of `export --encrypt`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Final

import orjson

from replay_proxy.journal.interchange.encryption import DecryptingReader, EncryptingWriter, is_encrypted
from replay_proxy.journal.storage.scratch import TEMPORARY, scratch_folder
from replay_proxy.pods.archive import read_archive, write_archive
from replay_proxy.pods.limits import PodError, damaged
from replay_proxy.pods.oci.descriptor import (
    CREATED,
    EMPTY_CONFIG,
    FORMAT_VERSION_KEY,
    MANIFEST_TYPE,
    TITLE,
    Descriptor,
    parse_descriptor,
    parse_json_object,
)
from replay_proxy.pods.oci.layout import Layout, blob_path
from replay_proxy.pods.remotes.remote import Remote
from replay_proxy.pods.remotes.transfer import Progress, Transfer, pull, push_blobs, received
from replay_proxy.pods.store import PodStore, Version
from replay_proxy.wording import size

ENCRYPTED_TYPE: Final = "application/vnd.replay-proxy.pod.encrypted.v1+json"
SEALED_TYPE: Final = "application/vnd.replay-proxy.pod.archive.v1+encrypted"
_CONFIG_TYPE: Final = "application/vnd.replay-proxy.pod.encrypted.config.v1+json"
_HEAD_BYTES: Final = 16
Passphrase = Callable[[], str]


def seal(layout: Layout, version: Version, sink: IO[bytes], passphrase: str) -> None:
    """Write the archive of a version, encrypted. Raises PodError, StorageError, UsageError, OSError."""
    sealing = EncryptingWriter(sink, passphrase)
    write_archive(layout, version, sealing)  # type: ignore[arg-type]  # a raw stream: tarfile writes to it and no more
    sealing.finish()


def push_encrypted(
    layout: Layout, version: Version, remote: Remote, passphrase: str, progress: Progress | None = None
) -> Transfer:
    """Send a version of a local store to a remote so that only who knows the passphrase can read it there.

    Raises:
        UsageError: the passphrase is empty, or the package for it is missing. PodError, RemoteError, StorageError.
    """
    with scratch_folder() as scratch:
        sealed = Layout(scratch, layout.limits, durable=False, option=TEMPORARY)
        with sealed.begin() as blob:
            seal(layout, version, blob, passphrase)  # type: ignore[arg-type]  # it has `write`
            archive = blob.commit(SEALED_TYPE)
        config = sealed.put(EMPTY_CONFIG, _CONFIG_TYPE)
        manifest = orjson.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "artifactType": ENCRYPTED_TYPE,
                "config": config.as_json(),
                "layers": [archive.as_json()],
                "annotations": {
                    FORMAT_VERSION_KEY: "1",
                    CREATED: datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                    TITLE: version.name,
                },
            }
        )
        return push_blobs(sealed, version.name, manifest, [config, archive], remote, progress)


def sealed_archive(manifest: bytes, where: str) -> Descriptor | None:
    """Return the encrypted archive that a manifest names; None where it is the manifest of a plain version. Raises PodError."""
    document = parse_json_object(manifest, where)
    config = document.get("config")
    kinds = (document.get("artifactType"), config.get("mediaType") if isinstance(config, dict) else None)
    if ENCRYPTED_TYPE not in kinds and _CONFIG_TYPE not in kinds:
        return None
    layers = document.get("layers")
    if not isinstance(layers, list) or len(layers) != 1:
        raise damaged(f"{where} is encrypted, and has not one layer")
    return parse_descriptor(layers[0], where)


def fetch(
    store: PodStore, name: str, number: int, remote: Remote, passphrase: Passphrase, progress: Progress | None = None
) -> tuple[Version, Transfer]:
    """Fetch a version from a remote into a store, encrypted there or not. It keeps its number where that is free.

    passphrase: asked for where it is needed.

    Raises:
        RecordingError: the passphrase is another. PodError, RemoteError, StorageError.
    """
    where = f"{name}:{number} in {remote.url}"
    data = remote.read_manifest(name, number)
    blob = sealed_archive(data, where)
    if blob is None:
        return pull(store, name, number, remote, progress, data)
    if blob.size > store.layout.limits.size_bytes:
        raise PodError(
            f"{where} has {size(blob.size)}, more than {size(store.layout.limits.size_bytes)}",
            hint="REPLAY_POD_MAX_SIZE allows more, where you trust whoever made it",
        )
    phrase = passphrase()
    with scratch_folder() as scratch:
        sealed = Layout(scratch, name=where, durable=False, option=TEMPORARY)
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(done, blob.size)

        sealed.take(blob, received(remote, blob, advance))
        with (sealed.root / blob_path(blob.digest)).open("rb") as file:
            version = take_archive(store, file, where, lambda: phrase, name=name, number=number)
    return version, Transfer(number, 1, blob.size, 1, blob.size)


def take_archive(
    store: PodStore, file: IO[bytes], where: str, passphrase: Passphrase, *, name: str = "", number: int | None = None
) -> Version:
    """Take the version of an archive into a store, encrypted or not. name, number: else those that the archive says.

    Raises:
        RecordingError: the passphrase is another. PodError, StorageError.
    """
    layout = store.layout
    with layout.writing(), plain_archive(file, where, passphrase) as archive:
        descriptor, manifest, known = read_archive(archive, layout, where)
        while archive.read(1 << 16):  # what follows the archive's end is authentic, too
            pass
        said_name, said_number = known or (manifest.name or "pod", None)
        data = layout.manifest_bytes(descriptor)
        return store.add(name or said_name, manifest, number=number if name else said_number, data=data)


@contextmanager
def plain_archive(file: IO[bytes], where: str, passphrase: Passphrase) -> Iterator[IO[bytes]]:
    """Open an archive that may be encrypted, as it was before. passphrase: asked for where it is needed.

    Raises:
        RecordingError: the passphrase is another, or it is damaged; also while it is read.
    """
    start = file.read(_HEAD_BYTES)
    file.seek(0)
    if is_encrypted(start):
        yield io.BufferedReader(DecryptingReader(file, passphrase(), where))
    else:
        yield file
