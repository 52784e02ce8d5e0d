"""The numbers of one pod in a bucket: claims on them, versions that have them, and those that were removed."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final, Protocol

import orjson

from replay_proxy.pods.names import version_ref
from replay_proxy.pods.oci.descriptor import REF_NAME, Descriptor
from replay_proxy.pods.remotes.bucket.bucket_index import PUSH
from replay_proxy.pods.remotes.numbering import NumberTakenError

_ONCE: Final = {"IfNoneMatch": "*"}


class Objects(Protocol):
    """What is asked of a bucket. Names are below its prefix; a list is of whole keys."""

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix."""

    def has_file(self, name: str) -> bool:
        """Return whether there is an object."""

    def put(self, name: str, data: bytes, *, condition: Mapping[str, str] | None = None) -> str | None:
        """Write an object, and return its ETag; None where the condition forbade it."""

    def small_object(self, name: str) -> bytes | None:
        """Return what is in an object; None where there is none."""

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""


class BucketNumbers:
    """Implements `numbering.Numbers`. descriptor: of the manifest to be published."""

    def __init__(self, objects: Objects, name: str, descriptor: Descriptor) -> None:
        self._objects = objects
        self._name = name
        self._push = secrets.token_hex(8)
        self._descriptor = descriptor

    def highest(self) -> int:
        """Return the highest number that has a claim, has a version, or had one."""
        claimed = [key.split("/")[-2] for key in self._objects.keys(f"claims/{self._name}/")]
        given = versions_of(self._objects, self._name)
        # A version is marked as removed before it goes.
        removed = [key.rpartition("/")[2] for key in self._objects.keys(f"removed/{self._name}/")]
        return max((*given, *(int(each) for each in (*claimed, *removed) if is_number(each))), default=0)

    def claimants(self, number: int) -> Collection[str]:
        """Return the tokens of the claims on a number."""
        return {key.rpartition("/")[2] for key in self._objects.keys(f"claims/{self._name}/{number}/")}

    def is_taken(self, number: int) -> bool:
        """Return whether a version has a number, or had it."""
        return self._objects.has_file(version_key(self._name, number)) or self._objects.has_file(
            f"removed/{self._name}/{number}"
        )

    def claim(self, number: int, token: str) -> None:
        """Put a claim on a number."""
        self._objects.put(f"claims/{self._name}/{number}/{token}", b"")

    def withdraw(self, number: int, token: str) -> None:
        """Take a claim away."""
        self._objects.delete(f"claims/{self._name}/{number}/{token}")

    def complete(self, number: int) -> None:
        """Write the version, unless one is there. Raises NumberTakenError."""
        annotations = {**self._descriptor.annotations, REF_NAME: version_ref(self._name, number), PUSH: self._push}
        data = orjson.dumps(replace(self._descriptor, annotations=annotations).as_json())
        name = version_key(self._name, number)
        # Where it is there, it may be ours: the answer to an earlier attempt was lost.
        if self._objects.put(name, data, condition=_ONCE) is None and self._objects.small_object(name) != data:
            raise NumberTakenError(f"{self._name}:{number} is taken", hint="push it once more")


def version_key(name: str, number: int) -> str:
    """Return the key of the object that says that there is a version."""
    return f"versions/{name}/{number}.json"


def versions_of(objects: Objects, name: str) -> set[int]:
    """Return the numbers of a pod's versions."""
    found = (key.rpartition("/")[2].removesuffix(".json") for key in objects.keys(f"versions/{name}/"))
    return {int(each) for each in found if is_number(each)}


def is_number(text: str) -> bool:
    """Return whether a part of a key is a number."""
    return text.isascii() and text.isdigit()
