"""A version of a bucket as one file behind a presigned URL, for somebody who has no credentials.

The file is the archive that `pod save FILE` writes. It is put beside the blobs when the first URL is asked for, under the digest
of the manifest; a version that is encrypted there is one file already.
"""

from __future__ import annotations

from typing import Final

from replay_proxy.errors import UsageError
from replay_proxy.journal.storage.scratch import TEMPORARY, scratch_folder
from replay_proxy.pods.archive import write_archive
from replay_proxy.pods.limits import PodError
from replay_proxy.pods.oci.descriptor import Descriptor
from replay_proxy.pods.oci.layout import Layout, blob_path
from replay_proxy.pods.oci.parts import document_type
from replay_proxy.pods.remotes.bucket.bucket import BucketRemote
from replay_proxy.pods.remotes.encrypted import seal, sealed_archive
from replay_proxy.pods.remotes.transfer import Progress, pull
from replay_proxy.pods.store import PodStore, Version

EXPIRES_MAX_S: Final = 7 * 24 * 3600
"""What signatures of S3 allow."""


def shared_url(
    remote: BucketRemote,
    store: PodStore,
    name: str,
    number: int,
    *,
    expires_s: int,
    passphrase: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Return a URL from which a version can be loaded for `expires_s` seconds.

    store: blobs that are there need not be fetched. passphrase: to encrypt the file with.

    Raises:
        UsageError: it is to expire later than S3 allows. PodError, RemoteError, StorageError.
    """
    if not 1 <= expires_s <= EXPIRES_MAX_S:
        raise UsageError("a presigned URL can be good for at most 7 days", hint="--expires 7d, or less")
    where = f"{name}:{number} in {remote.url}"
    data = remote.read_manifest(name, number)
    sealed = sealed_archive(data, where)
    if sealed is not None:
        return remote.presigned(blob_path(sealed.digest), expires_s)
    with scratch_folder() as scratch:
        place = PodStore(scratch / "pods", store.layout.limits, durable=False, option=TEMPORARY)
        descriptor = place.layout.put(data, document_type(data, where))
        file = f"files/{descriptor.sha256}{'.encrypted' if passphrase else ''}.pod"
        # An encrypted one may be there with the passphrase of another person.
        if passphrase or not remote.has_file(file):
            layout = store.layout if _holds(store.layout, descriptor, data, where) else place.layout
            if layout is place.layout:
                pull(place, name, number, remote, progress, data)
            path = scratch / "file"
            with path.open("wb") as sink:
                version = Version(name, number, descriptor)
                if passphrase:
                    seal(layout, version, sink, passphrase)
                else:
                    write_archive(layout, version, sink)
            remote.write_file(file, path, lambda _count: None)
        return remote.presigned(file, expires_s)


def _holds(layout: Layout, descriptor: Descriptor, manifest: bytes, where: str) -> bool:
    """Return whether a layout has the manifest and all its blobs."""
    if not layout.exists:
        return False
    try:
        layout.require_whole(layout.parsed(manifest, where))
    except PodError:
        return False
    return layout.holds(descriptor)
