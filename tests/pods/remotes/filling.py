"""Remotes with many versions, written as another program would that keeps to docs/pod-remotes.md."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from replay_proxy.pods.names import version_ref
from replay_proxy.pods.oci.descriptor import REF_NAME
from replay_proxy.pods.oci.index import Index
from replay_proxy.pods.remotes.bucket.bucket import BucketRemote
from replay_proxy.pods.remotes.bucket.bucket_numbers import version_key
from replay_proxy.pods.remotes.folder import FolderRemote


def number_anew(remote: Any, name: str, known: int, numbers: Iterable[int]) -> None:
    """Let there be versions of a pod with these numbers, which have the manifests of its first `known` ones by turns."""
    if isinstance(remote, FolderRemote):

        def change(index: Index) -> None:
            for number in numbers:
                entry = index.named(version_ref(name, 1 + number % known))
                assert entry is not None
                annotations = {**entry.annotations, REF_NAME: version_ref(name, number)}
                index.manifests.append(replace(entry, annotations=annotations))

        remote._layout.change(change)
        return
    manifests = {each: remote.read_manifest(name, each) for each in range(1, known + 1)}
    pointers = {each: remote.small_object(version_key(name, each)) for each in manifests if _is_bucket(remote)}

    def write(number: int) -> None:
        like = 1 + number % known
        if _is_bucket(remote):
            old, new = (version_ref(name, each).encode() for each in (like, number))
            remote.put(version_key(name, number), pointers[like].replace(b'"' + old + b'"', b'"' + new + b'"'))
        else:
            remote._put_manifest(version_ref(name, number), manifests[like])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, numbers))


def _is_bucket(remote: Any) -> bool:
    return isinstance(remote, BucketRemote)
