"""Which pods and versions there are, and what is in them, in the members that LocalStack's clients know. Blocking but for one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from importlib.metadata import version as installed_version
from typing import Any

from replay_proxy.control.pods.remotes import in_remote, names_remote, removed, versions_listed
from replay_proxy.control.pods.request import PodRequest
from replay_proxy.control.pods.saving import saved_state
from replay_proxy.errors import ReplayProxyError
from replay_proxy.pods.names import PodReference, check_name
from replay_proxy.pods.oci.descriptor import AUTHORS, CREATED, EMULATOR, MESSAGE, SERVICES
from replay_proxy.pods.remotes.remote import Remote
from replay_proxy.pods.state.unpack import metamodel_in
from replay_proxy.pods.store import PodStore, Version


def listed_pods(store: PodStore) -> dict[str, Any]:
    """Return the pods of a store."""
    pods = [
        {
            "pod_name": each.name,
            "max_version": each.number,
            "last_change": _seconds(each.annotations.get(CREATED, "")),
        }
        for each in store.latest()
    ]
    return {"cloudpods": pods}


def remove(store: PodStore, name: str, told: Mapping[str, Any]) -> None:
    """Remove all versions of a pod, here or in the remote that the body names."""
    if names_remote(told):
        in_remote(store, told, lambda remote: removed(remote, name))
    else:
        store.remove(PodReference(check_name(name)))


def versions(store: PodStore, name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the versions of a pod, here or in the remote that the body names."""

    def there(remote: Remote) -> dict[str, Any]:
        return versions_listed(remote, name, lambda version: _version_document(version, store))

    found = in_remote(store, told, there)
    if found is not None:
        return found
    store.find(PodReference(check_name(name)))
    documents = [_version_document(each, store) for each in store.versions(name)]
    return {"versions": documents, "remote_url": store.root.resolve().as_uri()}


def shown(request: PodRequest, name: str) -> dict[str, Any]:
    """Return what is to be said of one version."""
    store = request.store
    version = store.find(request.reference(name))
    return {
        "pod_name": version.name,
        **_version_document(version, store),
        "max_version": store.find(PodReference(version.name)).number,
    }


async def metamodel(request: PodRequest) -> dict[str, Any]:
    """Return the resources of the state, in the shape that LocalStack's clients print: account, service, region."""
    with ExitStack() as stack:
        layout, version = await saved_state(request, stack)
        document = await asyncio.to_thread(
            lambda: metamodel_in(layout, layout.manifest(version.descriptor), "the state")
        )
    found: dict[str, Any] = {}
    resources = document.get("resources", [])
    for each in resources if isinstance(resources, list) else ():
        place = found.setdefault(each["account"] or "000000000000", {}).setdefault(each["service"], {})
        place.setdefault(each["region"] or "global", {}).setdefault(each["type"], []).append(each)
    return found


def environment() -> dict[str, Any]:
    """Return which program this is."""
    return {"localstack_version": f"replay-proxy {installed_version('replay-proxy')}", "pro": False}


def _version_document(version: Version, store: PodStore) -> dict[str, Any]:
    said = version.annotations
    size = 0
    with suppress(ReplayProxyError):
        size = store.manifest(version).size
    return {
        "version": version.number,
        "created_at": int(_seconds(said.get(CREATED, ""))),
        "description": said.get(MESSAGE, ""),
        "localstack_version": said.get(EMULATOR, ""),
        "services": [each for each in said.get(SERVICES, "").split(",") if each],
        "storage_size": size,
        "user": said.get(AUTHORS, ""),
        "digest": version.digest,
        "tags": list(version.tags),
    }


def _seconds(created: str) -> float:
    with suppress(ValueError):
        return datetime.fromisoformat(created).timestamp()
    return 0.0
