"""Small versions of pods, made without an emulator."""

from __future__ import annotations

from io import BytesIO

from replay_proxy.pods.archive import write_archive
from replay_proxy.pods.oci.descriptor import (
    BODY_TYPE,
    CONFIG_TYPE,
    CREATED,
    EMPTY_CONFIG,
    FORMAT_VERSION_KEY,
    MESSAGE,
    TITLE,
)
from replay_proxy.pods.oci.manifest import Manifest
from replay_proxy.pods.store import PodStore, Version


def saved(store: PodStore, name: str, *bodies: bytes, message: str = "") -> Version:
    """Add a version whose layers are `bodies`."""
    layout = store.layout
    with layout.writing():
        layout.put(EMPTY_CONFIG, CONFIG_TYPE)
        layers = tuple(layout.put(each, BODY_TYPE) for each in bodies)
        annotations = {FORMAT_VERSION_KEY: "1", TITLE: name, CREATED: "2026-01-31T00:00:00Z", MESSAGE: message}
        return store.add(name, Manifest(layers, annotations))


def file_of(store: PodStore, version: Version) -> bytes:
    """Return the pod file of a version."""
    file = BytesIO()
    write_archive(store.layout, version, file)
    return file.getvalue()
