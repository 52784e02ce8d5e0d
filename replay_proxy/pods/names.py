"""Names of pods: what people type (`shop`, `shop:3`, `shop:stable`), and what OCI tools read (`shop-3`).

A version is called `NAME-NUMBER` in an index, a tag `NAME:TAG`. A tag never begins with a digit, so `NAME:3` is always the
version, and the last part of `NAME-NUMBER` always the number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from replay_proxy.errors import UsageError

NAME_LENGTH_MAX: Final = 100
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_TAG: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
LATEST: Final = "latest"


@dataclass(frozen=True, slots=True)
class PodReference:
    """A pod, or one version of it. which: a number or a tag as it was typed; empty for the latest version."""

    name: str
    which: str = ""

    @property
    def version(self) -> int | None:
        """The number of the version, where one is named."""
        return int(self.which) if _VERSION.fullmatch(self.which) else None

    @property
    def tag(self) -> str:
        """The tag, where one is named; else empty."""
        return "" if self.version is not None or self.which == LATEST else self.which

    def __str__(self) -> str:
        return f"{self.name}:{self.which}" if self.which else self.name


def is_name(text: str) -> bool:
    """Return whether a pod can be called so."""
    return len(text) <= NAME_LENGTH_MAX and _NAME.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Return whether a tag can be called so."""
    return len(text) <= NAME_LENGTH_MAX and _TAG.fullmatch(text) is not None and text != LATEST


def check_name(text: str) -> str:
    """Return the name of a pod. Raises UsageError where no pod can be called so."""
    _check_length(text, "a pod's name")
    if not is_name(text):
        raise UsageError(
            f"{text!r} is not a name for a pod",
            hint=f"write up to {NAME_LENGTH_MAX} letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends",
        )
    return text


def check_tag(text: str) -> str:
    """Return a tag. Raises UsageError where none can be called so."""
    _check_length(text, "a tag")
    if not is_tag(text):
        raise UsageError(
            f"{text!r} is not a tag",
            hint="begin with a letter; letters, digits, `-`, `_` and `.` may follow; `latest` is always the newest version",
        )
    return text


def _check_length(text: str, what: str) -> None:
    """Raise UsageError where a name is longer than any."""
    if len(text) > NAME_LENGTH_MAX:
        raise UsageError(
            f"{text[:20]!r}… is {len(text)} characters long; {what} has {NAME_LENGTH_MAX} at most",
            hint="choose a shorter one",
        )


def parse_reference(text: str) -> PodReference:
    """Return what `NAME`, `NAME:VERSION` or `NAME:TAG` means. Raises UsageError."""
    name, colon, which = text.partition(":")
    check_name(name)
    if not _VERSION.fullmatch(which):
        _check_length(which, "a tag")
    if colon and not (_VERSION.fullmatch(which) or which == LATEST or is_tag(which)):
        raise UsageError(
            f"{text!r} names no version of a pod",
            hint="write NAME, NAME:VERSION with a number from 1, or NAME:TAG",
        )
    return PodReference(name, which)


def looks_like_reference(text: str) -> bool:
    """Return whether a text can be a pod's name with or without a version, and not a path or an address."""
    name, colon, which = text.partition(":")
    return is_name(name) and (not colon or bool(_VERSION.fullmatch(which)) or which == LATEST or is_tag(which))


def version_ref(name: str, version: int) -> str:
    """Return what a version is called in an index: `NAME-NUMBER`."""
    return f"{name}-{version}"


def tag_ref(name: str, tag: str) -> str:
    """Return what a tag is called in an index: `NAME:TAG`."""
    return f"{name}:{tag}"


def parse_version_ref(ref: str) -> tuple[str, int] | None:
    """Return name and number of `NAME-NUMBER`; None where it is none."""
    name, _hyphen, number = ref.rpartition("-")
    return (name, int(number)) if is_name(name) and _VERSION.fullmatch(number) else None


def parse_tag_ref(ref: str) -> tuple[str, str] | None:
    """Return name and tag of `NAME:TAG`; None where it is none."""
    name, _colon, tag = ref.partition(":")
    return (name, tag) if is_name(name) and is_tag(tag) else None
