"""How a manifest or an index names a blob (OCI image specification, "descriptor"); digests and media types."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from replay_proxy.pods.limits import ANNOTATION_BYTES_MAX, JSON_DEPTH_MAX, damaged

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
DOCUMENT_TYPES: Final = (MANIFEST_TYPE, INDEX_TYPE)
"""What the document of a version can be."""
EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"
CONFIG_TYPE: Final = "application/vnd.replay-proxy.pod.config.v1+json"
ARTIFACT_TYPE: Final = "application/vnd.replay-proxy.pod.v1+json"
PART_TYPE: Final = "application/vnd.replay-proxy.pod.part.v2+json"
JOURNAL_TYPE: Final = "application/vnd.replay-proxy.pod.journal.v1+gzip"
BODY_TYPE: Final = "application/vnd.replay-proxy.pod.body.v1"
METAMODEL_TYPE: Final = "application/vnd.replay-proxy.pod.metamodel.v1+gzip"
SMOKE_TYPE: Final = "application/vnd.replay-proxy.pod.smoke.v1+yaml"

REF_NAME: Final = "org.opencontainers.image.ref.name"
CREATED: Final = "org.opencontainers.image.created"
AUTHORS: Final = "org.opencontainers.image.authors"
MESSAGE: Final = "org.opencontainers.image.description"
TITLE: Final = "org.opencontainers.image.title"
_PREFIX: Final = "io.replay-proxy.pod."
FORMAT_VERSION_KEY: Final = _PREFIX + "format-version"
EMULATOR: Final = _PREFIX + "emulator"
PARENT: Final = _PREFIX + "parent"
STATE: Final = _PREFIX + "state"
SERVICES: Final = _PREFIX + "services"
CALLS: Final = _PREFIX + "calls"
RESOURCES: Final = _PREFIX + "resources"
REDACTED: Final = _PREFIX + "redacted"
UNPACKED: Final = _PREFIX + "unpacked-bytes"

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
EMPTY_CONFIG: Final = b"{}"
EMPTY_DIGEST: Final = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob, as something else names it. digest: `sha256:` and 64 hexadecimal digits. size: in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""

    @property
    def sha256(self) -> str:
        """The digest without its algorithm."""
        return self.digest.removeprefix("sha256:")

    def as_json(self) -> dict[str, Any]:
        """Return the descriptor as JSON values, with its members in the order of their names' importance."""
        document: dict[str, Any] = {"mediaType": self.media_type}
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        document |= {"digest": self.digest, "size": self.size}
        if self.annotations:
            document["annotations"] = dict(sorted(self.annotations.items()))
        return document


def descriptor_of(data: bytes, media_type: str) -> Descriptor:
    """Return the descriptor of what is in memory."""
    return Descriptor(media_type, "sha256:" + hashlib.sha256(data).hexdigest(), len(data))


def is_digest(text: object) -> bool:
    """Return whether a text is a SHA-256 digest as OCI writes them. Others (SHA-512) are not used here."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def parse_descriptor(value: object, where: str) -> Descriptor:
    """Return the descriptor that `value` is. where: for messages. Raises PodError."""
    if not isinstance(value, dict):
        raise damaged(f"{where}: a descriptor is no JSON object")
    digest, size, media_type = value.get("digest"), value.get("size"), value.get("mediaType")
    if not isinstance(digest, str) or not is_digest(digest):
        raise damaged(f"{where}: {str(digest)[:100]!r} is no SHA-256 digest")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise damaged(f"{where}: {digest} has no size")
    if not isinstance(media_type, str) or len(media_type) > 255:
        raise damaged(f"{where}: {digest} has no media type")
    artifact_type = value.get("artifactType", "")
    return Descriptor(
        media_type,
        digest,
        size,
        parse_annotations(value.get("annotations"), where),
        artifact_type if isinstance(artifact_type, str) else "",
    )


def parse_annotations(value: object, where: str) -> dict[str, str]:
    """Return annotations: texts by names. Raises PodError."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise damaged(f"{where}: its annotations are no texts")
    if sum(len(key) + len(text) for key, text in value.items()) > ANNOTATION_BYTES_MAX:
        raise damaged(f"{where}: its annotations are longer than {ANNOTATION_BYTES_MAX} characters")
    return value


def parse_json_object(data: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object in `data`, which somebody else wrote. Raises PodError."""
    try:
        value = orjson.loads(data)
    except ValueError as error:
        raise damaged(f"{where} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise damaged(f"{where} is no JSON object")
    if _deeper_than(value, JSON_DEPTH_MAX):
        raise damaged(f"{where} is nested deeper than {JSON_DEPTH_MAX} levels")
    return value


def _deeper_than(value: object, levels: int) -> bool:
    current: list[object] = [value]
    for _level in range(levels):
        below: list[object] = []
        for each in current:
            if isinstance(each, dict):
                below.extend(item for item in each.values() if isinstance(item, dict | list))
            elif isinstance(each, list):
                below.extend(item for item in each if isinstance(item, dict | list))
        if not below:
            return False
        current = below
    return True
