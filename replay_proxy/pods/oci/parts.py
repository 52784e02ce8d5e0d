"""A version as documents: one manifest, or, where it has many large bodies, an index of several manifests, its *parts*.

A manifest names each blob in about 150 bytes, and is sent anew with each version. With a thousand large bodies that would be more
than what changed. So they are divided among parts, by their digests alone: a body that comes or goes changes one part, and all
others are what the other side has already. The first part has the journal and the metamodel. Tools for OCI layouts follow an
index to its manifests and their blobs, and registries keep what it names (`skopeo copy` refuses to
copy one without `--all`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import orjson

from replay_proxy.pods.limits import PARTS_BYTES_MAX, Limits, damaged
from replay_proxy.pods.oci.descriptor import (
    ARTIFACT_TYPE,
    BODY_TYPE,
    FORMAT_VERSION_KEY,
    INDEX_TYPE,
    MANIFEST_TYPE,
    PART_TYPE,
    Descriptor,
    descriptor_of,
    parse_annotations,
    parse_descriptor,
    parse_json_object,
)
from replay_proxy.pods.oci.manifest import (
    FORMAT_VERSION,
    Manifest,
    Part,
    check_version,
    document_of,
    parse_layers,
    parse_manifest,
    within_limits,
)

BODIES_MAX: Final = 256
"""With more large bodies a version is an index of parts. Up to so many, one manifest stays below what a version may cost."""
BODIES_PER_PART: Final = 32
"""On average. The index grows with the number of parts, what a change costs with their size."""


_PLATFORM: Final = {"architecture": "unknown", "os": "unknown"}
"""Of each part, so that no tool takes one for the image of its machine, and copies it alone."""


def document_type(data: bytes, where: str) -> str:
    """Return the media type of the document that describes a version: a manifest, or an index. Raises PodError."""
    return INDEX_TYPE if "manifests" in parse_json_object(data, where) else MANIFEST_TYPE


def documents(manifest: Manifest) -> tuple[bytes, list[bytes]]:
    """Return the document of a version, and the manifests of its parts; none where it is a manifest by itself."""
    if len(manifest.bodies) <= BODIES_MAX:
        return orjson.dumps(document_of(manifest.layers, ARTIFACT_TYPE, manifest.annotations)), []
    others = [each for each in manifest.layers if each.media_type != BODY_TYPE]
    parts = [orjson.dumps(document_of(layers, PART_TYPE, {})) for layers in (others, *_divided(manifest.bodies))]
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "artifactType": ARTIFACT_TYPE,
        "manifests": [descriptor_of(each, MANIFEST_TYPE).as_json() | {"platform": _PLATFORM} for each in parts],
        "annotations": dict(sorted({**manifest.annotations, FORMAT_VERSION_KEY: str(FORMAT_VERSION)}.items())),
    }
    return orjson.dumps(document), parts


def _divided(bodies: Sequence[Descriptor]) -> Iterator[list[Descriptor]]:
    """Yield the bodies of each part, by digest: a part ends with a body whose digest says so, whatever else there is."""
    held: list[Descriptor] = []
    for each in sorted({each.digest: each for each in bodies}.values(), key=lambda each: each.digest):
        held.append(each)
        if int(each.sha256[-8:], 16) % BODIES_PER_PART == 0:
            yield held
            held = []
    if held:
        yield held


def parts_named(data: bytes, where: str) -> list[Descriptor]:
    """Return the manifests of the parts that the document of a version names; none where it is one manifest. Raises PodError."""
    found = parse_json_object(data, where).get("manifests")
    if found is None:
        return []
    if not isinstance(found, list):
        raise damaged(f"{where} is no index of an OCI image layout")
    parts = [parse_descriptor(each, where) for each in found]
    for each in parts:
        if each.media_type != MANIFEST_TYPE:
            raise damaged(f"{where} has a part of the unknown type {each.media_type[:100]!r}")
    if sum(each.size for each in parts) > PARTS_BYTES_MAX:
        raise damaged(f"the parts of {where} have more than {PARTS_BYTES_MAX} bytes")
    return parts


def parse_version(data: bytes, where: str, limits: Limits, read: Callable[[Descriptor], bytes]) -> Manifest:
    """Return what a version is, from its document. where: for messages. read: returns the manifest of a part, verified.

    Raises:
        PodError: it is none of ours, of a newer format, or larger than the limits. What `read` raises.
    """
    named = parts_named(data, where)
    if not named:
        return parse_manifest(data, where, limits)
    document = parse_json_object(data, where)
    if document.get("artifactType", ARTIFACT_TYPE) != ARTIFACT_TYPE:
        kind = str(document["artifactType"])[:100]
        raise damaged(f"{where} is no pod: its type is {kind!r}", hint=f"a pod has the type {ARTIFACT_TYPE}")
    annotations = parse_annotations(document.get("annotations"), where)
    check_version(annotations, where)
    parts: list[Part] = []
    layers: list[Descriptor] = []
    for each in named:
        there = parse_layers(read(each), f"{where}: its part {each.digest}", limits, (PART_TYPE,))
        parts.append(Part(each, there))
        layers += there
        within_limits(layers, where, limits)
    journal = [each for each in layers if each.media_type != BODY_TYPE]
    bodies = [each for each in layers if each.media_type == BODY_TYPE]
    return Manifest((*journal, *bodies), annotations, tuple(parts))
