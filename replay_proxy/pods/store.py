"""The pods in a layout: names, versions with their numbers, tags.

A version is an entry of the index called `NAME-NUMBER`, a tag a second entry of the same manifest called `NAME:TAG`. Numbers
are given in turn and never twice: that of a version that was removed stays taken for as long as the pod has another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from replay_proxy.errors import UsageError
from replay_proxy.pods.limits import Limits
from replay_proxy.pods.names import (
    LATEST,
    PodReference,
    check_name,
    check_tag,
    parse_tag_ref,
    parse_version_ref,
    tag_ref,
    version_ref,
)
from replay_proxy.pods.oci.descriptor import (
    ARTIFACT_TYPE,
    AUTHORS,
    CALLS,
    CREATED,
    DOCUMENT_TYPES,
    EMULATOR,
    MANIFEST_TYPE,
    MESSAGE,
    PARENT,
    REDACTED,
    REF_NAME,
    RESOURCES,
    SERVICES,
    STATE,
    Descriptor,
)
from replay_proxy.pods.oci.index import Index
from replay_proxy.pods.oci.layout import PODS_DIR, Layout
from replay_proxy.pods.oci.manifest import Manifest
from replay_proxy.pods.oci.parts import document_type, documents
from replay_proxy.wording import counted

SHOWN_IN_INDEX: Final = (CREATED, AUTHORS, MESSAGE, EMULATOR, PARENT, STATE, SERVICES, CALLS, RESOURCES, REDACTED)
"""Annotations of a manifest that its entry in the index repeats, so that a list needs no manifest."""
_LAST: Final = "io.replay-proxy.pods.last."


class NoSuchPodError(UsageError):
    """A pod, a version, a tag or a remote that is not there."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a pod, as an index tells of it. descriptor: of its manifest. tags: other names of it, sorted."""

    name: str
    number: int
    descriptor: Descriptor
    tags: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of its manifest."""
        return self.descriptor.digest

    @property
    def annotations(self) -> Mapping[str, str]:
        """What the index says of it (`SHOWN_IN_INDEX`)."""
        return self.descriptor.annotations

    @property
    def state(self) -> str:
        """The digest of its state."""
        return self.annotations.get(STATE, "")

    def __str__(self) -> str:
        return f"{self.name}:{self.number}"


def versions_in(index: Index) -> list[Version]:
    """Return all versions that an index names, by name and number. Entries of others are left out."""
    tags: dict[tuple[str, str], list[str]] = {}
    for each in index.manifests:
        found = parse_tag_ref(each.annotations.get(REF_NAME, ""))
        if found is not None:
            tags.setdefault((found[0], each.digest), []).append(found[1])
    versions: dict[tuple[str, int], Version] = {}
    for each in index.manifests:
        known = parse_version_ref(each.annotations.get(REF_NAME, ""))
        if known is not None and each.media_type in DOCUMENT_TYPES:
            versions[known] = Version(*known, each, tuple(sorted(tags.get((known[0], each.digest), ()))))
    return [versions[key] for key in sorted(versions)]


def next_number(index: Index, name: str) -> int:
    """Return the number that the next version of a pod gets."""
    numbers = [each.number for each in versions_in(index) if each.name == name]
    last = index.annotations.get(_LAST + name, "0")
    return max([0, *numbers, int(last) if last.isascii() and last.isdigit() else 0]) + 1


def add_version(index: Index, name: str, descriptor: Descriptor, manifest: Manifest, number: int | None = None) -> int:
    """Add a version to an index, and return its number. For `Layout.change`, and for remotes with an index of their own.

    number: which it is to have where that is free. The same manifest without a number is the version that it is already.
    """
    mine = [each for each in versions_in(index) if each.name == name]
    same = [each.number for each in mine if each.digest == descriptor.digest]
    if number in same:
        return same[same.index(number)]
    if number is None or any(each.number == number for each in mine):
        if same:
            return same[-1]
        number = next_number(index, name)
    shown = {key: manifest.annotations[key] for key in SHOWN_IN_INDEX if key in manifest.annotations}
    annotations = {**shown, REF_NAME: version_ref(name, number)}
    index.manifests.append(replace(descriptor, artifact_type=ARTIFACT_TYPE, annotations=annotations))
    return number


class PodStore:
    """The pods in one folder. Everything here is blocking; several processes may use the same folder.

    durable, option: as `Layout`.
    """

    def __init__(
        self, root: Path, limits: Limits | None = None, *, durable: bool = True, option: str = PODS_DIR
    ) -> None:
        self.layout = Layout(root, limits, durable=durable, option=option)

    @property
    def root(self) -> Path:
        """The folder."""
        return self.layout.root

    def __repr__(self) -> str:
        return f"<PodStore {self.root}>"

    # -- looking ---------------------------------------------------------------------------------------------------

    def versions(self, name: str = "") -> list[Version]:
        """Return the versions of one pod, or of all, by name and number. Raises PodError, StorageError."""
        return [each for each in versions_in(self.layout.index()) if not name or each.name == name]

    def latest(self) -> list[Version]:
        """Return the latest version of each pod, by name. Raises PodError, StorageError."""
        return list({each.name: each for each in self.versions()}.values())

    def find(self, reference: PodReference) -> Version:
        """Return the version that a reference means.

        Raises:
            NoSuchPodError: there is none. PodError, StorageError: the index cannot be read.
        """
        return _found(self.versions(reference.name), reference, str(self.root))

    def tagged(self, name: str, tag: str) -> Version | None:
        """Return the version of a pod that has a tag; None where none has. Raises PodError, StorageError."""
        return next((each for each in self.versions(name) if tag in each.tags), None)

    def manifest(self, version: Version) -> Manifest:
        """Return the manifest of a version. Raises PodError, StorageError."""
        return self.layout.manifest(version.descriptor)

    # -- changing --------------------------------------------------------------------------------------------------

    def add(self, name: str, manifest: Manifest, *, number: int | None = None, data: bytes | None = None) -> Version:
        """Store a manifest whose blobs are there, and add it as a version. To be called while `layout.writing`.

        number: as `add_version`. data: its document as somebody else spelled it, which keeps its digest; its parts are there.

        Raises:
            UsageError: no pod can be called so. PodError: a blob is missing. StorageError: it cannot be written.
        """
        check_name(name)
        self.layout.require_whole(manifest)
        if data is None:
            data, parts = documents(manifest)
            for each in parts:
                self.layout.put(each, MANIFEST_TYPE)
        descriptor = self.layout.put(data, document_type(data, name))
        given = self.layout.change(lambda index: add_version(index, name, descriptor, manifest, number))
        return self.find(PodReference(name, str(given)))

    def tag(self, reference: PodReference, tag: str, *, taking_it: Callable[[Version], None] | None = None) -> Version:
        """Give a version a tag, which another one may have.

        taking_it: called with that other one, before anything is changed; may raise.

        Raises:
            NoSuchPodError, UsageError, PodError, StorageError: it cannot be done. What `taking_it` raises.
        """
        check_tag(tag)
        if taking_it is not None:
            version = self.find(reference)
            holder = self.tagged(version.name, tag)
            if holder is not None and holder.digest != version.digest:
                taking_it(holder)

        def change(index: Index) -> Version:
            version = _found(
                [each for each in versions_in(index) if each.name == reference.name], reference, str(self.root)
            )
            ref = tag_ref(version.name, tag)
            index.manifests[:] = [each for each in index.manifests if each.annotations.get(REF_NAME) != ref]
            index.manifests.append(replace(version.descriptor, annotations={**version.annotations, REF_NAME: ref}))
            return version

        self.layout.change(change)
        return self.find(reference)

    def remove(self, reference: PodReference) -> list[Version]:
        """Remove a version, or all of a pod where none is named, with their tags. Return them. Blobs stay until `prune`.

        A tag names a version, which goes. Raises NoSuchPodError, PodError, StorageError.
        """

        def change(index: Index) -> list[Version]:
            mine = [each for each in versions_in(index) if each.name == reference.name]
            gone = mine if mine and not reference.which else [_found(mine, reference, str(self.root))]
            refs = {version_ref(each.name, each.number) for each in gone}
            staying = {each.digest for each in mine if each not in gone}
            digests = {each.digest for each in gone} - staying
            kept: list[Descriptor] = []
            for each in index.manifests:
                ref = each.annotations.get(REF_NAME, "")
                tagged = parse_tag_ref(ref)
                if ref in refs or (tagged is not None and tagged[0] == reference.name and each.digest in digests):
                    continue
                kept.append(each)
            last = next_number(index, reference.name) - 1
            index.manifests[:] = kept
            if staying:
                index.annotations[_LAST + reference.name] = str(last)
            else:
                index.annotations.pop(_LAST + reference.name, None)
            return gone

        return self.layout.change(change)

    def prune(self) -> tuple[int, int]:
        """Remove the blobs that no manifest in the index needs, and unfinished ones. Return how many, and their bytes.

        Waits until nobody saves into this folder. Raises PodError, where a manifest cannot be read, and StorageError.
        """
        layout = self.layout
        with layout.pruning():
            needed: set[str] = set()
            for each in layout.index().manifests:
                needed.add(each.digest)
                if each.media_type in DOCUMENT_TYPES and layout.holds(each):
                    needed.update(blob.digest for blob in layout.manifest(each).blobs())
            count = total = 0
            for blob in list(layout.stored()):
                if blob.digest not in needed:
                    layout.remove_blob(blob.digest)
                    count, total = count + 1, total + blob.size
            unfinished, size = layout.remove_spools()
        return count + unfinished, total + size


def _found(versions: list[Version], reference: PodReference, where: str) -> Version:
    if not versions:
        raise NoSuchPodError(
            f"there is no pod {reference.name!r} in {where}", hint="`replay-proxy pod list` lists them"
        )
    if not reference.which or reference.which == LATEST:
        return versions[-1]
    for each in versions:
        if each.number == reference.version or (reference.tag and reference.tag in each.tags):
            return each
    raise NoSuchPodError(
        f"the pod {reference.name!r} has no version {reference.which!r}, but {counted(len(versions), 'other')}",
        hint=f"`replay-proxy pod versions {reference.name}` lists them",
    )
