"""Versions that recorded calls made without naming them: each write explains one, and is not made once more."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from replay_proxy.exchange import Answer, CallHead, Headers
from replay_proxy.observing.container import Caller, Container
from replay_proxy.observing.objects import Objects
from replay_proxy.observing.reader import Reader
from tests.observing.test_exposure import call

ENABLED = call("s3", "PutBucketVersioning", Bucket="files", VersioningConfiguration={"Status": "Enabled"})
DELETED = call("s3", "DeleteObject", Bucket="files", Key="k")
DELETED_TOGETHER = replace(
    call("s3", "DeleteObjects", Bucket="files", Delete={"Objects": [{"Key": "k"}]}),
    head=CallHead("s3", "DeleteObjects", "rest-xml"),
    answer=Answer(200, Headers(), b"<DeleteResult><Deleted><Key>k</Key></Deleted></DeleteResult>"),
)
PUT = replace(call("s3", "PutObject", Bucket="files", Key="k"), answer=Answer(200, Headers((("ETag", '"e"'),))))


class Listing:
    """An emulator that lists delete markers, the latest first."""

    def __init__(self, *versions: str, latest: bool = True) -> None:
        self.markers = [
            {"Key": "k", "VersionId": each, "IsLatest": latest and not at} for at, each in enumerate(versions)
        ]

    async def ask(self, *_: Any) -> dict[str, Any]:
        return {"DeleteMarkers": self.markers}


def found(contents: Objects, *versions: str, latest: bool = True) -> list[str]:
    """What is found of a bucket with these markers of one key."""
    contents.begin_look()
    reader = cast("Reader", Listing(*versions, latest=latest))
    look = asyncio.run(contents.look(reader, cast("Caller", None), thorough=True))
    out = [finding.operation for finding, part, tag in contents.findings(look, caused=True) if tag is not None]
    contents.end_look()
    return out


def bucket(*calls: Any) -> Objects:
    contents = Objects(Container("s3", "", "", "files"))
    for each in calls:
        contents.see(each)
    return contents


@pytest.mark.parametrize("deleted", [DELETED, DELETED_TOGETHER])
def test_a_marker_that_a_recorded_deletion_made_is_not_recorded(deleted: Any) -> None:
    contents = bucket(ENABLED, deleted)
    for again in ("first", "second", "third"):
        # The calls are made again after each restart, and the marker has another version.
        assert found(contents, again) == []
        assert found(contents, again) == []
        contents.forget_explained()
        contents.begin_generation()
    assert found(contents, "by itself", "fourth") == ["DeleteObject"], "one deletion explains one marker"


def test_a_marker_that_something_else_made_is_recorded() -> None:
    assert found(bucket(ENABLED), "v") == ["DeleteObject"]
    assert found(bucket(DELETED), "v") == ["DeleteObject"], "there the deletion made none"
    assert found(bucket(ENABLED, DELETED, PUT), "v") == ["DeleteObject"], "it is younger than the object"
    assert found(bucket(ENABLED, DELETED, PUT), "v", latest=False) == []
