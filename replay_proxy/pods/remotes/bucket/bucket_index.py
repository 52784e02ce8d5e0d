"""The index of a bucket: an entry for each version, and one for each tag. Pure.

    index.json     the versions by name and number, then the tags by name

What lies below `versions` and `tags` is what counts; an index repeats it for tools that read OCI image layouts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from replay_proxy.pods.names import parse_version_ref, tag_ref, version_ref
from replay_proxy.pods.oci.descriptor import REF_NAME, Descriptor
from replay_proxy.pods.oci.index import Index

PUSH: Final = "io.replay-proxy.pod.push"
"""Annotation of a version in a bucket: by which push it came, so that one whose answer was lost knows its own."""


def known_versions(index: Index) -> dict[tuple[str, int], Descriptor]:
    """Return the entries of versions in an index, by name and number."""
    found = ((parse_version_ref(each.annotations.get(REF_NAME, "")), each) for each in index.manifests)
    return {version: each for version, each in found if version is not None}


def index_of(versions: Mapping[tuple[str, int], Descriptor], tags: Mapping[tuple[str, str], int], like: Index) -> Index:
    """Return the index of versions and tags. tags: the number that each stands for. like: has annotations that stay."""
    entries = {(name, number): _entry(versions[name, number], version_ref(name, number)) for name, number in versions}
    tagged = [
        _entry(entries[name, number], tag_ref(name, tag))
        for (name, tag), number in sorted(tags.items())
        if (name, number) in entries
    ]
    return Index([*(entries[each] for each in sorted(entries)), *tagged], like.annotations)


def with_version(index: Index, name: str, number: int, descriptor: Descriptor) -> Index:
    """Return an index that has one more version."""
    known = known_versions(index) | {(name, number): descriptor}
    others = [each for each in index.manifests if parse_version_ref(each.annotations.get(REF_NAME, "")) is None]
    return Index([*index_of(known, {}, index).manifests, *others], index.annotations)


def differs(one: Index, other: Index) -> bool:
    """Return whether two indexes have other entries, or in another order."""
    return [each.as_json() for each in one.manifests] != [each.as_json() for each in other.manifests]


def _entry(descriptor: Descriptor, ref: str) -> Descriptor:
    shown = {key: value for key, value in descriptor.annotations.items() if key != PUSH}
    return replace(descriptor, annotations={**shown, REF_NAME: ref})
