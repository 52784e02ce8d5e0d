"""Objects in unversioned buckets: overwritten and deleted, copied from, and uploaded in parts.

Where a bucket has no versions, a put leaves nothing of the object that was there before. So whatever was done to that object is
superseded, and a delete, too, when nothing is left for it to delete. What a call *reads* has to be there when it reads: the
source of a copy is superseded only if the copy is. If a copy makes an object stay that was deleted later, the delete stays, too.

Some emulators keep what stands beside an object (its tags, its access control list, its locks: what has an operation of its own)
when the object is overwritten by a put that says nothing of that. So the calls that set it stay until one sets it anew.

Where a call of another service, or a setting of another bucket, names a bucket, the emulator may write into it by itself. A
delete there of an object that no call is known to have made stays.

Nothing is assumed of a bucket before its CreateBucket was seen, nor after versioning was switched on, even if it was
suspended later: then every version is visible.

An aborted upload in parts is superseded as a whole. Of a completed one, the parts stay from which its object was made. An upload
that was neither completed nor aborted stays: clients can list and continue it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from replay_proxy.footprint.names.name_index import words
from replay_proxy.footprint.parameter_texts import parameter_texts
from replay_proxy.replay.planning.supersession.decisions import SupersessionDecisions
from replay_proxy.replay.recorded_call import Call

_OVERWRITTEN = "the object was overwritten"
_DELETED = "the object was deleted"
# Settings of one object that replace the last one of their kind.
_REPLACING = frozenset({"PutObjectTagging", "PutObjectAcl"})
_SETTING = _REPLACING | {"DeleteObjectTagging", "PutObjectRetention", "PutObjectLegalHold", "RestoreObject"}
# What stands beside an object: by the operations, and by the members of a put, that set it.
_BESIDE = {
    "PutObjectTagging": "tags",
    "Tagging": "tags",
    "PutObjectAcl": "acl",
    **dict.fromkeys(("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP"), "acl"),
    "PutObjectRetention": "retention",
    **dict.fromkeys(("ObjectLockMode", "ObjectLockRetainUntilDate"), "retention"),
    "PutObjectLegalHold": "hold",
    "ObjectLockLegalHoldStatus": "hold",
}
# Services that read objects which their request need not name: nested templates, code of functions in templates.
_READ_ANY = frozenset({"cloudformation", "cloudcontrol"})


@dataclass(slots=True)
class _Object:
    """An object. calls: those that it comes from. stale: earlier calls, which stay if something that read them stays.

    settings: the last call of each replacing operation. beside: what stands beside it, with the calls that this comes from.
    pinned: it depends on something unknown.
    """

    calls: list[int] = field(default_factory=list)
    stale: list[int] = field(default_factory=list)
    settings: dict[str, int] = field(default_factory=dict)
    beside: dict[str, list[int]] = field(default_factory=dict)
    pinned: bool = False


@dataclass(slots=True)
class _Upload:
    bucket: str
    key: str
    begun_by: int
    beside: set[str]
    parts: dict[int, int] = field(default_factory=dict)


class ObjectsRule:
    """The rule for S3 objects. Memory: a digest and a few numbers for each object."""

    def __init__(self, decisions: SupersessionDecisions) -> None:
        self._decisions = decisions
        self._buckets: dict[str, dict[bytes, _Object]] = {}
        self._known: set[str] = set()
        self._shared: set[str] = set()
        self._uploads: dict[str, _Upload] = {}
        self._readers: dict[int, list[int]] = defaultdict(list)

    def see(self, call: Call) -> None:
        """Note a call to S3; calls are shown in order."""
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
                self._shared.discard(bucket)
            case "PutBucketVersioning" | "PutObjectLockConfiguration":
                self._buckets.pop(bucket, None)
            case "CreateMultipartUpload" | "UploadPart" | "UploadPartCopy" | "AbortMultipartUpload":
                self._see_upload(call, bucket)
            case "CompleteMultipartUpload":
                self._complete(call, bucket)
            case "PutObject" | "CopyObject":
                source = self._read_source(call)
                copied = {"tags"} if source is not None and "tags" in source.beside else set()
                self._put(call, bucket, [call.seq], _beside(call.params) | copied)
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
            case _:
                # A setting may let objects be written into another bucket: logs, inventories, replicas.
                self._share(self._named_in(each.text for each in parameter_texts(call.head, call.params)) - {bucket})

    def see_other(self, call: Call) -> None:
        """Note a call to another service, which may read objects."""
        if not self._buckets:
            return
        if call.service in _READ_ANY:
            self.pin()
            self._share(self._buckets)
            return
        texts = [each.text for each in parameter_texts(call.head, call.params)]
        for name in self._named_in(texts):
            objects = self._buckets[name]
            for text in texts:
                for key in _tails(text):
                    found = objects.get(_digest(key))
                    if found is not None:
                        self._read(found, call.seq)
            self._share((name,))

    def _named_in(self, texts: Iterable[str]) -> set[str]:
        """The buckets that may be named in any of these texts."""
        marks = {word for text in texts for word in words(text)}
        return {name for name in self._buckets if not marks.isdisjoint(words(name))}

    def _share(self, buckets: Iterable[str]) -> None:
        """The emulator may write objects into these buckets by itself, under keys that no call shows."""
        self._shared.update(buckets)

    def pin(self, bucket: str | None = None) -> None:
        """Let all objects of a bucket (None: of any) stay, with their deletes, since something unknown happened to them."""
        for name, objects in self._buckets.items():
            if bucket is None or name == bucket:
                for each in objects.values():
                    each.calls.clear()
                    each.settings.clear()
                    each.beside.clear()
                    each.pinned = True

    # Objects.

    def _find(self, bucket: str, key: str, *, make: bool = False) -> _Object | None:
        objects = self._buckets.get(bucket)
        if objects is None:
            return None
        digest = _digest(key)
        return objects.setdefault(digest, _Object()) if make else objects.get(digest)

    def _put(self, call: Call, bucket: str, made_by: list[int], beside: set[str]) -> None:
        """Note that an object was made. beside: what the calls `made_by` have set beside it."""
        if call.answer.headers.get("x-amz-version-id", "null") != "null":
            self._buckets.pop(bucket, None)
        found = self._find(bucket, call.params.get("Key", ""), make=True)
        if found is None:
            return
        if _needs_what_was_there(call.params):
            found.calls += made_by
            found.beside.update({kind: list(found.calls) for kind in beside})
            return
        kept = {seq for kind, seqs in found.beside.items() if kind not in beside for seq in seqs}
        staying = [seq for seq in found.calls if seq in kept]
        self._supersede(found, [seq for seq in found.calls if seq not in kept], _OVERWRITTEN, call.seq)
        found.calls = [*staying, *made_by]
        found.settings = {operation: seq for operation, seq in found.settings.items() if seq in kept}
        found.beside.update({kind: list(made_by) for kind in beside})

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
                found.calls, found.settings, found.beside = [], {}, {}
                unless.update(found.stale)
                pinned = pinned or found.pinned
            elif bucket in self._shared:
                pinned = True  # what it deletes may have been written by another call that stays
        if pinned:
            return
        reason = "there is nothing left for it to delete"
        if unless:
            self._decisions.supersede_unless(call.seq, reason, 0, unless)
        else:
            self._decisions.supersede(call.seq, reason)

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
            found.beside.pop("tags", None)
        found.calls.append(call.seq)
        if call.operation in _BESIDE:
            found.beside[_BESIDE[call.operation]] = list(found.calls)

    def _supersede(self, found: _Object, calls: Iterable[int], reason: str, because_of: int) -> None:
        for seq in calls:
            readers = self._readers.pop(seq, ())
            if readers:
                self._decisions.supersede_unless(seq, reason, because_of, readers)
                found.stale.append(seq)
            else:
                self._decisions.supersede(seq, reason, because_of)

    def _read(self, found: _Object, reader: int) -> None:
        for seq in found.calls:
            self._readers[seq].append(reader)

    def _read_source(self, call: Call) -> _Object | None:
        """Note what a copy reads; return it, as far as it is known."""
        source = call.params.get("CopySource")
        if source is None:
            return None
        path = unquote(source.partition("?versionId=")[0] if isinstance(source, str) else "").removeprefix("/")
        bucket, _, key = path.partition("/")
        if path.startswith("arn:") or not key:
            self.pin()
            return None
        found = self._find(bucket, key)
        if found is not None:
            self._read(found, call.seq)
        return found

    # Uploads.

    def _see_upload(self, call: Call, bucket: str) -> None:
        if call.operation == "CreateMultipartUpload":
            identity = call.result.get("UploadId")
            if identity:
                key = call.params.get("Key", "")
                self._uploads[identity] = _Upload(bucket, key, call.seq, _beside(call.params))
            return
        upload = self._uploads.get(call.params.get("UploadId", ""))
        if upload is None:
            return
        if call.operation == "AbortMultipartUpload":
            for seq in (upload.begun_by, *upload.parts.values(), call.seq):
                self._decisions.supersede(seq, "the upload was aborted", call.seq if seq != call.seq else 0)
            del self._uploads[call.params["UploadId"]]
            return
        self._read_source(call)
        number = call.params.get("PartNumber", 0)
        if number in upload.parts:
            self._decisions.supersede(upload.parts[number], "the part was uploaded again", call.seq)
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
                self._decisions.supersede(seq, "the upload was completed without this part", call.seq)
        parts = [seq for number, seq in upload.parts.items() if number in named]
        self._put(call, bucket, [upload.begun_by, *parts, call.seq], upload.beside)


def _needs_what_was_there(params: dict[str, Any]) -> bool:
    """Return whether a put depends on the object that it replaces: by a condition, or because it adds to it."""
    return "IfMatch" in params or "WriteOffsetBytes" in params or params.get("IfNoneMatch", "*") != "*"


def _beside(params: dict[str, Any]) -> set[str]:
    """Return what a put sets beside the object itself."""
    return {_BESIDE[member] for member in params if member in _BESIDE}


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _tails(text: str) -> Iterable[str]:
    """Return a text, and what follows each slash in it: a URL or a path may end in a key."""
    yield text
    place = text.find("/")
    while 0 <= place < 1024:
        yield text[place + 1 :]
        place = text.find("/", place + 1)
