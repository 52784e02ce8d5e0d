"""A folder of an S3-compatible bucket as a remote. Below its prefix:

    oci-layout, index.json, blobs/sha256/…   an OCI image layout: `aws s3 sync` makes a folder of it that any OCI tool reads
    versions/NAME/NUMBER.json                that there is a version: the descriptor of its manifest. This is what counts
    tags/NAME/TAG.json                       which version a tag stands for
    claims/NAME/NUMBER/TOKEN                 a claim on a number (`numbering`)
    removed/NAME/NUMBER                      a version that was removed: its number is not given again
    files/DIGEST.pod                         a version as one file, for `pod url`; DIGEST is that of its manifest

The index is made of `versions` and `tags` after each push, and again until it says what is there; a push that dies before
leaves an index that lacks one entry until the next push. Versions are written with `If-None-Match: *`; `numbering` keeps them
unique also where the storage does not know that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
import tenacity
import urllib3.exceptions
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError, NoCredentialsError

from replay_proxy.errors import RemoteError, RemoteUnavailableError
from replay_proxy.pods.limits import INDEX_BYTES_MAX, MANIFEST_BYTES_MAX, PodError, damaged
from replay_proxy.pods.names import is_name, is_tag
from replay_proxy.pods.oci.descriptor import (
    ARTIFACT_TYPE,
    Descriptor,
    parse_descriptor,
    parse_json_object,
)
from replay_proxy.pods.oci.index import Index, parse_index
from replay_proxy.pods.oci.layout import INDEX_NAME, LAYOUT_CONTENT, LAYOUT_NAME, blob_path
from replay_proxy.pods.oci.parts import document_type
from replay_proxy.pods.remotes.bucket.bucket_index import differs, index_of, known_versions, with_version
from replay_proxy.pods.remotes.bucket.bucket_numbers import BucketNumbers, is_number, version_key, versions_of
from replay_proxy.pods.remotes.bucket.multipart import upload
from replay_proxy.pods.remotes.numbering import take_number
from replay_proxy.pods.remotes.parallel import in_parallel
from replay_proxy.pods.remotes.remote import CHUNK_BYTES, PARALLEL, PART_BYTES, shown_annotations, unknown_version

HEADS_MAX: Final = 256
"""So many blobs are looked for one by one; for more of them, what is there is listed."""
READ_ATTEMPTS: Final = 5
_INDEX_ATTEMPTS: Final = 20
_T = TypeVar("_T")
_POINTER_BYTES_MAX: Final = 256 << 10
_TAKEN: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_NOT_KNOWN: Final = frozenset({"NotImplemented", "501", "InvalidArgument", "UnsupportedArgument"})
_ABSENT: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_REFUSED: Final = frozenset(
    {"AccessDenied", "403", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
)
_LATER: Final = frozenset(
    {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "500", "502", "503", "504"}
)


class BucketRemote:
    """A prefix of a bucket. Implements `Remote`. client: of S3. prefix: without a slash at either end; may be empty."""

    keeps_parts_whole = False

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")
        self._client = client
        self._bucket = bucket
        self._start = f"{prefix}/" if prefix else ""

    def catalogue(self) -> Mapping[str, list[int]]:
        """Return the numbers of all versions by the names of their pods."""
        found: dict[str, list[int]] = {}
        for name, number in sorted(self._versions()):
            found.setdefault(name, []).append(number)
        return found

    def numbers(self, name: str) -> list[int]:
        """Return the numbers of a pod's versions."""
        return sorted(versions_of(self, name))

    def describe(self, versions: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], Descriptor]:
        """Return what the index says of versions, or the versions themselves where they are newer."""
        known = known_versions(self._index()[0])
        lacking = [each for each in versions if each not in known]
        pointers = in_parallel(lambda each: self._pointer_or_none(*each), lacking, PARALLEL)
        found = dict(zip(lacking, pointers, strict=True))
        described = {each: known.get(each) or found.get(each) for each in versions}
        return {each: descriptor for each, descriptor in described.items() if descriptor is not None}

    def tags(self, name: str) -> Mapping[str, int]:
        """Return the tags of a pod."""
        return {tag: number for (_name, tag), number in self._tagged_in(f"{name}/").items()}

    def read_manifest(self, name: str, number: int) -> bytes:
        """Return the manifest of a version."""
        pointer = self._pointer(name, number)
        if pointer.size > MANIFEST_BYTES_MAX:
            raise damaged(f"the manifest of {name}:{number} in {self.url} has {pointer.size} bytes")
        data = b"".join(self.read_blob(pointer))
        if len(data) != pointer.size or "sha256:" + hashlib.sha256(data).hexdigest() != pointer.digest:
            raise damaged(f"the manifest of {name}:{number} in {self.url} does not have the content that its name says")
        return data

    def missing(self, blobs: Iterable[Descriptor], name: str) -> list[Descriptor]:
        """Return the blobs that the bucket lacks."""
        wanted = list(blobs)
        if len(wanted) > HEADS_MAX:
            there = {each["Key"].rpartition("/")[2]: each["Size"] for each in self._listed("blobs/sha256/")}
            return [each for each in wanted if there.get(each.sha256) != each.size]
        sizes = in_parallel(self._size, wanted, PARALLEL)
        return [each for each, size in zip(wanted, sizes, strict=True) if size != each.size]

    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes of a blob."""
        extra = {"Range": f"bytes={start}-"} if start else {}
        with self._speaking(f"read {blob.digest}"):
            body = self._client.get_object(Bucket=self._bucket, Key=self._key(blob_path(blob.digest)), **extra)["Body"]
            with body:
                while chunk := body.read(CHUNK_BYTES):
                    yield chunk

    def write_blob(self, blob: Descriptor, source: Path, sent: Callable[[int], None]) -> None:
        """Upload a blob: a large one in parts, of which those that are there are not sent again."""
        self._write_file(blob_path(blob.digest), source, blob.size, sent)

    def pushing(self) -> AbstractContextManager[None]:
        """Open nothing: nothing here removes blobs."""
        return nullcontext()

    def publish(self, name: str, manifest: bytes) -> int:
        """Put the manifest there, give it the next free number, and bring the index up to date."""
        digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
        self.put(blob_path(digest), manifest)
        shown = shown_annotations(manifest)
        descriptor = Descriptor(document_type(manifest, name), digest, len(manifest), shown, ARTIFACT_TYPE)
        number = take_number(BucketNumbers(self, name, descriptor))
        with suppress(RemoteUnavailableError):  # the version is there; the next push brings the index up to date
            self._refresh_index((name, number, descriptor))
        return number

    def set_tag(self, name: str, tag: str, number: int) -> None:
        """Let a tag stand for a version."""
        self._pointer(name, number)
        self.put(f"tags/{name}/{tag}.json", _tag_content(number))
        self._refresh_index()

    def delete_version(self, name: str, number: int) -> None:
        """Take a version away."""
        self._pointer(name, number)
        self.put(f"removed/{name}/{number}", b"")
        self.delete(version_key(name, number))
        for tag, tagged in self.tags(name).items():
            if tagged == number:
                self.delete(f"tags/{name}/{tag}.json")
        self._refresh_index()

    def has_file(self, name: str) -> bool:
        """Return whether there is an object under a name below the prefix."""
        return self._head(name) is not None

    def write_file(self, name: str, source: Path, sent: Callable[[int], None]) -> None:
        """Upload a file under a name below the prefix. sent: as of `write_blob`."""
        self._write_file(name, source, source.stat().st_size, sent)

    def presigned(self, name: str, expires_s: int) -> str:
        """Return a URL from which anybody can read an object for `expires_s` seconds."""
        with self._speaking(f"sign a URL for {name}"):
            return str(
                self._client.generate_presigned_url(
                    "get_object", Params={"Bucket": self._bucket, "Key": self._key(name)}, ExpiresIn=expires_s
                )
            )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # -- objects ----------------------------------------------------------------------------------------------------

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix."""
        return [each["Key"] for each in self._listed(prefix)]

    def put(self, name: str, data: bytes, *, condition: Mapping[str, str] | None = None) -> str | None:
        """Write a small object, and return its ETag; None where it was not written, which a condition may forbid.

        A storage that knows no conditions may say so, or write all the same.
        """
        place = {"Bucket": self._bucket, "Key": self._key(name), "Body": data}
        with self._speaking(f"write {name}"):
            try:
                answer = self._client.put_object(**place, **(condition or {}))
            except ClientError as error:
                if not condition or _code(error) not in _TAKEN | _NOT_KNOWN:
                    raise
                if _code(error) in _TAKEN:
                    return None
                answer = self._client.put_object(**place)
        return str(answer.get("ETag", ""))

    def small_object(self, name: str) -> bytes | None:
        """Return what is in an object; None where there is none. Raises PodError where it is larger than what it can be."""
        data = self._get(name, _POINTER_BYTES_MAX)
        return data[0] if data is not None else None

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""
        with self._speaking(f"remove {name}"):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    # -- what counts: versions, tags, claims ------------------------------------------------------------------------

    def _versions(self) -> list[tuple[str, int]]:
        """Return every version: name and number."""
        return [
            (name, int(number))
            for each in self.keys("versions/")
            for name, number in [each.removesuffix(".json").split("/")[-2:]]
            if is_name(name) and is_number(number)
        ]

    def _pointer(self, name: str, number: int) -> Descriptor:
        """Return the descriptor of the manifest of a version."""

        def read() -> Descriptor:
            data = self._got(version_key(name, number), _POINTER_BYTES_MAX)
            if data is None:
                raise unknown_version(self.url, name, number)
            where = f"{self.url}/{version_key(name, number)}"
            return parse_descriptor(parse_json_object(data[0], where), where)

        return self._again(read)

    def _tagged_in(self, place: str, numbers: Iterable[int] = ()) -> dict[tuple[str, str], int]:
        """Return the numbers that tags stand for, by pod and tag: of all pods, or those below `place` (`NAME/`).

        numbers: those of versions. A tag whose ETag is the MD5 of what one of them would have need not be read.
        """
        known = {hashlib.md5(_tag_content(each), usedforsecurity=False).hexdigest(): each for each in numbers}
        found: dict[tuple[str, str], int | None] = {}
        for each in self._listed(f"tags/{place}"):
            name, tag = each["Key"].removesuffix(".json").split("/")[-2:]
            if is_tag(tag):
                found[name, tag] = known.get(str(each.get("ETag", "")).strip('"'))
        unread = [each for each, number in found.items() if number is None]
        found |= zip(unread, in_parallel(lambda each: self._tagged(*each), unread, PARALLEL), strict=True)
        return {each: number for each, number in found.items() if number is not None}

    def _tagged(self, name: str, tag: str) -> int | None:
        data = self.small_object(f"tags/{name}/{tag}.json")
        number = parse_json_object(data, f"{self.url}: the tag {tag}").get("version") if data is not None else None
        return number if isinstance(number, int) else None

    # -- the index ---------------------------------------------------------------------------------------------------

    def _index(self) -> tuple[Index, str]:
        """Return the index, and its ETag; an empty one where there is none, or where somebody else damaged it."""
        data = self._get(INDEX_NAME, INDEX_BYTES_MAX)
        if data is None:
            return Index(), ""
        try:
            return parse_index(data[0], f"{self.url}/{INDEX_NAME}"), data[1]
        except PodError:
            return Index(), data[1]

    def _refresh_index(self, added: tuple[str, int, Descriptor] | None = None) -> None:
        """Let the index say what is there: written, and then compared, since others may write theirs at the same time.

        added: a version that came, where nothing else has changed as far as is known: what is there is listed once then. Who
        writes the index last lists after that, and so sees the version of each who wrote before.
        """
        for _attempt in range(_INDEX_ATTEMPTS):
            index, etag = self._index()
            wanted = with_version(index, *added) if added else self._wanted_index(index)
            if differs(wanted, index):
                if not etag and self._head(LAYOUT_NAME) is None:
                    self.put(LAYOUT_NAME, LAYOUT_CONTENT)
                # Where another one has come meanwhile, that is left alone.
                if self.put(INDEX_NAME, wanted.encode(), condition=_unless_changed(etag)) is None:
                    continue
            elif added is None:
                return
            if not differs(self._wanted_index(wanted), wanted):
                return
            added = None

    def _wanted_index(self, index: Index) -> Index:
        """Return an index of the versions and tags that are there, with the entries of `index` as far as they hold."""
        known = known_versions(index)
        refs = self._versions()
        lacking = [each for each in refs if each not in known]
        pointers = in_parallel(lambda each: self._pointer_or_none(*each), lacking, PARALLEL)
        known |= {each: pointer for each, pointer in zip(lacking, pointers, strict=True) if pointer is not None}
        return index_of(
            {each: known[each] for each in refs if each in known},
            self._tagged_in("", {number for _name, number in refs}),
            index,
        )

    def _pointer_or_none(self, name: str, number: int) -> Descriptor | None:
        try:
            return self._pointer(name, number)
        except (RemoteError, PodError):  # removed meanwhile, or not ours
            return None

    # -- requests ----------------------------------------------------------------------------------------------------

    def _key(self, name: str) -> str:
        return self._start + name

    @contextmanager
    def _speaking(self, what: str) -> Iterator[None]:
        """Turn the errors of the client into ours. what: was to be done."""
        try:
            yield
        except ClientError as error:
            raise self._refusal(what, error) from error
        except NoCredentialsError as error:
            raise RemoteError(
                f"{self.url}: there are no credentials to {what} with",
                hint="`aws configure`, AWS_PROFILE, or --profile of `pod remote add`",
            ) from error
        except (HTTPClientError, IncompleteReadError, urllib3.exceptions.HTTPError, OSError) as error:
            raise RemoteUnavailableError(
                f"{self.url} does not answer: {error}", hint="is the endpoint right, and the storage running?"
            ) from error
        except BotoCoreError as error:
            raise RemoteError(f"{self.url}: {error}", hint="check the endpoint and AWS's configuration") from error

    def _refusal(self, what: str, error: ClientError) -> RemoteError:
        code, said = _code(error), str(error.response.get("Error", {}).get("Message", ""))[:300]
        text = f"{self.url}: cannot {what}: {code}{': ' + said if said and said != code else ''}"
        if code == "NoSuchBucket":
            return RemoteError(
                f"the bucket {self._bucket} does not exist there", hint=f"`aws s3 mb s3://{self._bucket}` makes it"
            )
        if code in _REFUSED:
            return RemoteError(
                text, hint="whose credentials are these? AWS_PROFILE, or --profile of `pod remote add`, chooses others"
            )
        if code in _LATER:
            return RemoteUnavailableError(text, hint="try again later")
        return RemoteError(text, hint="push it once more" if code in _ABSENT else "the storage's log may say more")

    @staticmethod
    def _again(read: Callable[[], _T]) -> _T:
        """Return what `read` returns. Some storages show objects while they are written, so half a one is read again."""
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((RemoteUnavailableError, PodError)),
            stop=tenacity.stop_after_attempt(READ_ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=0.05, max=1),
            reraise=True,
        )(read)

    def _listed(self, prefix: str) -> list[Mapping[str, Any]]:
        """Return what a list says of the objects below a prefix."""
        with self._speaking(f"list {prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._key(prefix)
            )
            return [each for page in pages for each in page.get("Contents", [])]

    def _size(self, blob: Descriptor) -> int | None:
        return self._head(blob_path(blob.digest))

    def _head(self, name: str) -> int | None:
        """Return the size of an object; None where there is none."""
        with self._speaking(f"look for {name}"):
            try:
                return int(self._client.head_object(Bucket=self._bucket, Key=self._key(name))["ContentLength"])
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise

    def _get(self, name: str, size_max: int) -> tuple[bytes, str] | None:
        """Return an object and its ETag; None where there is none. Raises PodError where it is longer than `size_max`."""
        return self._again(lambda: self._got(name, size_max))

    def _got(self, name: str, size_max: int) -> tuple[bytes, str] | None:
        with self._speaking(f"read {name}"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(name))
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
            with answer["Body"] as body:
                data = body.read(size_max + 1)
        if len(data) > size_max:
            raise damaged(f"{self.url}/{name} is longer than {size_max} bytes")
        return data, str(answer.get("ETag", ""))

    def _write_file(self, name: str, source: Path, size: int, sent: Callable[[int], None]) -> None:
        with self._speaking(f"write {name}"):
            if size > PART_BYTES:
                upload(self._client, self._bucket, self._key(name), source, size, sent)
                return
            with source.open("rb") as file:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._key(name),
                    Body=file,
                    ContentLength=size,
                    ContentType="application/octet-stream",
                )


def _tag_content(number: int) -> bytes:
    return orjson.dumps({"version": number})


def _unless_changed(etag: str) -> dict[str, str]:
    """Return the condition of a write that is to replace what has an ETag, or nothing where that is empty."""
    return {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
