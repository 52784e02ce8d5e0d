"""How large and how many what somebody else made may be, and the error of a pod that cannot be used.

A pod may come from anybody. Nothing of it is trusted: digests and sizes are compared before anything is used, and these bounds
hold before anything is written or unpacked. Three of them are settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from replay_proxy.errors import RecordingError

INDEX_BYTES_MAX: Final = 64 << 20
MANIFEST_BYTES_MAX: Final = 32 << 20
PARTS_BYTES_MAX: Final = 64 << 20
"""Of the manifests of all parts of a version, where it has several."""
ANNOTATION_BYTES_MAX: Final = 64 << 10
JSON_DEPTH_MAX: Final = 64
SEGMENT_BYTES_MAX: Final = 64 << 20
"""Of one segment of the journal, unpacked. A single longer line stands in a segment of its own, and cannot be longer."""
RATIO_ALLOWANCE_BYTES: Final = 64 << 20
"""So much may be unpacked whatever the ratio is: small texts pack well."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one pod. layers: how many a manifest may name. size_bytes: of all its blobs, and of what they unpack to.

    ratio: how often the unpacked size may be the packed one.
    """

    layers: int = 400_000
    size_bytes: int = 64 << 30
    ratio: int = 200


class PodError(RecordingError):
    """A pod that is damaged, of a newer format, not one of ours, or larger than the limits."""


FETCH_AGAIN: Final = "fetch it once more, or save it again where it came from"


def damaged(what: str, *, hint: str = FETCH_AGAIN) -> PodError:
    """Return the error of a pod that cannot be used."""
    return PodError(what, hint=hint)
