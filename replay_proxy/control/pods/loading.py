"""Loads that clients ask for: a version of a pod, or the file in a body, merged into what is there. The answer is events."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from typing import IO, Any, Final

from replay_proxy.control.doctor.examiner_process import deletion
from replay_proxy.control.pods.events import Tell, answer_with_events
from replay_proxy.control.pods.form import boundary_of, take_field
from replay_proxy.control.pods.remotes import in_remote, pulled
from replay_proxy.control.pods.request import PodRequest
from replay_proxy.errors import UsageError
from replay_proxy.journal.storage.files import DATA_DIR
from replay_proxy.journal.storage.scratch import scratch_file
from replay_proxy.pods.archive import read_archive
from replay_proxy.pods.merge.strategies import MergeStrategy
from replay_proxy.pods.oci.layout import Layout
from replay_proxy.pods.store import Version
from replay_proxy.proxy.http.streams import Outgoing

_SENT: Final = "the pod file"


async def load(request: PodRequest, name: str) -> Outgoing:
    """Load a version of the store, or of the remote that the body names."""
    told = await request.told()
    strategy = _strategy(request)

    async def work(tell: Tell) -> dict[str, Any]:
        reference = request.reference(name)
        fetched = await asyncio.to_thread(
            in_remote, request.store, told, lambda remote: pulled(request.store, reference, remote)
        )
        version = await asyncio.to_thread(request.store.find, reference) if fetched is None else fetched
        return await _loaded(request, request.store.layout, version, strategy, tell)

    return answer_with_events(work)


async def load_body(request: PodRequest) -> Outgoing:
    """Load the pod file in the body, or in its form. It is taken in before anything else is done."""
    strategy = _strategy(request)
    stack = ExitStack()
    try:
        folder = stack.enter_context(request.scratch())
        file = stack.enter_context(scratch_file(folder, DATA_DIR))
        layout = Layout(folder / "layout", request.limits, _SENT, option=DATA_DIR)
        await _spool(request, file)
        if boundary := boundary_of(request.incoming.headers.get("content-type") or ""):
            field = stack.enter_context(scratch_file(folder, DATA_DIR))
            await asyncio.to_thread(take_field, file, boundary, field)
            file = field
        version = await asyncio.to_thread(_taken_in, file, layout)
    except BaseException:
        stack.close()
        raise

    async def work(tell: Tell) -> dict[str, Any]:
        return await _loaded(request, layout, version, strategy, tell)

    return answer_with_events(work, stack)


async def _loaded(
    request: PodRequest, layout: Layout, version: Version, strategy: MergeStrategy, tell: Tell
) -> dict[str, Any]:
    """Load a version, tell each service, and return what the completion says."""
    manifest = await asyncio.to_thread(layout.manifest, version.descriptor)
    dry_run = request.switch("dry_run")

    def tell_service(line: Mapping[str, Any]) -> None:
        tell({"event": "service", "operation": "load", **line})

    loaded = await request.pods.load(
        layout,
        manifest,
        layout.name or str(version),
        strategy,
        dry_run=dry_run,
        delete=deletion(request.proxy),
        tell=tell_service,
    )
    return {
        "version": version.number,
        "dry_run": dry_run,
        "merge": loaded.merge,
        "restore": None if loaded.restore is None else loaded.restore.as_json(),
        "left": list(loaded.left),
    }


def _strategy(request: PodRequest) -> MergeStrategy:
    text = request.asked.get("merge") or request.proxy.settings.pod_merge
    try:
        return MergeStrategy(text)
    except ValueError:
        values = ", ".join(each.value for each in MergeStrategy)
        raise UsageError(f"{text!r} is no way to merge", hint=f"write one of {values}") from None


async def _spool(request: PodRequest, file: IO[bytes]) -> None:
    if request.incoming.body is None:
        raise UsageError("there is no pod in the body", hint="send the file that `pod save FILE` writes")
    total = 0
    async for chunk in request.incoming.body:
        total += len(chunk)
        if total > request.limits.size_bytes:
            raise UsageError("the pod is larger than the limit", hint="REPLAY_POD_MAX_SIZE allows more")
        await asyncio.to_thread(file.write, chunk)
    file.seek(0)


def _taken_in(file: IO[bytes], layout: Layout) -> Version:
    with layout.writing():
        descriptor, manifest, known = read_archive(file, layout, _SENT)
    name, number = known or (manifest.name or "state", 1)
    return Version(name, number, descriptor)
