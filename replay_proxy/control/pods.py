"""The endpoints of pods: our own, by which the command line saves and loads; and those of LocalStack's published document.

Our own carry the version with them, as the file that `pod save FILE` writes: the store is that of whoever asks.

- `POST /_replay/pods/save` answers with that file, and says in `X-Replay-Report` what is in it (JSON).
- `POST /_replay/pods/load` takes it, and answers with events, a line of JSON each; the last is the completion.

LocalStack's (`/_localstack/pods…`) use the store of the proxy. Saves and loads answer with events, too: whatever goes wrong is
told by the completion, since the clients of that document look there.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import parse_qs, unquote

import orjson

from replay_proxy.config import Settings
from replay_proxy.control.answers import failure_of, json_answer, problem, status_of_error
from replay_proxy.control.doctor.before_save import check_before_save
from replay_proxy.control.doctor.examiner_process import deletion
from replay_proxy.control.pod_remotes import (
    REMOTE_ENDPOINTS,
    in_remote,
    listed,
    names_remote,
    pulled,
    pushed,
    remotes_answer,
    removed,
    versions_listed,
)
from replay_proxy.errors import ReplayProxyError, UsageError
from replay_proxy.exchange import Headers
from replay_proxy.pods.archive import read_archive, write_archive
from replay_proxy.pods.limits import Limits
from replay_proxy.pods.merge.strategies import MergeStrategy
from replay_proxy.pods.names import PodReference, check_name, parse_reference
from replay_proxy.pods.oci.descriptor import AUTHORS, CREATED, EMULATOR, MESSAGE, SERVICES
from replay_proxy.pods.oci.layout import Layout
from replay_proxy.pods.places import pods_dir_of
from replay_proxy.pods.remotes.remote import Remote
from replay_proxy.pods.state.save_request import SaveReport, SaveRequest
from replay_proxy.pods.state.unpack import metamodel_in
from replay_proxy.pods.store import PodStore, Version
from replay_proxy.proxy.http.streams import Incoming, Outgoing, collect
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.proxy.lifecycle.restoring.requested_pods import Loaded
from replay_proxy.wire.models.service_names import services_in

OWN: Final = "/_replay/pods/"
LOCALSTACK: Final = "/_localstack/pods"
REPORT_FIELD: Final = "X-Replay-Report"
_REQUEST_BYTES_MAX: Final = 1 << 20
_REPORT_BYTES_MAX: Final = 16 << 10
_CHUNK: Final = 1 << 20
_EVENTS: Final = Headers((("Content-Type", "application/x-ndjson"), ("Cache-Control", "no-store")))
_ARCHIVE: Final = "application/vnd.replay-proxy.pod.archive+tar"
_Work = Callable[[Callable[[dict[str, Any]], None]], Awaitable[dict[str, Any]]]

POD_ENDPOINTS: Final = {
    "POST /_replay/pods/save": "the state as a pod file; ?name=, ?message=, ?author=, ?services=, ?redact=1, ?parent=, "
    "?strict=1, ?check=0",
    "POST /_replay/pods/load": "load the pod file in the body: one JSON line for each service, then the completion; ?merge=, "
    "?dry_run=1",
    "GET /_localstack/pods": "the pods in the store of the proxy",
    "POST /_localstack/pods": "load the pod file in the body; ?merge=",
    "GET /_localstack/pods/<name>": "what the latest version of a pod holds",
    "POST /_localstack/pods/<name>": "save the state as the next version of a pod; ?strict=1, ?check=0",
    "PUT /_localstack/pods/<name>": "load a pod; ?version=, ?merge=",
    "DELETE /_localstack/pods/<name>": "remove a pod with all its versions",
    "GET /_localstack/pods/<name>/versions": "the versions of a pod",
    "GET /_localstack/pods/state": "the state as a pod file; ?pod_name=, ?services=, ?strict=1, ?check=0",
    "GET /_localstack/pods/state/metamodel": "the resources of the state, by service",
    "GET /_localstack/pods/environment": "which program this is, in the members that clients know",
    **REMOTE_ENDPOINTS,
}
"""The endpoints of this module, with their meanings."""


async def pods_answer(proxy: Proxy, incoming: Incoming) -> Outgoing | None:
    """Answer a request below `OWN` or `LOCALSTACK`; None where there is no such endpoint."""
    path, _mark, query = incoming.target.partition("?")
    asked = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    if path.startswith(OWN):
        parts = ["own", *path.removeprefix(OWN).split("/")]
    else:
        parts = [unquote(part) for part in path.removeprefix(LOCALSTACK).strip("/").split("/") if part]
    try:
        if proxy.requested_pods is None:
            return problem(
                409, "nothing is recorded here, so there is nothing to save or load", "start with PERSISTENCE=1"
            )
        return await _Pods(proxy, incoming, asked).answer(incoming.method, parts)
    except Exception as error:
        return problem(status_of_error(error), *failure_of(error))


class _Pods:
    """One request about pods."""

    def __init__(self, proxy: Proxy, incoming: Incoming, asked: Mapping[str, str]) -> None:
        assert proxy.requested_pods is not None
        self._proxy = proxy
        self._pods = proxy.requested_pods
        self._incoming = incoming
        self._asked = asked
        self._recorded = proxy.engine.policy.counters.recorded
        self._store = PodStore(pods_dir_of(proxy.settings), limits_of(proxy.settings))

    async def answer(self, method: str, parts: list[str]) -> Outgoing | None:
        match method, parts:
            case "POST", ["own", "save"]:
                return await self._saved_file(self._request(self._asked.get("name") or "state"))
            case "POST", ["own", "load"]:
                return await self._load_body()
            case "GET", []:
                told = await self._json_body()
                there = await asyncio.to_thread(in_remote, self._store, told, listed)
                return json_answer(await asyncio.to_thread(self._list) if there is None else there)
            case "POST", []:
                return await self._load_body()
            case "GET", ["state"]:
                return await self._saved_file(self._request(self._asked.get("pod_name") or "state"))
            case "GET", ["state", "metamodel"]:
                return await self._metamodel()
            case "GET", ["environment"]:
                return json_answer(_environment())
            case _, ["remotes", *rest]:
                told = await self._json_body()
                content = await asyncio.to_thread(remotes_answer, self._store, method, rest, told)
                return None if content is None else json_answer(content)
            case _, ["state" | "environment", *_]:
                return None
            case "GET", [name, "versions"]:
                return json_answer(await self._versions(name, await self._json_body()))
            case "GET", [name]:
                return json_answer(await asyncio.to_thread(self._shown, name))
            case "POST", [name]:
                return await self._save(name)
            case "PUT", [name]:
                return await self._load(name)
            case "DELETE", [name]:
                await asyncio.to_thread(self._remove, name, await self._json_body())
                return json_answer({"status": "ok"})
        return None

    # -- looking ---------------------------------------------------------------------------------------------------

    def _list(self) -> dict[str, Any]:
        pods = [
            {
                "pod_name": each.name,
                "max_version": each.number,
                "last_change": _seconds(each.annotations.get(CREATED, "")),
            }
            for each in self._store.latest()
        ]
        return {"cloudpods": pods}

    def _remove(self, name: str, told: Mapping[str, Any]) -> None:
        if names_remote(told):
            in_remote(self._store, told, lambda remote: removed(remote, name))
        else:
            self._store.remove(PodReference(check_name(name)))

    async def _versions(self, name: str, told: Mapping[str, Any]) -> dict[str, Any]:
        def there(remote: Remote) -> dict[str, Any]:
            return versions_listed(remote, name, lambda version: _version_document(version, self._store))

        found = await asyncio.to_thread(in_remote, self._store, told, there)
        return await asyncio.to_thread(self._versions_here, name) if found is None else found

    def _versions_here(self, name: str) -> dict[str, Any]:
        self._store.find(PodReference(check_name(name)))
        found = [_version_document(each, self._store) for each in self._store.versions(name)]
        return {"versions": found, "remote_url": self._store.root.resolve().as_uri()}

    def _shown(self, name: str) -> dict[str, Any]:
        version = self._store.find(_reference(name, self._asked.get("version", "")))
        document = _version_document(version, self._store)
        return {
            "pod_name": version.name,
            **document,
            "max_version": self._store.find(PodReference(version.name)).number,
        }

    async def _metamodel(self) -> Outgoing:
        """Return the resources of the state, in the shape that LocalStack's clients print: account, service, region."""
        with ExitStack() as stack:
            layout, version, _report = await self._saved(self._request("state"), stack)
            document = await asyncio.to_thread(
                lambda: metamodel_in(layout, layout.manifest(version.descriptor), "the state")
            )
        found: dict[str, Any] = {}
        resources = document.get("resources", [])
        for each in resources if isinstance(resources, list) else ():
            place = found.setdefault(each["account"] or "000000000000", {}).setdefault(each["service"], {})
            place.setdefault(each["region"] or "global", {}).setdefault(each["type"], []).append(each)
        return json_answer(found)

    # -- saving ----------------------------------------------------------------------------------------------------

    def _request(self, name: str) -> SaveRequest:
        asked = self._asked
        return SaveRequest(
            name,
            message=asked.get("message", ""),
            author=asked.get("author") or self._proxy.settings.pod_author or "",
            services=services_in([asked.get("services", "")], self._recorded),
            emulator=self._proxy.backend.name,
            redact=asked.get("redact", "") in ("1", "true"),
            parent=asked.get("parent", ""),
        ).checked()

    async def _save(self, name: str) -> Outgoing:
        told = await self._json_body()
        attributes = told.get("attributes") if isinstance(told.get("attributes"), dict) else {}
        assert isinstance(attributes, dict)

        async def work(_tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
            request = self._request(check_name(name))
            said = {
                key: value for key, value in (("message", attributes.get("description")),) if isinstance(value, str)
            }
            services = attributes.get("services")
            if isinstance(services, list) and services:
                said["services"] = services_in(map(str, services), self._recorded)  # type: ignore[assignment]
            request = SaveRequest(**{**_fields(request), **said})
            warnings = await self._warnings(request)
            report = await self._pods.save(self._store, request)
            report.warnings += warnings
            document = {"version": report.version, "services": report.services, "report": report.as_json()}
            if names_remote(told):
                version = await asyncio.to_thread(self._store.find, PodReference(name, str(report.version)))
                there = await asyncio.to_thread(
                    in_remote, self._store, told, lambda remote: pushed(self._store, version, remote)
                )
                document |= there or {}
            return document

        return Outgoing(200, "OK", _EVENTS, _events(work))

    async def _saved(self, request: SaveRequest, stack: ExitStack) -> tuple[Layout, Version, SaveReport]:
        """Save into a store of its own, which is there until the stack ends."""
        root = self._proxy.settings.data_dir if not self._proxy.settings.read_only else None
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="pod-load-", dir=root, ignore_cleanup_errors=True)
        )
        store = PodStore(Path(folder), limits_of(self._proxy.settings))
        report = await self._pods.save(store, request)
        return store.layout, store.find(PodReference(request.name)), report

    async def _warnings(self, request: SaveRequest) -> list[str]:
        """Return what the state may lack. Raises UnsoundStateError, where that was asked for."""
        return [each.text for each in await check_before_save(self._proxy, self._asked, request.services)]

    async def _saved_file(self, request: SaveRequest) -> Outgoing:
        warnings = await self._warnings(request)
        stack = ExitStack()
        try:
            layout, version, report = await self._saved(request, stack)
            report.warnings += warnings
            file = stack.enter_context(tempfile.TemporaryFile(dir=layout.root))  # noqa: SIM115 - the stack closes it
            await asyncio.to_thread(write_archive, layout, version, file)
            size = file.tell()
            file.seek(0)
        except BaseException:
            stack.close()
            raise
        headers = Headers(
            (
                ("Content-Type", _ARCHIVE),
                ("Content-Length", str(size)),
                ("Content-Disposition", f'attachment; filename="{request.name}.pod"'),
                ("Cache-Control", "no-store"),
                (REPORT_FIELD, _short(report)),
            )
        )
        return Outgoing(200, "OK", headers, _FileBody(file, stack))

    # -- loading ---------------------------------------------------------------------------------------------------

    async def _load(self, name: str) -> Outgoing:
        told = await self._json_body()
        strategy = self._strategy()

        async def work(tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
            reference = _reference(name, self._asked.get("version", ""))
            fetched = await asyncio.to_thread(
                in_remote, self._store, told, lambda remote: pulled(self._store, reference, remote)
            )
            version = await asyncio.to_thread(self._store.find, reference) if fetched is None else fetched
            return await self._load_version(self._store.layout, version, strategy, tell)

        return Outgoing(200, "OK", _EVENTS, _events(work))

    async def _load_body(self) -> Outgoing:
        """Load the pod file in the body. It is taken in before anything else is done."""
        strategy = self._strategy()
        stack = ExitStack()
        try:
            root = self._proxy.settings.data_dir if not self._proxy.settings.read_only else None
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="pod-load-", dir=root, ignore_cleanup_errors=True)
            )
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - the stack closes it
            layout = Layout(Path(folder) / "layout", limits_of(self._proxy.settings))
            await self._spool(file, layout.limits)
            version = await asyncio.to_thread(_taken_in, file, layout)
        except BaseException:
            stack.close()
            raise

        async def work(tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
            return await self._load_version(layout, version, strategy, tell)

        return Outgoing(200, "OK", _EVENTS, _events(work, stack))

    async def _load_version(
        self, layout: Layout, version: Version, strategy: MergeStrategy, tell: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        manifest = await asyncio.to_thread(layout.manifest, version.descriptor)
        dry_run = self._asked.get("dry_run", "") in ("1", "true")

        def tell_service(line: Mapping[str, Any]) -> None:
            tell({"event": "service", "operation": "load", **line})

        loaded = await self._pods.load(
            layout, manifest, str(version), strategy, dry_run=dry_run, delete=deletion(self._proxy), tell=tell_service
        )
        return {"version": version.number, "dry_run": dry_run, **loaded_document(loaded)}

    def _strategy(self) -> MergeStrategy:
        text = self._asked.get("merge") or self._proxy.settings.pod_merge
        try:
            return MergeStrategy(text)
        except ValueError:
            values = ", ".join(each.value for each in MergeStrategy)
            raise UsageError(f"{text!r} is no way to merge", hint=f"write one of {values}") from None

    async def _spool(self, file: IO[bytes], limits: Limits) -> None:
        if self._incoming.body is None:
            raise UsageError("there is no pod in the body", hint="send the file that `pod save FILE` writes")
        total = 0
        async for chunk in self._incoming.body:
            total += len(chunk)
            if total > limits.size_bytes:
                raise UsageError("the pod is larger than the limit", hint="REPLAY_POD_MAX_SIZE allows more")
            await asyncio.to_thread(file.write, chunk)
        file.seek(0)

    async def _json_body(self) -> dict[str, Any]:
        """Return the JSON object in the body; an empty one where there is none. Raises UsageError."""
        if self._incoming.body is None:
            return {}
        data, rest = await collect(self._incoming.body, _REQUEST_BYTES_MAX)
        if rest is not None:
            raise UsageError("the body is too long", hint="a JSON object, as in {}")
        try:
            told = orjson.loads(data) if data.strip() else {}
        except orjson.JSONDecodeError as error:
            raise UsageError(f"the body is no JSON: {error}", hint="send a JSON object, as in {}") from error
        return told if isinstance(told, dict) else {}


class _FileBody:
    """A file as the body of an answer; it is gone when it was read, or its reader has left."""

    def __init__(self, file: IO[bytes], stack: ExitStack) -> None:
        self._file = file
        self._stack = stack

    def __aiter__(self) -> _FileBody:
        return self

    async def __anext__(self) -> bytes:
        chunk = await asyncio.to_thread(self._file.read, _CHUNK) if not self._file.closed else b""
        if not chunk:
            await self.aclose()
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Remove the file."""
        await asyncio.to_thread(self._stack.close)


async def _events(work: _Work, stack: ExitStack | None = None) -> AsyncIterator[bytes]:
    """Yield what `work` tells, a line of JSON each, and then the completion. The work goes on where its client leaves."""
    lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def carried_out() -> None:
        try:
            lines.put_nowait({"event": "completion", "status": "ok", **await work(lines.put_nowait)})
        except Exception as error:
            message, hint = failure_of(error)
            lines.put_nowait({"event": "completion", "status": "error", "message": message, "hint": hint})
        finally:
            lines.put_nowait(None)
            if stack is not None:
                await asyncio.to_thread(stack.close)

    task = asyncio.create_task(carried_out())
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    while (line := await lines.get()) is not None:
        yield orjson.dumps(line) + b"\n"


_under_way: set[asyncio.Task[None]] = set()


def limits_of(settings: Settings) -> Limits:
    """Return how large what others made may be."""
    return Limits(settings.pod_max_layers, settings.pod_max_size, settings.pod_max_ratio)


def loaded_document(loaded: Loaded) -> dict[str, Any]:
    """Return what a load did, as JSON values."""
    restore = loaded.restore
    told = None if restore is None else restore.as_json()
    return {"merge": loaded.merge, "restore": told, "left": list(loaded.left)}


def _taken_in(file: IO[bytes], layout: Layout) -> Version:
    with layout.writing():
        descriptor, manifest, known = read_archive(file, layout, "the pod file")
    name, number = known or (manifest.name or "state", 1)
    return Version(name, number, descriptor)


def _reference(name: str, version: str) -> PodReference:
    return parse_reference(f"{name}:{version}" if version and ":" not in name else name)


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


def _environment() -> dict[str, Any]:
    from importlib.metadata import version

    return {"localstack_version": f"replay-proxy {version('replay-proxy')}", "pro": False}


def _seconds(created: str) -> float:
    with suppress(ValueError):
        return datetime.fromisoformat(created).timestamp()
    return 0.0


def _short(report: SaveReport) -> str:
    """Return a report for a header field: with fewer lists where it would be too long."""
    document = report.as_json()
    text = json.dumps(document)
    if len(text) > _REPORT_BYTES_MAX:
        for member in ("redacted", "not_judged", "left_out"):
            document[member] = {}
        text = json.dumps(document)
    return text


def _fields(request: SaveRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__dataclass_fields__}
