"""An OCI registry as a remote: one repository holds any number of pods.

    NAME-NUMBER                     a version (what `docker` calls a tag)
    _tag<LENGTH>-NAME-TAG           a tag of a pod; LENGTH is that of NAME
    _claim<LENGTH>-NAME-NUMBER-TOKEN      a claim on a number (`numbering`); its manifest is empty
    _withdrawn<LENGTH>-NAME-NUMBER-TOKEN  where the registry deletes nothing: that claim does not count
    _removed<LENGTH>-NAME-NUMBER    a version that was removed: its number is not given again

A manifest is put there by its digest first, when all its blobs are there, and then gets its number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import orjson
import requests
from urllib3.exceptions import HTTPError

from replay_proxy.errors import RemoteError, RemoteUnavailableError
from replay_proxy.pods.limits import MANIFEST_BYTES_MAX, damaged
from replay_proxy.pods.names import parse_version_ref, version_ref
from replay_proxy.pods.oci.descriptor import (
    DOCUMENT_TYPES,
    EMPTY_CONFIG,
    EMPTY_DIGEST,
    EMPTY_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    parse_descriptor,
    parse_json_object,
)
from replay_proxy.pods.oci.parts import document_type
from replay_proxy.pods.remotes.file_part import FilePart
from replay_proxy.pods.remotes.numbering import take_number
from replay_proxy.pods.remotes.parallel import in_parallel
from replay_proxy.pods.remotes.registry.registry_session import RegistrySession
from replay_proxy.pods.remotes.remote import CHUNK_BYTES, PARALLEL, PART_BYTES, shown_annotations, unknown_version

CLAIM_TYPE: Final = "application/vnd.replay-proxy.pod.claim.v1+json"
TAG_PAGE: Final = 1000
ATTEMPTS: Final = 5
DESCRIBED_MAX: Final = 25
"""So many manifests are read to say something of versions; of the others their numbers are told."""
_NAMED: Final = 10
_DESCRIBED_BYTES_MAX: Final = 1 << 20
_ACCEPT: Final = {"Accept": ", ".join(DOCUMENT_TYPES)}
_OCTETS: Final = {"Content-Type": "application/octet-stream"}


class RegistryRemote:
    """A repository of a registry. Implements `Remote`."""

    keeps_parts_whole = True

    def __init__(self, session: RegistrySession) -> None:
        self._session = session
        self.url = session.shown

    def catalogue(self) -> Mapping[str, list[int]]:
        """Return the numbers of all versions by the names of their pods."""
        found: dict[str, list[int]] = {}
        for name, number in sorted(each for tag in self._tags() if (each := parse_version_ref(tag))):
            found.setdefault(name, []).append(number)
        return found

    def numbers(self, name: str) -> list[int]:
        """Return the numbers of a pod's versions."""
        return sorted(self._numbers(name))

    def describe(self, versions: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], Descriptor]:
        """Return what the manifests of the first few say, where they are no large ones: a registry has no list of that."""
        first = versions[:DESCRIBED_MAX]
        found = in_parallel(lambda each: self._described(version_ref(*each)), first, PARALLEL)
        return {key: descriptor for key, descriptor in zip(first, found, strict=True) if descriptor is not None}

    def tags(self, name: str) -> Mapping[str, int]:
        """Return the tags of a pod: those that stand for the manifest of a version that is there."""
        tags = _marks(self._tags(), "tag", name)
        if not tags:
            return {}
        wanted = {tag: self._digest(_mark("tag", name, tag)) for tag in tags}
        found: dict[str, int] = {}
        for number in sorted(self._numbers(name), reverse=True):
            digest = self._digest(version_ref(name, number))
            found |= {tag: number for tag, theirs in wanted.items() if theirs == digest and tag not in found}
            if len(found) == len(wanted):
                break
        return found

    def read_manifest(self, name: str, number: int) -> bytes:
        """Return the manifest of a version."""
        manifest = self._manifest(version_ref(name, number))
        if manifest is None:
            raise unknown_version(self.url, name, number)
        return manifest

    def missing(self, blobs: Iterable[Descriptor], name: str) -> list[Descriptor]:
        """Return the blobs that the repository lacks. Those of the newest version are there: a registry sees to that."""
        wanted = list(blobs)
        numbers = self._numbers(name) if len(wanted) > PARALLEL else set()
        known = self._named_by(name, max(numbers)) if numbers else frozenset()
        doubtful = [each for each in wanted if (each.digest, each.size) not in known]
        there = in_parallel(self._has, doubtful, PARALLEL)
        return [each for each, has in zip(doubtful, there, strict=True) if not has]

    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes of a blob."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        if blob.media_type == MANIFEST_TYPE:  # the manifest of a part
            data = self._manifest(blob.digest)
            if data is None:
                raise RemoteError(f"{self.url} does not hold {blob.digest}", hint="push the pod there once more")
            yield data[start:]
            return
        answer = self._session.send("GET", f"blobs/{blob.digest}", headers=headers, stream=True, expected=(200, 206))
        with answer:
            skip = start if answer.status_code == 200 else 0
            try:
                while chunk := answer.raw.read(CHUNK_BYTES, decode_content=False):
                    yield from [chunk[skip:]] if skip < len(chunk) else []
                    skip = max(0, skip - len(chunk))
            except (requests.exceptions.RequestException, HTTPError, OSError) as error:
                raise RemoteUnavailableError(
                    f"{self.url} broke off while {blob.digest} was read: {error}", hint="try again"
                ) from error

    def write_blob(self, blob: Descriptor, source: Path, sent: Callable[[int], None]) -> None:
        """Upload a blob: a small one as a whole, a large one in parts, each of which is repeated from where it broke off."""
        if blob.media_type == MANIFEST_TYPE:
            self._put_manifest(blob.digest, source.read_bytes())
            return
        if blob.size <= PART_BYTES:
            self._finish_upload(self._begin_upload(), blob, lambda: FilePart(source, 0, blob.size))
            return
        place, offset, failures = self._begin_upload(), 0, 0
        while offset < blob.size:
            length = min(PART_BYTES, blob.size - offset)
            headers = {**_OCTETS, "Content-Range": f"{offset}-{offset + length - 1}", "Content-Length": str(length)}
            try:
                answer = self._session.send(
                    "PATCH",
                    place,
                    headers=headers,
                    body=lambda offset=offset, length=length: FilePart(source, offset, length),  # type: ignore[misc]
                    expected=(202, 201, 204, 404, 405, 416),
                    once=True,
                )
            except RemoteUnavailableError:
                failures += 1
                if failures >= ATTEMPTS:
                    raise
                place, offset = self._resumed(place)
                continue
            if answer.status_code == 416 and failures < ATTEMPTS:
                failures += 1
                place, offset = self._resumed(place)
            elif answer.status_code in (404, 405, 416):  # it takes no parts
                self._finish_upload(self._begin_upload(), blob, lambda: FilePart(source, 0, blob.size))
                return
            else:
                place, offset = self._location(answer, place), offset + length
                sent(length)
        self._finish_upload(place, blob, None)

    def pushing(self) -> AbstractContextManager[None]:
        """Open nothing: a registry keeps blobs for hours before it removes what no manifest names."""
        return nullcontext()

    def publish(self, name: str, manifest: bytes) -> int:
        """Put the manifest there by its digest, and give it the next free number."""
        digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
        self._put_manifest(digest, manifest)
        return take_number(_RegistryNumbers(self, name, manifest))

    def set_tag(self, name: str, tag: str, number: int) -> None:
        """Let a tag stand for a version."""
        self._put_manifest(_mark("tag", name, tag), self.read_manifest(name, number))

    def delete_version(self, name: str, number: int) -> None:
        """Take the tag of a version away; where the registry deletes by digest only, the manifest, if no other version has it."""
        ref = version_ref(name, number)
        digest = self._digest(ref)
        if not digest:
            raise unknown_version(self.url, name, number)
        self._put_manifest(_mark("removed", name, str(number)), _claim_manifest(f"removed {name} {number}"))
        if self._delete(ref):
            return
        tagged = [(found, each) for each in self._tags() if each != ref and (found := parse_version_ref(each))]
        digests = in_parallel(self._digest, (tag for _found, tag in tagged), PARALLEL)
        others = sorted(found for (found, _tag), its in zip(tagged, digests, strict=True) if its == digest)
        if others:
            named = ", ".join(f"{name}:{number}" for name, number in others[:_NAMED])
            more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
            have = "has" if len(others) == 1 else "have"
            raise RemoteError(
                f"{self.url} cannot delete {name}:{number} alone: {named}{more} {have} the same manifest",
                hint="this registry deletes manifests, and no tags alone: its own tools remove them all at once, by "
                f"the digest {digest}",
            )
        if not self._delete(digest):
            raise RemoteError(f"{self.url} deletes nothing", hint="allow it in the registry's configuration")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    # what a registry is asked

    def _tags(self) -> list[str]:
        """Return every tag of the repository; none where there is no such repository yet."""
        found: list[str] = []
        url = f"tags/list?n={TAG_PAGE}"
        while url:
            answer = self._session.send("GET", url, expected=(200, 404))
            if answer.status_code == 404:
                return []
            page = parse_json_object(answer.content, f"the list of tags of {self.url}").get("tags") or []
            found += [each for each in page if isinstance(each, str)]
            following = answer.links.get("next", {}).get("url", "")
            url = urljoin(answer.url, following) if following and page else ""
        return found

    def _numbers(self, name: str) -> set[int]:
        return _numbers(self._tags(), name)

    def _digest(self, reference: str) -> str:
        """Return the digest of a manifest; empty where there is none."""
        answer = self._session.send("HEAD", f"manifests/{reference}", headers=_ACCEPT, expected=(200, 404))
        if answer.status_code == 404:
            return ""
        given = answer.headers.get("Docker-Content-Digest", "")
        return given or "sha256:" + hashlib.sha256(self._manifest(reference) or b"").hexdigest()

    def _described(self, reference: str) -> Descriptor | None:
        """Return the descriptor of a manifest, with what it says of itself; None for a large one, and where there is none."""
        answer = self._session.send("GET", f"manifests/{reference}", headers=_ACCEPT, stream=True, expected=(200, 404))
        with answer:
            if answer.status_code == 404 or int(answer.headers.get("Content-Length") or 0) > _DESCRIBED_BYTES_MAX:
                return None
            manifest = self._received(answer, reference)
        digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
        return Descriptor(document_type(manifest, reference), digest, len(manifest), shown_annotations(manifest))

    def _manifest(self, reference: str) -> bytes | None:
        answer = self._session.send("GET", f"manifests/{reference}", headers=_ACCEPT, stream=True, expected=(200, 404))
        with answer:
            return None if answer.status_code == 404 else self._received(answer, reference)

    def _received(self, answer: Any, reference: str) -> bytes:
        """Return the manifest in an answer, with the digest verified that the registry gives for it."""
        data = bytearray()
        for chunk in answer.iter_content(CHUNK_BYTES):
            data += chunk
            if len(data) > MANIFEST_BYTES_MAX:
                raise damaged(f"the manifest of {reference} in {self.url} is larger than {MANIFEST_BYTES_MAX} bytes")
        given = answer.headers.get("Docker-Content-Digest", "")
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if given.startswith("sha256:") and given != digest:
            raise damaged(f"the manifest of {reference} in {self.url} has not the digest {given}")
        return bytes(data)

    def _put_manifest(self, reference: str, manifest: bytes) -> None:
        # While others upload a blob that this manifest names, some registries do not find it for a moment.
        self._session.send(
            "PUT",
            f"manifests/{reference}",
            headers={"Content-Type": document_type(manifest, reference)},
            body=manifest,
            expected=(200, 201, 202),
            later=(400, 404),
        )

    def _named_by(self, name: str, number: int) -> frozenset[tuple[str, int]]:
        """Return the blobs, or the parts, that the document of a version names; nothing where it cannot be read."""
        manifest = self._manifest(version_ref(name, number))
        try:
            document = parse_json_object(manifest or b"", "the newest version")
            named = [*document.get("layers", []), *document.get("manifests", [])]
            layers = [parse_descriptor(each, "the newest version") for each in named]
        except (RemoteError, TypeError, ValueError):
            return frozenset()
        return frozenset((each.digest, each.size) for each in layers)

    def _has(self, blob: Descriptor) -> bool:
        if blob.media_type == MANIFEST_TYPE:
            return self._digest(blob.digest) == blob.digest
        answer = self._session.send("HEAD", f"blobs/{blob.digest}", expected=(200, 404))
        return answer.status_code == 200 and answer.headers.get("Content-Length", str(blob.size)) == str(blob.size)

    def _begin_upload(self) -> str:
        answer = self._session.send("POST", "blobs/uploads/", headers={"Content-Length": "0"}, expected=(202,))
        return self._location(answer, "")

    def _location(self, answer: Any, otherwise: str) -> str:
        place = answer.headers.get("Location", otherwise)
        if not place:
            raise RemoteError(f"{self.url} does not say where to upload to", hint="is it an OCI registry?")
        return urljoin(str(answer.url), str(place))

    def _resumed(self, place: str) -> tuple[str, int]:
        """Return where an upload goes on that broke off, and from which byte."""
        answer = self._session.send("GET", place, expected=(204, 202, 404))
        if answer.status_code == 404:
            return self._begin_upload(), 0
        last = answer.headers.get("Range", "").rpartition("-")[2]
        # An empty upload is told as `0-0`, too: one byte less than there may be is sent again from the beginning.
        return self._location(answer, place), int(last) + 1 if last.isdigit() and int(last) > 0 else 0

    def _finish_upload(self, place: str, blob: Descriptor, body: Any) -> None:
        parts = urlsplit(place)
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("digest", blob.digest)])
        url = urlunsplit(parts._replace(query=query))
        headers = {**_OCTETS, "Content-Length": str(blob.size if body else 0)}
        self._session.send("PUT", url, headers=headers, body=body, expected=(201, 204), once=True)

    def _delete(self, reference: str) -> bool:
        """Delete a tag, or a manifest by its digest; False where the registry does not."""
        answer = self._session.send(
            "DELETE", f"manifests/{reference}", expected=(200, 202, 204, 400, 403, 404, 405, 501)
        )
        return answer.status_code in (200, 202, 204)


