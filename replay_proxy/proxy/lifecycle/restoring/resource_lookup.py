"""Asks an emulator for what was recorded: whether it holds it, and how much there is of it.

What to ask for, and what follows from the answers, is decided by `replay.presence_probes`, which has the theory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from replay_proxy.call_filter import to_restore
from replay_proxy.config import Settings
from replay_proxy.emulators.session_mark import Send
from replay_proxy.exchange import Answer
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.journal.read.reader import read
from replay_proxy.replay.planning.plan_cache import plan_for
from replay_proxy.replay.presence_probes import Probe, entry_count, is_present, probes_of

Census = dict[str, int]
"""How many resources of each kind an emulator lists."""


class ResourceLookup:
    """Looks in the emulator for what the recording in `data_dir` made, through `send`; errors of that pass through."""

    def __init__(self, data_dir: Path, send: Send, settings: Settings) -> None:
        self._data_dir = data_dir
        self._send = send
        self._settings = settings
        self._latest: list[Probe] | None = None

    async def services(self) -> Iterable[str]:
        """Return the services of which anything is recorded. Raises as `read`."""
        recording = await asyncio.to_thread(read, self._data_dir)
        return {what.service for what in recording.index.call_types}

    async def holds_state(self, aliases: AliasTable | None) -> bool | None:
        """Return whether the emulator holds the recorded state; None where it cannot be told. Raises as `read`.

        aliases: what it calls what it named itself; None where that is not known.
        """
        probes = await self._probes()
        answers = await self._answers(probes)
        table = AliasTable() if aliases is None else aliases
        listed = [(probe, probe.is_in(answers[_key(probe)], table)) for probe in probes]
        return is_present(listed, aliases_known=aliases is not None)

    async def census(self) -> Census:
        """Return how many resources there are of each kind that was asked for. Raises as `read`."""
        latest = await self._probes() if self._latest is None else self._latest
        probes = {_key(probe): probe for probe in latest}
        answers = await self._answers(probes.values())
        return {key: entry_count(probe, answers[key]) for key, probe in probes.items()}

    async def _probes(self) -> list[Probe]:
        self._latest = await asyncio.to_thread(self._planned)
        return self._latest

    def _planned(self) -> list[Probe]:
        recording = read(self._data_dir)
        if not len(recording.index):
            return []
        settings = self._settings
        plan = plan_for(recording, datetime.now(UTC), supersede=settings.compaction, call_filter=to_restore(settings))
        return probes_of(recording, plan)

    async def _answers(self, probes: Iterable[Probe]) -> dict[str, Answer]:
        asked = {_key(probe): probe for probe in probes}
        return {key: await self._send(probe.request(self._settings.secret_key or "")) for key, probe in asked.items()}


def _key(probe: Probe) -> str:
    head = probe.head
    return f"{head.service} {head.operation} {head.region} {probe.credential.access_key}"
