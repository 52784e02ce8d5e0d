"""Remotes of pods by LocalStack's endpoints: their names, and the `remote` that a request about pods may carry in its body.

Over HTTP a remote is a registry or a bucket: whoever reaches the proxy must not choose folders that it writes to. Folders are
added at the command line, and then known here by their names. Everything here is blocking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from replay_proxy.errors import UsageError
from replay_proxy.pods.names import PodReference, check_name
from replay_proxy.pods.remotes.encrypted import fetch
from replay_proxy.pods.remotes.location import RemoteLocation, checked_location, looks_like_location, open_remote
from replay_proxy.pods.remotes.remote import Remote, unknown_version
from replay_proxy.pods.remotes.remotes_file import RemotesFile
from replay_proxy.pods.remotes.transfer import find_number, push
from replay_proxy.pods.store import PodStore, Version

REMOTE_ENDPOINTS: Final = {
    "GET /_localstack/pods/remotes": "the remotes that are known by name",
    "GET /_localstack/pods/remotes/<name>": "one remote",
    "POST /_localstack/pods/remotes/<name>": 'give a remote a name: {"remote_url": "s3://… or oci://…"}',
    "DELETE /_localstack/pods/remotes/<name>": "forget a name; the pods there stay",
}
"""The endpoints of this module, with their meanings."""
_ASKED: Final = (
    "the passphrase of a version that is encrypted can be given at the command line: `replay-proxy pod pull`"
)
_T = TypeVar("_T")


def remotes_answer(store: PodStore, method: str, parts: list[str], told: Mapping[str, Any]) -> dict[str, Any] | None:
    """Answer a request about the names of remotes; None where there is no such endpoint. told: the body.

    Raises:
        UsageError: the name is taken or unknown, or the URL is none that can be used here.
    """
    file = RemotesFile(store.root)
    match method, parts:
        case "GET", []:
            return {"remotes": [_document(name, each) for name, each in file.all().items()]}
        case "GET", [name]:
            return _document(name, _named(file, name))
        case "POST", [name]:
            location = _location(str(told.get("remote_url") or ""))
            open_remote(location, store.layout.limits).close()
            return _document(name, file.add(name, location))
        case "DELETE", [name]:
            file.remove(name)
            return {"status": "ok"}
    return None


def in_remote(store: PodStore, told: Mapping[str, Any], act: Callable[[Remote], _T]) -> _T | None:
    """Return what `act` returns for the remote that a body names; None where it names none.

    Raises:
        UsageError: there is no such remote. RemoteError, PodError, StorageError.
    """
    with _remote_of(store, told) as remote:
        return None if remote is None else act(remote)


def names_remote(told: Mapping[str, Any]) -> bool:
    """Return whether a body names a remote."""
    return bool(_remote_text(told))


def pushed(store: PodStore, version: Version, remote: Remote) -> dict[str, Any]:
    """Push a version, and return what that gave."""
    data = store.layout.manifest_bytes(version.descriptor)
    moved = push(store.layout, version.name, data, remote)
    return {"remote_version": moved.number, "remote_url": remote.url, "transferred_bytes": moved.moved_bytes}


def pulled(store: PodStore, reference: PodReference, remote: Remote) -> Version:
    """Pull the version that a reference means, and return it as it is in the store."""
    return fetch(store, reference.name, find_number(remote, reference), remote, _no_passphrase)[0]


def listed(remote: Remote) -> dict[str, Any]:
    """Return the pods of a remote, as LocalStack's clients print them."""
    return {
        "cloudpods": [
            {"pod_name": name, "max_version": numbers[-1], "last_change": 0.0}
            for name, numbers in sorted(remote.catalogue().items())
        ]
    }


def versions_listed(remote: Remote, name: str, shown: Callable[[Version], dict[str, Any]]) -> dict[str, Any]:
    """Return the versions of a pod in a remote. shown: one version as a document."""
    numbers = remote.numbers(check_name(name))
    if not numbers:
        raise unknown_version(remote.url, name)
    described = remote.describe([(name, number) for number in reversed(numbers)])
    found = [
        shown(Version(name, number, described[name, number])) if (name, number) in described else {"version": number}
        for number in numbers
    ]
    return {"versions": found, "remote_url": remote.url}


def removed(remote: Remote, name: str) -> None:
    """Remove all versions of a pod from a remote."""
    numbers = remote.numbers(check_name(name))
    if not numbers:
        raise unknown_version(remote.url, name)
    for number in numbers:
        remote.delete_version(name, number)


def _no_passphrase() -> str:
    raise UsageError("this version is encrypted", hint=_ASKED)


@contextmanager
def _remote_of(store: PodStore, told: Mapping[str, Any]) -> Iterator[Remote | None]:
    text = _remote_text(told)
    if not text:
        yield None
        return
    file = RemotesFile(store.root)
    location = _location(text) if looks_like_location(text) else _named(file, text)
    remote = open_remote(location, store.layout.limits)
    try:
        yield remote
    finally:
        remote.close()


def _remote_text(told: Mapping[str, Any]) -> str:
    """Return the name or the URL of the remote in a body: a text, or an object with its name or its URL."""
    remote = told.get("remote")
    if isinstance(remote, Mapping):
        remote = remote.get("remote_name") or remote.get("name") or remote.get("remote_url") or remote.get("url")
    return remote if isinstance(remote, str) else ""


def _location(url: str) -> RemoteLocation:
    """Return the location of a registry or a bucket. Raises UsageError for others."""
    scheme, _colon, rest = url.partition("://")
    if scheme == "oras":  # as LocalStack's own remotes are written
        url = f"oci://{rest}"
    elif scheme not in ("oci", "s3"):
        raise UsageError(
            f"{url[:100]!r} cannot be used over HTTP",
            hint="write s3://BUCKET/PREFIX or oci://REGISTRY/REPOSITORY; folders are added by `replay-proxy pod remote add`",
        )
    return checked_location(RemoteLocation(url))


def _named(file: RemotesFile, name: str) -> RemoteLocation:
    if looks_like_location(name):
        raise UsageError(f"{name!r} is no name of a remote", hint="letters, digits, `-`, `_` and `.`")
    return file.find(name)


def _document(name: str, location: RemoteLocation) -> dict[str, Any]:
    return {"name": name, "protocols": [location.kind], "url": location.url}
