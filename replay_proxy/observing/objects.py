"""The expected contents of buckets: objects by key and version, with their entity tags as prints.

The tag of what a call wrote is in its answer, so no body has to be looked at to know an object that nobody changed.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from replay_proxy.exchange import BlobRef
from replay_proxy.footprint.data_parts import OBJECT_WRITES
from replay_proxy.observing.container import Caller, Container
from replay_proxy.observing.expected import UNKNOWN, ExpectedContents, Look
from replay_proxy.observing.finding import Finding
from replay_proxy.observing.reader import LookError, Reader
from replay_proxy.observing.unshown_versions import UnshownVersions
from replay_proxy.replay.recorded_call import Call

_SEPARATOR: Final = "\0"
_NO_VERSION: Final = "null"
_MARKER: Final = b"marker"
_LEGAL_HOLD: Final = "ObjectLockLegalHoldStatus"
_KEPT: Final = (
    "ContentType",
    "ContentEncoding",
    "ContentDisposition",
    "ContentLanguage",
    "CacheControl",
    "Expires",
    "Metadata",
    "StorageClass",
    "WebsiteRedirectLocation",
    "ServerSideEncryption",
    "SSEKMSKeyId",
    _LEGAL_HOLD,
)
"""What GetObject tells of an object that PutObject takes, too."""
_RETENTION: Final = ("ObjectLockMode", "ObjectLockRetainUntilDate")
"""The same; refused where the date has passed."""
_CHECKSUMS: Final = ("ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256")
_OF_PARTS: Final = "-"
"""What stands in the checksum of an object that was uploaded in parts: it is one of their checksums."""
_APART: Final = frozenset({"CreateMultipartUpload", "UploadPart", "UploadPartCopy", "AbortMultipartUpload"})


class Objects(ExpectedContents):
    """The objects of one bucket."""

    def __init__(self, container: Container) -> None:
        super().__init__(container)
        self._unshown = UnshownVersions()

    def see(self, call: Call) -> None:
        """Take in a call to the bucket."""
        operation, params = call.operation, call.params
        if operation in OBJECT_WRITES:
            tag = call.result.get("ETag") or (call.result.get("CopyObjectResult") or {}).get("ETag")
            tag = tag or call.answer.headers.get("etag")
            version = _version_in(call)
            if not self._unshown.see_write(params["Key"], _tag(tag), shown=version != _NO_VERSION):
                self.put(_part(params["Key"], version), _tag(tag))
        elif operation == "DeleteObject":
            self._delete(params["Key"], params.get("VersionId"), call.result)
        elif operation == "DeleteObjects":
            failed = {each.get("Key") for each in call.result.get("Errors", ())}
            shown = {(each.get("Key"), each.get("VersionId")): each for each in call.result.get("Deleted", ())}
            for each in params["Delete"]["Objects"]:
                if each["Key"] not in failed:
                    self._delete(
                        each["Key"], each.get("VersionId"), shown.get((each["Key"], each.get("VersionId")), {})
                    )
        elif operation == "DeleteBucket":
            self.clear()
            self._unshown.clear()
        elif operation == "PutBucketVersioning":
            status = (params.get("VersioningConfiguration") or {}).get("Status")
            self._unshown.see_versioning(enabled=status == "Enabled")
        elif operation not in _APART and isinstance(params.get("Key"), str):
            self.touch(_part(params["Key"], str(params.get("VersionId") or _NO_VERSION)))

    def _delete(self, key: str, version: str | None, shown: Mapping[str, Any]) -> None:
        marker = shown.get("DeleteMarkerVersionId") or (shown.get("VersionId") if shown.get("DeleteMarker") else None)
        if version:
            self.drop(_part(key, version))
        elif marker:
            self._unshown.see_write(key, _MARKER, shown=marker != _NO_VERSION)
            self.put(_part(key, marker), _MARKER)
        elif not self._unshown.see_write(key, _MARKER, shown=False):
            self.drop(_part(key, _NO_VERSION))

    async def look(self, reader: Reader, caller: Caller, *, thorough: bool) -> Look:
        """List all versions of all objects, and read those that are other than expected."""
        bucket, look = self.container.name, Look()
        changed: list[tuple[datetime | None, str, Mapping[str, Any], bytes]] = []
        asked: dict[str, Any] = {"Bucket": bucket}
        while True:
            page = await reader.ask(self.container, caller, "ListObjectVersions", asked)
            for each, tag in (
                *((each, _tag(each.get("ETag"))) for each in page.get("Versions", ())),
                *((each, _MARKER) for each in page.get("DeleteMarkers", ())),
            ):
                part = _part(each["Key"], each.get("VersionId") or _NO_VERSION)
                look.seen[part] = tag
                if self._is_unexplained(part, each, tag):
                    changed.append((each.get("LastModified"), part, each, tag))
            if not page.get("IsTruncated") or not page.get("NextKeyMarker"):
                break
            asked = {"Bucket": bucket, "KeyMarker": page["NextKeyMarker"]}
            if page.get("NextVersionIdMarker"):
                asked["VersionIdMarker"] = page["NextVersionIdMarker"]
        # What was made first comes first; of what was made in one second that is listed last.
        changed.reverse()
        changed.sort(
            key=lambda each: (each[0].timestamp() if each[0] is not None else 0.0, bool(each[2].get("IsLatest")))
        )
        for _time, part, each, tag in changed:
            if tag != _MARKER and int(each.get("Size") or 0) > reader.bytes_max:
                look.too_large += 1
                continue
            finding = self._marker(each) if tag == _MARKER else await self._read(reader, caller, each)
            if finding is not None:
                # In the order in which they were made, so that versions come back in it.
                look.seen[part] = look.seen.pop(part)
                look.changed[part] = finding
        return look

    def _is_unexplained(self, part: str, each: Mapping[str, Any], tag: bytes) -> bool:
        """Return whether no call tells of a version; one that a call made without naming it is expected from now on."""
        if part not in self.parts and self._unshown.explains(
            part, each["Key"], tag, is_latest=bool(each.get("IsLatest"))
        ):
            self.parts[part] = tag
        return self.parts.get(part) != tag

    def forget_explained(self) -> None:
        """Expect the versions no longer that calls made without naming them: calls made again draw other versions."""
        for part in self._unshown.begin_generation():
            self.parts.pop(part, None)

    def _marker(self, each: Mapping[str, Any]) -> Finding:
        parameters = {"Bucket": self.container.name, "Key": each["Key"]}
        headers = {"x-amz-delete-marker": "true", "x-amz-version-id": str(each.get("VersionId"))}
        return Finding(
            "DeleteObject", parameters, "ListObjectVersions", each["Key"], headers=headers, made_at=_made_at(each)
        )

    async def _read(self, reader: Reader, caller: Caller, each: Mapping[str, Any]) -> Finding | None:
        key, version = each["Key"], each.get("VersionId") or _NO_VERSION
        asked = {"Bucket": self.container.name, "Key": key}
        if version != _NO_VERSION:
            asked["VersionId"] = version
        try:
            found = await reader.ask(self.container, caller, "GetObject", {**asked, "ChecksumMode": "ENABLED"})
        except LookError:
            return None  # it is gone by now, or is encrypted by a key of the client's
        body = found.get("Body", b"")
        if isinstance(body, BlobRef):
            return None
        parameters: dict[str, Any] = {"Bucket": self.container.name, "Key": key, "Body": body}
        parameters |= {member: found[member] for member in _KEPT if found.get(member)}
        parameters |= {
            member: found[member] for member in _CHECKSUMS if found.get(member) and _OF_PARTS not in found[member]
        }
        until = found.get("ObjectLockRetainUntilDate")
        if isinstance(until, datetime) and until > datetime.now(UTC):
            parameters |= {member: found[member] for member in _RETENTION if found.get(member)}
        if any(member in parameters for member in (*_RETENTION, _LEGAL_HOLD)):
            parameters["ContentMD5"] = b64encode(hashlib.md5(body).digest()).decode()  # noqa: S324
        if found.get("TagCount"):
            with suppress(LookError):  # its tags are not worth the object
                tags = (await reader.ask(self.container, caller, "GetObjectTagging", asked)).get("TagSet", ())
                parameters["Tagging"] = _query(tags)
        headers = {"ETag": str(each.get("ETag", ""))}
        if version != _NO_VERSION:
            headers["x-amz-version-id"] = version
        return Finding("PutObject", parameters, "GetObject", key, headers=headers, made_at=_made_at(each))

    def gone(self, part: str, look: Look) -> Finding | None:
        """Return the finding for an object, or a version of it, that was removed."""
        key, version = part.split(_SEPARATOR)
        parameters = {"Bucket": self.container.name, "Key": key}
        if version != _NO_VERSION:
            parameters["VersionId"] = version
        return Finding("DeleteObject", parameters, "ListObjectVersions", key)


def _part(key: str, version: str) -> str:
    return f"{key}{_SEPARATOR}{version}"


def _tag(tag: Any) -> bytes:
    return str(tag).strip('"').encode() if tag else UNKNOWN


def _made_at(version: Mapping[str, Any]) -> float:
    """Return when a version was made, in seconds since the epoch; 0 where the emulator does not say."""
    modified = version.get("LastModified")
    return modified.timestamp() if isinstance(modified, datetime) else 0.0


def _version_in(call: Call) -> str:
    return str(call.answer.headers.get("x-amz-version-id") or _NO_VERSION)


def _query(tags: Any) -> str:
    return urlencode([(tag["Key"], tag.get("Value", "")) for tag in tags])
