"""What `/_replay/status` shows."""

from __future__ import annotations

from typing import Any

from replay_proxy.proxy.lifecycle.proxy import Proxy


def status_of(proxy: Proxy) -> dict[str, Any]:
    """Return the state of a proxy as JSON: what it does, what it counted, and what does not work as it should."""
    host, port = proxy.door.address
    recording, session, strategy, recorder = proxy.recording, proxy.session, proxy.load_strategy, proxy.recorder
    renewals = 0 if proxy.requested_loads is None else proxy.requested_loads.renewals
    report = None if strategy is None else strategy.report
    return {
        "state": proxy.gate.state.value,
        "reason": proxy.gate.reason,
        "listen": f"http://{host}:{port}",
        "emulator": {
            "name": proxy.backend.name,
            "url": proxy.backend.url,
            "pid": proxy.backend.pid,
            "marked": session is not None and session.marked,
        },
        "recording": None if recording is None else str(recording.path),
        "recording_failure": _recording_failure(proxy),
        "degraded": degraded(proxy),
        "compaction": None if proxy.compaction is None else proxy.compaction.as_json(),
        "observing": None if proxy.observer is None else proxy.observer.as_json(),
        "not_recorded": [] if recorder is None else recorder.omissions.as_json(),
        "unrecorded": 0 if recorder is None else recorder.unrecorded.count,
        "gaps": 0 if session is None else session.gaps,
        "persistence": recording is not None,
        "read_only": recording is not None and recording.writer is None,
        "save_strategy": proxy.settings.save_strategy,
        "load_strategy": proxy.settings.load_strategy,
        "requests": {**proxy.engine.policy.counters.as_json(), "renewals": renewals},
        "aliases": len(proxy.engine.translator.aliases),
        "restoring": None if strategy is None else strategy.status(),
        "last_restore": None if report is None else report.as_json(),
    }


def degraded(proxy: Proxy) -> dict[str, str]:
    """Return what does not work as it should, with the reason; empty where all is well."""
    failure = _recording_failure(proxy)
    return {**proxy.supervisor.troubles, **({} if failure is None else {"recording": failure["reason"]})}


def _recording_failure(proxy: Proxy) -> dict[str, str] | None:
    """Return why nothing can be recorded at the moment; None where all is well."""
    writer = None if proxy.recording is None else proxy.recording.writer
    failure = None if writer is None else writer.failure
    return None if failure is None else {"reason": failure.message, "hint": failure.hint}
