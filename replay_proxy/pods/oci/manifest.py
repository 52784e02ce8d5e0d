"""The manifest of a version: which layers its state has, and what is said of it.

Written with one spelling, so that the same content has the same digest. The layers are those of the state alone; what differs
from one save to the next (when, by whom, why) stands in the annotations.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from replay_proxy.pods.limits import Limits, PodError, damaged
from replay_proxy.pods.oci.descriptor import (
    ARTIFACT_TYPE,
    AUTHORS,
    BODY_TYPE,
    CONFIG_TYPE,
    CREATED,
    EMPTY_CONFIG,
    EMPTY_DIGEST,
    EMULATOR,
    FORMAT_VERSION_KEY,
    JOURNAL_TYPE,
    MANIFEST_TYPE,
    MESSAGE,
    METAMODEL_TYPE,
    PARENT,
    SMOKE_TYPE,
    STATE,
    TITLE,
    Descriptor,
    parse_annotations,
    parse_descriptor,
    parse_json_object,
)
from replay_proxy.wording import counted, size

FORMAT_VERSION: Final = 2
"""The newest version of the format that this program reads: that of an index of parts, and of smoke tests."""
PLAIN_VERSION: Final = 1
"""The version of the format that one manifest has."""
_CONFIG: Final = Descriptor(CONFIG_TYPE, EMPTY_DIGEST, len(EMPTY_CONFIG))
LAYER_TYPES: Final = (JOURNAL_TYPE, BODY_TYPE, METAMODEL_TYPE, SMOKE_TYPE)


@dataclass(frozen=True, slots=True)
class Part:
    """A manifest among several that make a version. descriptor: of the manifest. layers: what it names."""

    descriptor: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a version is. layers: the segments of the journal in their order, large bodies, the metamodel.

    parts: the manifests that name them, where there are several; `parts` divides them.
    """

    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str]
    parts: tuple[Part, ...] = ()

    @property
    def journal(self) -> tuple[Descriptor, ...]:
        """The segments of the journal, in order."""
        return tuple(each for each in self.layers if each.media_type == JOURNAL_TYPE)

    @property
    def bodies(self) -> tuple[Descriptor, ...]:
        """The large bodies."""
        return tuple(each for each in self.layers if each.media_type == BODY_TYPE)

    @property
    def metamodel(self) -> Descriptor | None:
        """What people read of it: resources, counts, links."""
        return next((each for each in self.layers if each.media_type == METAMODEL_TYPE), None)

    @property
    def smoke(self) -> Descriptor | None:
        """The file of smoke tests that it carries."""
        return next((each for each in self.layers if each.media_type == SMOKE_TYPE), None)

    @property
    def size(self) -> int:
        """Bytes of all layers."""
        return sum(each.size for each in {each.digest: each for each in self.layers}.values())

    @property
    def name(self) -> str:
        """The pod's name where it was saved."""
        return self.annotations.get(TITLE, "")

    @property
    def created(self) -> str:
        """When it was saved; ISO 8601, UTC."""
        return self.annotations.get(CREATED, "")

    @property
    def message(self) -> str:
        """Why it was saved."""
        return self.annotations.get(MESSAGE, "")

    @property
    def author(self) -> str:
        """Who saved it."""
        return self.annotations.get(AUTHORS, "")

    @property
    def emulator(self) -> str:
        """Which emulator it was saved from."""
        return self.annotations.get(EMULATOR, "")

    @property
    def parent(self) -> str:
        """The digest of the manifest of the version before; empty for a first one."""
        return self.annotations.get(PARENT, "")

    @property
    def state(self) -> str:
        """The digest of the state."""
        return self.annotations.get(STATE, "")

    def blobs(self) -> Iterable[Descriptor]:
        """Yield every blob that must be there for the manifest to be whole, each digest once: configuration, layers, parts."""
        yield _CONFIG
        seen: set[str] = {EMPTY_DIGEST}
        for each in (*self.layers, *(part.descriptor for part in self.parts)):
            if each.digest not in seen:
                seen.add(each.digest)
                yield each


def document_of(layers: Iterable[Descriptor], artifact_type: str, annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return a manifest as JSON values, always in the same spelling."""
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": artifact_type,
        "config": _CONFIG.as_json(),
        "layers": [each.as_json() for each in layers],
        **({"annotations": dict(sorted(annotations.items()))} if annotations else {}),
    }


def parse_manifest(data: bytes, where: str, limits: Limits | None = None) -> Manifest:
    """Return the manifest that somebody wrote. where: for messages.

    Tools that are older than `artifactType` leave that out of what they copy; they keep the type of the configuration.

    Raises:
        PodError: it is none of ours, of a newer format, or larger than the limits.
    """
    limits = limits or Limits()
    layers = parse_layers(data, where, limits, (ARTIFACT_TYPE,))
    annotations = parse_annotations(parse_json_object(data, where).get("annotations"), where)
    check_version(annotations, where)
    within_limits(layers, where, limits)
    return Manifest(layers, annotations)


def parse_layers(data: bytes, where: str, limits: Limits, types: tuple[str, ...]) -> tuple[Descriptor, ...]:
    """Return the layers of a manifest that somebody wrote. types: which it may have. Raises PodError."""
    document = parse_json_object(data, where)
    config = document.get("config")
    kind = config.get("mediaType") if isinstance(config, dict) else None
    if document.get("artifactType", types[0]) not in types or kind != CONFIG_TYPE:
        kind = document.get("artifactType", kind)
        raise damaged(f"{where} is no pod: its type is {str(kind)[:100]!r}", hint=f"a pod has the type {ARTIFACT_TYPE}")
    found = document.get("layers")
    if not isinstance(found, list):
        raise damaged(f"{where} has no layers")
    _count_within_limits(len(found), where, limits)
    layers = tuple(parse_descriptor(each, where) for each in found)
    for each in layers:
        if each.media_type not in LAYER_TYPES:
            raise damaged(f"{where} has a layer of the unknown type {each.media_type[:100]!r}")
    return layers


def check_version(annotations: Mapping[str, str], where: str) -> None:
    """Raise PodError where a version is of a format that this program does not read."""
    version = annotations.get(FORMAT_VERSION_KEY, "")
    if not version.isascii() or not version.isdigit() or not 1 <= int(version[:9]) <= FORMAT_VERSION:
        raise PodError(
            f"{where} has format version {version[:20]!r}; this program reads versions 1 to {FORMAT_VERSION}",
            hint="a newer replay-proxy reads it",
        )


def within_limits(layers: Collection[Descriptor], where: str, limits: Limits) -> None:
    """Raise PodError where a version has more layers than the limits allow, or larger ones."""
    _count_within_limits(len(layers), where, limits)
    total = sum(each.size for each in layers)
    if total > limits.size_bytes:
        raise PodError(
            f"{where} has {size(total)}, more than {size(limits.size_bytes)}",
            hint="REPLAY_POD_MAX_SIZE allows more, where you trust whoever made it",
        )


def _count_within_limits(count: int, where: str, limits: Limits) -> None:
    if count > limits.layers:
        raise PodError(
            f"{where} has {counted(count, 'layer')}, more than {limits.layers}",
            hint="REPLAY_POD_MAX_LAYERS allows more, where you trust whoever made it",
        )
