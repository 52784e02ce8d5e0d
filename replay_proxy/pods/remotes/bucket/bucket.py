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
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
import tenacity
import urllib3.exceptions
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError, NoCredentialsError

from replay_proxy.errors import RemoteError, RemoteUnavailableError
from replay_proxy.pods.limits import INDEX_BYTES_MAX, MANIFEST_BYTES_MAX, PodError, damaged
from replay_proxy.pods.names import is_name, is_tag, tag_ref, version_ref
from replay_proxy.pods.oci.descriptor import (
    ARTIFACT_TYPE,
    REF_NAME,
    Descriptor,
    parse_descriptor,
    parse_json_object,
)
from replay_proxy.pods.oci.layout import (
    INDEX_NAME,
    LAYOUT_CONTENT,
    LAYOUT_NAME,
    Index,
    blob_path,
    parse_index,
)
from replay_proxy.pods.oci.parts import document_type
from replay_proxy.pods.remotes.bucket.multipart import upload
from replay_proxy.pods.remotes.numbering import NumberTakenError, take_number
from replay_proxy.pods.remotes.parallel import in_parallel
from replay_proxy.pods.remotes.remote import CHUNK_BYTES, PARALLEL, PART_BYTES, shown_annotations, unknown_version

HEADS_MAX: Final = 256
"""So many blobs are looked for one by one; for more of them, what is there is listed."""
PUSH: Final = "io.replay-proxy.pod.push"
"""Annotation of a version here: by which push it came, so that one whose answer was lost knows its own."""
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
        return sorted(self._numbers(name))

    def describe(self, versions: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], Descriptor]:
        """Return what the index says of versions, or the versions themselves where they are newer."""
        known = {each.annotations.get(REF_NAME): each for each in self._index()[0].manifests}
        lacking = [each for each in versions if version_ref(*each) not in known]
        pointers = in_parallel(lambda each: self._pointer_or_none(*each), lacking, PARALLEL)
        found = dict(zip(lacking, pointers, strict=True))
        described = {each: known.get(version_ref(*each)) or found.get(each) for each in versions}
        return {each: descriptor for each, descriptor in described.items() if descriptor is not None}

    def tags(self, name: str) -> Mapping[str, int]:
        """Return the tags of a pod."""
        keys = self._list(f"tags/{name}/")
        tags = [tag for each in keys if is_tag(tag := each.rpartition("/")[2].removesuffix(".json"))]
        found = {tag: self._tagged(name, tag) for tag in tags}
        return {tag: number for tag, number in found.items() if number is not None}

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
            there = self._sizes("blobs/sha256/")
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
        self._put(blob_path(digest), manifest)
        shown = shown_annotations(manifest)
        descriptor = Descriptor(document_type(manifest, name), digest, len(manifest), shown, ARTIFACT_TYPE)
        number = take_number(_BucketNumbers(self, name, descriptor))
        with suppress(RemoteUnavailableError):  # the version is there; the next push brings the index up to date
            self._refresh_index()
        return number

    def set_tag(self, name: str, tag: str, number: int) -> None:
        """Let a tag stand for a version."""
        self._pointer(name, number)
        self._put(f"tags/{name}/{tag}.json", orjson.dumps({"version": number}))
        self._refresh_index()

    def delete_version(self, name: str, number: int) -> None:
        """Take a version away."""
        self._pointer(name, number)
        self._put(f"removed/{name}/{number}", b"")
        self._delete(f"versions/{name}/{number}.json")
        for tag, tagged in self.tags(name).items():
            if tagged == number:
                self._delete(f"tags/{name}/{tag}.json")
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

    # -- what counts: versions, tags, claims ------------------------------------------------------------------------

    def _numbers(self, name: str) -> set[int]:
        keys = self._list(f"versions/{name}/")
        found = (each.rpartition("/")[2].removesuffix(".json") for each in keys)
        return {int(each) for each in found if each.isascii() and each.isdigit()}

    def _versions(self) -> list[tuple[str, int]]:
        """Return every version: name and number."""
        return [
            (name, int(number))
            for each in self._list("versions/")
            for name, number in [each.removesuffix(".json").split("/")[-2:]]
            if is_name(name) and number.isascii() and number.isdigit()
        ]

    def _pointer(self, name: str, number: int) -> Descriptor:
        """Return the descriptor of the manifest of a version."""

        def read() -> Descriptor:
            data = self._got(f"versions/{name}/{number}.json", _POINTER_BYTES_MAX)
            if data is None:
                raise unknown_version(self.url, name, number)
            where = f"{self.url}/versions/{name}/{number}.json"
            return parse_descriptor(parse_json_object(data[0], where), where)

        return self._again(read)

    def _tagged(self, name: str, tag: str) -> int | None:
        data = self._get(f"tags/{name}/{tag}.json", _POINTER_BYTES_MAX)
        number = parse_json_object(data[0], f"{self.url}: the tag {tag}").get("version") if data else None
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

    def _refresh_index(self) -> None:
        """Let the index say what is there: written, and looked at again, since others may write theirs at the same time."""
        if self._head(LAYOUT_NAME) is None:
            self._put(LAYOUT_NAME, LAYOUT_CONTENT)
        for _attempt in range(_INDEX_ATTEMPTS):
            index, etag = self._index()
            wanted = self._wanted_index(index)
            if [each.as_json() for each in wanted.manifests] == [each.as_json() for each in index.manifests]:
                return
            self._put_index(wanted.encode(), etag)

    def _wanted_index(self, index: Index) -> Index:
        """Return an index of the versions and tags that are there, with the entries of `index` as far as they hold."""
        known = {each.annotations.get(REF_NAME, ""): each for each in index.manifests}
        refs = self._versions()
        lacking = [each for each in refs if version_ref(*each) not in known]
        pointers = in_parallel(lambda each: self._pointer_or_none(*each), lacking, PARALLEL)
        found = dict(zip(lacking, pointers, strict=True))
        manifests: list[Descriptor] = []
        for name, number in sorted(refs):
            entry = known.get(version_ref(name, number)) or found.get((name, number))
            if entry is not None:
                shown = {key: value for key, value in entry.annotations.items() if key != PUSH}
                manifests.append(replace(entry, annotations={**shown, REF_NAME: version_ref(name, number)}))
        by_ref = {each.annotations[REF_NAME]: each for each in manifests}
        for key in sorted(self._list("tags/")):
            name, tag = key.removesuffix(".json").split("/")[-2:]
            tagged = by_ref.get(version_ref(name, self._tagged(name, tag) or 0))
            if is_tag(tag) and tagged is not None:
                manifests.append(replace(tagged, annotations={**tagged.annotations, REF_NAME: tag_ref(name, tag)}))
        return Index(manifests, index.annotations)

    def _pointer_or_none(self, name: str, number: int) -> Descriptor | None:
        try:
            return self._pointer(name, number)
        except (RemoteError, PodError):  # removed meanwhile, or not ours
            return None

    def _put_index(self, data: bytes, etag: str) -> None:
        """Replace the index that has `etag`; where another one has come meanwhile, that is left alone."""
        self._put(INDEX_NAME, data, condition={"IfMatch": etag} if etag else {"IfNoneMatch": "*"})

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

    def _list(self, prefix: str) -> list[str]:
        """Return the keys below a prefix."""
        found: list[str] = []
        with self._speaking(f"list {prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._key(prefix)
            )
            for page in pages:
                found += [each["Key"] for each in page.get("Contents", [])]
        return found

    def _sizes(self, prefix: str) -> dict[str, int]:
        found: dict[str, int] = {}
        with self._speaking(f"list {prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._key(prefix)
            )
            for page in pages:
                found |= {each["Key"].rpartition("/")[2]: each["Size"] for each in page.get("Contents", [])}
        return found

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

    def _put(self, name: str, data: bytes, *, condition: Mapping[str, str] | None = None) -> bool:
        """Write a small object. Return whether it was written, which a condition may forbid.

        A storage that knows no conditions may say so, or write all the same.
        """
        place = {"Bucket": self._bucket, "Key": self._key(name), "Body": data}
        with self._speaking(f"write {name}"):
            try:
                self._client.put_object(**place, **(condition or {}))
            except ClientError as error:
                if not condition or _code(error) not in _TAKEN | _NOT_KNOWN:
                    raise
                if _code(error) in _TAKEN:
                    return False
                self._client.put_object(**place)
        return True

    def _delete(self, name: str) -> None:
        with self._speaking(f"remove {name}"):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

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


