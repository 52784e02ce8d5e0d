"""Moments of a recording: `DIR@42` is how it was after record 42, `DIR@2026-01-31T12:00:00Z` how it was at that time."""

from __future__ import annotations

from pathlib import Path

from replay_proxy.journal.read.reader import Recording
from replay_proxy.reports.selection import parse_moment
from replay_proxy.resources.build import build_model
from replay_proxy.resources.folding.model import ResourceModel


def split_moment(where: str) -> tuple[str, str]:
    """Return where a recording is, and the moment that is asked for; an empty one for its end. Raises UsageError.

    A path that has an `@` in it is a path where it exists, or where a slash follows.
    """
    path, at, text = where.rpartition("@")
    if not at or not text or "/" in text or Path(where).exists():
        return where, ""
    return path, parse_moment(text)


def model_at(recording: Recording, moment: str) -> ResourceModel:
    """Return the resources of a recording at a moment. Raises RecordingError and StorageError."""
    seq = int(moment) if moment.isdecimal() else 0
    return build_model(
        recording.items(),
        lambda ref: b"".join(recording.blobs.read(ref)),
        through_seq=seq,
        through_time="" if moment.isdecimal() else moment,
    )
