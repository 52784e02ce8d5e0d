"""Objects in unversioned buckets: overwritten and deleted, copied from, and uploaded in parts.

Where a bucket has no versions, a put leaves nothing of the object that was there before: whatever was done to it can be
left out, and a delete, too, when nothing is left for it to delete. What a kept call *read* has to be there when it
reads: the source of a copy stays "unless the copy goes". If that keeps an object which was deleted later, the delete stays.

Nothing is assumed of a bucket before its CreateBucket was seen, nor after versioning was switched on, even if it was
suspended later: then every version is visible.

Uploads: an aborted one goes as a whole. Of a completed one stays what it was completed from, and that is its object.
One that was neither completed nor aborted stays: clients can list and continue it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from replay_proxy.replay.compaction import mentions
from replay_proxy.replay.compaction.calls import Call
from replay_proxy.replay.compaction.decisions import Decisions

_OVERWRITTEN = "the object was overwritten"
_DELETED = "the object was deleted"
# Settings of one object that replace the last one of their kind.
_REPLACING = frozenset({"PutObjectTagging", "PutObjectAcl"})
_SETTING = _REPLACING | {"DeleteObjectTagging", "PutObjectRetention", "PutObjectLegalHold", "RestoreObject"}
# Services that read objects which their request need not name: nested templates, code of functions in templates.
_READ_ANY = frozenset({"cloudformation", "cloudcontrol"})


@dataclass(slots=True)
class _Object:
    """calls: what made it what it is. stale: earlier ones that stay if something that read them stays.

    settings: the last call of each replacing operation. pinned: it depends on something that is not known.
    """

    calls: list[int] = field(default_factory=list)
    stale: list[int] = field(default_factory=list)
    settings: dict[str, int] = field(default_factory=dict)
    pinned: bool = False


@dataclass(slots=True)
class _Upload:
    bucket: str
    key: str
    begun_by: int
    parts: dict[int, int] = field(default_factory=dict)


class Objects:
    """The rule for S3 objects. Memory: a digest and a few numbers for each object."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._buckets: dict[str, dict[bytes, _Object]] = {}
        self._known: set[str] = set()
        self._uploads: dict[str, _Upload] = {}
        self._readers: dict[int, list[int]] = defaultdict(list)

    def see(self, call: Call) -> None:
        """Take in a call to S3, in order."""
        bucket = call.params.get("Bucket", "")
        if bucket.startswith("arn:"):
            self.pin()
            return
        match call.operation:
            case "CreateBucket":
                if bucket not in self._known and not call.params.get("ObjectLockEnabledForBucket"):
                    self._buckets[bucket] = {}
                self._known.add(bucket)
            case "DeleteBucket":
                self._buckets.pop(bucket, None)
                self._known.discard(bucket)
            case "PutBucketVersioning" | "PutObjectLockConfiguration":
                self._buckets.pop(bucket, None)
            case "CreateMultipartUpload" | "UploadPart" | "UploadPartCopy" | "AbortMultipartUpload":
                self._see_upload(call, bucket)
            case "CompleteMultipartUpload":
                self._complete(call, bucket)
            case "PutObject" | "CopyObject":
                self._read_source(call)
                self._put(call, bucket, [call.seq])
            case "DeleteObject":
                self._delete(call, bucket, [call.params])
            case "DeleteObjects":
                failed = {each.get("Key") for each in call.result.get("Errors", ())}
                entries = call.params.get("Delete", {}).get("Objects", ())
                self._delete(call, bucket, [each for each in entries if each.get("Key") not in failed])
            case operation if operation in _SETTING:
                self._set(call, bucket)
            case _ if "Key" in call.params:
                # Something that is done to an object, and of which these rules know nothing.
                self.pin(bucket)

    def see_other(self, call: Call) -> None:
        """Take in a call to another service, which may read objects."""
        if not self._buckets:
            return
        if call.service in _READ_ANY:
            self.pin()
            return
        texts = list(mentions.strings(call.params))
        marks = {run for text in texts for run in mentions.runs(text)}
        for name, objects in self._buckets.items():
            if mentions.mark(name) in marks:
                for text in texts:
                    for key in _tails(text):
                        found = objects.get(_digest(key))
                        if found is not None:
                            self._read(found, call.seq)

    def pin(self, bucket: str | None = None) -> None:
        """Something unknown happened to a bucket (or to any): what is there stays, and deletes of it."""
        for name, objects in self._buckets.items():
            if bucket is None or name == bucket:
                for each in objects.values():
                    each.calls.clear()
                    each.settings.clear()
                    each.pinned = True

    # Objects.

    def _find(self, bucket: str, key: str, *, make: bool = False) -> _Object | None:
        objects = self._buckets.get(bucket)
        if objects is None:
            return None
        digest = _digest(key)
        return objects.setdefault(digest, _Object()) if make else objects.get(digest)

    def _put(self, call: Call, bucket: str, made_by: list[int]) -> None:
        if call.answer.headers.get("x-amz-version-id", "null") != "null":
            self._buckets.pop(bucket, None)
        found = self._find(bucket, call.params.get("Key", ""), make=True)
        if found is None:
            return
        if _needs_what_was_there(call.params):
            found.calls += made_by
            return
        self._supersede(found, found.calls, _OVERWRITTEN, call.seq)
        found.calls = list(made_by)
        found.settings = {}

    def _delete(self, call: Call, bucket: str, entries: Iterable[dict[str, Any]]) -> None:
        if bucket not in self._buckets:
            return
        entries, unless, pinned = list(entries), set[int](), False
        if any("VersionId" in entry for entry in entries):
            self.pin(bucket)
            return
        for entry in entries:
            found = self._find(bucket, entry.get("Key", ""))
            if found is not None:
                self._supersede(found, found.calls, _DELETED, call.seq)
                found.calls, found.settings = [], {}
                unless.update(found.stale)
                pinned = pinned or found.pinned
        if pinned:
            return
        reason = "there is nothing left for it to delete"
        if unless:
            self._decisions.propose(call.seq, reason, 0, unless)
        else:
            self._decisions.drop(call.seq, reason)

    def _set(self, call: Call, bucket: str) -> None:
        found = self._find(bucket, call.params.get("Key", ""))
        if found is None:
            return
        if call.operation in _REPLACING:
            earlier = found.settings.get(call.operation)
            if earlier is not None:
                self._supersede(found, [earlier], "set again", call.seq)
                found.calls.remove(earlier)
            found.settings[call.operation] = call.seq
        elif call.operation == "DeleteObjectTagging":
            found.settings.pop("PutObjectTagging", None)
        found.calls.append(call.seq)

    def _supersede(self, found: _Object, calls: Iterable[int], reason: str, because_of: int) -> None:
        for seq in calls:
            readers = self._readers.pop(seq, ())
            if readers:
                self._decisions.propose(seq, reason, because_of, readers)
                found.stale.append(seq)
            else:
                self._decisions.drop(seq, reason, because_of)

    def _read(self, found: _Object, reader: int) -> None:
        for seq in found.calls:
            self._readers[seq].append(reader)

    def _read_source(self, call: Call) -> None:
        source = call.params.get("CopySource")
        if source is None:
            return
        path = unquote(source.partition("?versionId=")[0] if isinstance(source, str) else "").removeprefix("/")
        bucket, _, key = path.partition("/")
        if path.startswith("arn:") or not key:
            self.pin()
            return
        found = self._find(bucket, key)
        if found is not None:
            self._read(found, call.seq)

    # Uploads.

    def _see_upload(self, call: Call, bucket: str) -> None:
        if call.operation == "CreateMultipartUpload":
            identity = call.result.get("UploadId")
            if identity:
                self._uploads[identity] = _Upload(bucket, call.params.get("Key", ""), call.seq)
            return
        upload = self._uploads.get(call.params.get("UploadId", ""))
        if upload is None:
            return
        if call.operation == "AbortMultipartUpload":
            for seq in (upload.begun_by, *upload.parts.values(), call.seq):
                self._decisions.drop(seq, "the upload was aborted", call.seq if seq != call.seq else 0)
            del self._uploads[call.params["UploadId"]]
            return
        self._read_source(call)
        number = call.params.get("PartNumber", 0)
        if number in upload.parts:
            self._decisions.drop(upload.parts[number], "the part was uploaded again", call.seq)
        upload.parts[number] = call.seq

    def _complete(self, call: Call, bucket: str) -> None:
        upload = self._uploads.pop(call.params.get("UploadId", ""), None)
        named = [part.get("PartNumber") for part in call.params.get("MultipartUpload", {}).get("Parts", ())]
        if upload is None or not named:
            found = self._find(bucket, call.params.get("Key", ""), make=True)
            if found is not None:
                found.calls.append(call.seq)
            return
        for number, seq in upload.parts.items():
            if number not in named:
                self._decisions.drop(seq, "the upload was completed without this part", call.seq)
        parts = [seq for number, seq in upload.parts.items() if number in named]
        self._put(call, bucket, [upload.begun_by, *parts, call.seq])


def _needs_what_was_there(params: dict[str, Any]) -> bool:
    """Does a put depend on the object that it replaces: by condition, or because it adds to it?"""
    return "IfMatch" in params or "WriteOffsetBytes" in params or params.get("IfNoneMatch", "*") != "*"


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _tails(text: str) -> Iterable[str]:
    """A text, and what follows each slash in it: a URL or a path may end in a key."""
    yield text
    place = text.find("/")
    while 0 <= place < 1024:
        yield text[place + 1 :]
        place = text.find("/", place + 1)