class _BucketNumbers:
    """The numbers of one pod in a bucket. Implements `numbering.Numbers`. descriptor: of the manifest to be published."""

    def __init__(self, remote: BucketRemote, name: str, descriptor: Descriptor) -> None:
        self._remote = remote
        self._name = name
        self._push = secrets.token_hex(8)
        self._descriptor = descriptor

    def claims(self) -> Mapping[int, Collection[str]]:
        found: dict[int, set[str]] = {}
        for key in self._remote._list(f"claims/{self._name}/"):
            number, token = key.split("/")[-2:]
            if number.isascii() and number.isdigit():
                found.setdefault(int(number), set()).add(token)
        return found

    def versions(self) -> Collection[int]:
        removed = (each.rpartition("/")[2] for each in self._remote._list(f"removed/{self._name}/"))
        return self._remote._numbers(self._name) | {int(each) for each in removed if each.isascii() and each.isdigit()}

    def claim(self, number: int, token: str) -> None:
        self._remote._put(f"claims/{self._name}/{number}/{token}", b"")

    def withdraw(self, number: int, token: str) -> None:
        self._remote._delete(f"claims/{self._name}/{number}/{token}")

    def complete(self, number: int) -> None:
        annotations = {**self._descriptor.annotations, REF_NAME: version_ref(self._name, number), PUSH: self._push}
        data = orjson.dumps(replace(self._descriptor, annotations=annotations).as_json())
        name = f"versions/{self._name}/{number}.json"
        if not self._remote._put(name, data, condition={"IfNoneMatch": "*"}):
            there = self._remote._get(name, _POINTER_BYTES_MAX)
            if there is None or there[0] != data:  # else the answer to an earlier attempt was lost
                raise NumberTakenError(f"{self._name}:{number} is taken", hint="push it once more")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