class _RegistryNumbers:
    """The numbers of one pod in a repository. Implements `numbering.Numbers`."""

    def __init__(self, remote: RegistryRemote, name: str, manifest: bytes) -> None:
        self._remote = remote
        self._name = name
        self._manifest = manifest

    def highest(self) -> int:
        claimed = self._claims(self._remote._tags())
        tags = self._remote._tags()
        removed = (int(each) for each in _marks(tags, "removed", self._name) if each.isdigit())
        return max((*claimed, *_numbers(tags, self._name), *removed), default=0)

    def claimants(self, number: int) -> Collection[str]:
        return self._claims(self._remote._tags()).get(number, set())

    def is_taken(self, number: int) -> bool:
        marks = (version_ref(self._name, number), _mark("removed", self._name, str(number)))
        return any(self._remote._digest(each) for each in marks)

    def _claims(self, tags: list[str]) -> Mapping[int, set[str]]:
        withdrawn = set(_marks(tags, "withdrawn", self._name))
        found: dict[int, set[str]] = {}
        for mark in _marks(tags, "claim", self._name):
            number, _hyphen, token = mark.partition("-")
            if number.isdigit() and mark not in withdrawn:
                found.setdefault(int(number), set()).add(token)
        return found

    def claim(self, number: int, token: str) -> None:
        self._remote._put_manifest(_mark("claim", self._name, f"{number}-{token}"), _claim_manifest(token))

    def withdraw(self, number: int, token: str) -> None:
        mark = f"{number}-{token}"
        digest = "sha256:" + hashlib.sha256(_claim_manifest(token)).hexdigest()
        if not self._remote._delete(_mark("claim", self._name, mark)) and not self._remote._delete(digest):
            self._remote._put_manifest(_mark("withdrawn", self._name, mark), _claim_manifest(token))

    def complete(self, number: int) -> None:
        self._remote._put_manifest(version_ref(self._name, number), self._manifest)


def _numbers(tags: Iterable[str], name: str) -> set[int]:
    return {found[1] for tag in tags if (found := parse_version_ref(tag)) and found[0] == name}


def _marks(tags: Iterable[str], kind: str, name: str) -> list[str]:
    """Return what follows the name in the marks of one kind: tags, claims, withdrawn claims, removed versions."""
    start = _mark(kind, name, "")
    return [tag[len(start) :] for tag in tags if tag.startswith(start)]


def _mark(kind: str, name: str, rest: str) -> str:
    return f"_{kind}{len(name)}-{name}-{rest}"


def _claim_manifest(token: str) -> bytes:
    """Return a manifest of nothing, unlike all others, so that deleting it deletes no other."""
    return orjson.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": CLAIM_TYPE,
            "config": Descriptor(EMPTY_TYPE, EMPTY_DIGEST, len(EMPTY_CONFIG)).as_json(),
            "layers": [Descriptor(EMPTY_TYPE, EMPTY_DIGEST, len(EMPTY_CONFIG)).as_json()],
            "annotations": {"io.replay-proxy.pod.claim": token},
        }
    )
