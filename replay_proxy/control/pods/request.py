"""What one request about pods asks, and the store that it is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson

from replay_proxy.config import Settings
from replay_proxy.errors import UsageError
from replay_proxy.pods.limits import Limits
from replay_proxy.pods.names import PodReference, parse_reference
from replay_proxy.pods.places import pods_dir_of
from replay_proxy.pods.store import PodStore
from replay_proxy.proxy.http.streams import Incoming, collect
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.proxy.lifecycle.restoring.requested_pods import SCRATCH_PREFIX, RequestedPods

_REQUEST_BYTES_MAX: Final = 1 << 20


class PodRequest:
    """One request. pods: saves and loads. store: that of the proxy. asked: the query, the last value of each name."""

    def __init__(self, proxy: Proxy, pods: RequestedPods, incoming: Incoming, asked: Mapping[str, str]) -> None:
        self.proxy = proxy
        self.pods = pods
        self.incoming = incoming
        self.asked = asked
        self.limits = _limits_of(proxy.settings)
        self.store = PodStore(pods_dir_of(proxy.settings), self.limits)

    def switch(self, name: str) -> bool:
        """Return whether the query switches something on."""
        return self.asked.get(name, "") in ("1", "true")

    def reference(self, name: str) -> PodReference:
        """Return the version that the path and the query name. Raises UsageError."""
        version = self.asked.get("version", "")
        return parse_reference(f"{name}:{version}" if version and ":" not in name else name)

    async def told(self) -> dict[str, Any]:
        """Return the JSON object in the body; an empty one where there is none. Raises UsageError."""
        if self.incoming.body is None:
            return {}
        data, rest = await collect(self.incoming.body, _REQUEST_BYTES_MAX)
        if rest is not None:
            raise UsageError("the body is too long", hint="a JSON object, as in {}")
        try:
            found = orjson.loads(data) if data.strip() else {}
        except orjson.JSONDecodeError as error:
            raise UsageError(f"the body is no JSON: {error}", hint="send a JSON object, as in {}") from error
        if found is not None and not isinstance(found, dict):
            raise UsageError("the body is no JSON object", hint="send a JSON object, as in {}")
        return found or {}

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Make a folder beside the recording, where large bodies have room, and remove it at the end. Raises OSError."""
        root = self.proxy.settings.data_dir if not self.proxy.settings.read_only else None
        with TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=root, ignore_cleanup_errors=True) as folder:
            yield Path(folder)


def _limits_of(settings: Settings) -> Limits:
    """Return how large what others made may be."""
    return Limits(settings.pod_max_layers, settings.pod_max_size, settings.pod_max_ratio)
