"""The index of a layout, `index.json`: its manifests, each with its reference name. Pure.

Source: https://github.com/opencontainers/image-spec/blob/main/image-index.md
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from replay_proxy.pods.limits import damaged
from replay_proxy.pods.oci.descriptor import (
    INDEX_TYPE,
    REF_NAME,
    Descriptor,
    parse_annotations,
    parse_descriptor,
    parse_json_object,
)


@dataclass(slots=True)
class Index:
    """The index of a layout. manifests: the entries, oldest first. annotations: of the index itself."""

    manifests: list[Descriptor] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the index as it is stored."""
        document: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [each.as_json() for each in self.manifests],
        }
        if self.annotations:
            document["annotations"] = dict(sorted(self.annotations.items()))
        return orjson.dumps(document)

    def named(self, ref: str) -> Descriptor | None:
        """Return the entry with a reference name; None where there is none."""
        return next((each for each in self.manifests if each.annotations.get(REF_NAME) == ref), None)


def parse_index(data: bytes, where: str) -> Index:
    """Return the index that somebody wrote. where: for messages. Raises PodError."""
    document = parse_json_object(data, where)
    found = document.get("manifests")
    if not isinstance(found, list):
        raise damaged(f"{where} is no index of an OCI image layout")
    return Index(
        [parse_descriptor(each, where) for each in found], parse_annotations(document.get("annotations"), where)
    )
