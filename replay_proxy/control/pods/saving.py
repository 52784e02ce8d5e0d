"""Saves that clients ask for: the state as the next version of a pod in the store of the proxy, or as a file."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

from replay_proxy.control.doctor.before_save import check_before_save
from replay_proxy.control.pods.events import FileBody, Tell, answer_with_events
from replay_proxy.control.pods.remotes import in_remote, names_remote, pushed
from replay_proxy.control.pods.request import PodRequest
from replay_proxy.exchange import Headers
from replay_proxy.journal.storage.files import DATA_DIR
from replay_proxy.pods.names import PodReference, check_name
from replay_proxy.pods.oci.layout import Layout
from replay_proxy.pods.state.save_request import SaveReport, SaveRequest
from replay_proxy.pods.store import PodStore, Version
from replay_proxy.proxy.http.streams import Outgoing
from replay_proxy.wire.models.service_names import services_in

REPORT_FIELD: Final = "X-Replay-Report"
_REPORT_BYTES_MAX: Final = 16 << 10
_ARCHIVE: Final = "application/vnd.replay-proxy.pod.archive+tar"


async def save(request: PodRequest, name: str) -> Outgoing:
    """Save the next version of a pod, and push it where the body names a remote. The answer is events."""
    told = await request.told()
    attributes = told.get("attributes")

    async def work(_tell: Tell) -> dict[str, Any]:
        wanted = _with_attributes(_wanted(request, check_name(name)), request, attributes)
        warnings = await _warnings(request, wanted)
        report = await request.pods.save(request.store, wanted)
        report.warnings += warnings
        document = {"version": report.version, "services": report.services, "report": report.as_json()}
        if names_remote(told):
            version = await asyncio.to_thread(request.store.find, PodReference(name, str(report.version)))
            there = await asyncio.to_thread(
                in_remote, request.store, told, lambda remote: pushed(request.store, version, remote)
            )
            document |= there or {}
        return document

    return answer_with_events(work)


async def saved_file(request: PodRequest, name: str) -> Outgoing:
    """Return the state as a pod file, with what is in it in a header field."""
    wanted = _wanted(request, name)
    warnings = await _warnings(request, wanted)
    stack = ExitStack()
    try:
        folder = stack.enter_context(request.scratch())
        store = PodStore(folder / "pods", request.limits, durable=False, option=DATA_DIR)
        report = await request.pods.save(store, wanted, folder / "pod")
        report.warnings += warnings
        file = stack.enter_context((folder / "pod").open("rb"))
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    except BaseException:
        stack.close()
        raise
    headers = Headers(
        (
            ("Content-Type", _ARCHIVE),
            ("Content-Length", str(size)),
            ("Content-Disposition", f'attachment; filename="{name}.pod"'),
            ("Cache-Control", "no-store"),
            (REPORT_FIELD, _short(report)),
        )
    )
    return Outgoing(200, "OK", headers, FileBody(file, stack))


async def saved_state(request: PodRequest, stack: ExitStack) -> tuple[Layout, Version]:
    """Save the state as it is, for somebody who wants to look into it; it is there until the stack ends."""
    store = PodStore(stack.enter_context(request.scratch()), request.limits, durable=False, option=DATA_DIR)
    wanted = _wanted(request, "state")
    await request.pods.save(store, wanted)
    return store.layout, await asyncio.to_thread(store.find, PodReference(wanted.name))


def _wanted(request: PodRequest, name: str) -> SaveRequest:
    """Return what the query asks to be saved. Raises UsageError, UnknownServiceError."""
    asked = request.asked
    return SaveRequest(
        name,
        message=asked.get("message", ""),
        author=asked.get("author") or request.proxy.settings.pod_author or "",
        services=services_in([asked.get("services", "")], _recorded(request)),
        emulator=request.proxy.backend.name,
        redact=request.switch("redact"),
        parent=asked.get("parent", ""),
    ).checked()


def _with_attributes(wanted: SaveRequest, request: PodRequest, attributes: object) -> SaveRequest:
    """Return a request with what LocalStack's clients write into the body: a description, and services."""
    if not isinstance(attributes, dict):
        return wanted
    message, services = attributes.get("description"), attributes.get("services")
    if isinstance(message, str):
        wanted = replace(wanted, message=message)
    if isinstance(services, list) and services:
        wanted = replace(wanted, services=services_in(map(str, services), _recorded(request)))
    return wanted


def _recorded(request: PodRequest) -> Any:
    return request.proxy.engine.policy.counters.recorded


async def _warnings(request: PodRequest, wanted: SaveRequest) -> list[str]:
    """Return what the state may lack. Raises UnsoundStateError, where that was asked for."""
    return [each.text for each in await check_before_save(request.proxy, request.asked, wanted.services)]


def _short(report: SaveReport) -> str:
    """Return a report for a header field: with fewer lists where it would be too long."""
    document = report.as_json()
    text = json.dumps(document)
    if len(text) > _REPORT_BYTES_MAX:
        for member in ("redacted", "not_judged", "left_out"):
            document[member] = {}
        text = json.dumps(document)
    return text
