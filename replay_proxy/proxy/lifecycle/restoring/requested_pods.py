"""What comes of a pod that somebody saves or loads while the proxy runs.

A save looks at the emulator first, as any save does; then a process of its own reads the recording up to that moment, and writes
the version. No request waits for that.

A load is a renewal, as a load of the recording is: no other request is under way. What is there and the pod are merged by the
strategy (`pods.merge`) in a process of its own, and the merged calls are recorded on trial, with a reset before them: so the
emulator holds the merged state in the end, or what it held (`trial`).
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy import log
from replay_proxy.errors import StorageError, UsageError
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import DATA_DIR
from replay_proxy.journal.write.writer import JournalWriter, SaveStrategy
from replay_proxy.pods.apply import record_merged
from replay_proxy.pods.merge.strategies import MergeStrategy
from replay_proxy.pods.oci.layout import Layout
from replay_proxy.pods.oci.manifest import Manifest
from replay_proxy.pods.state.save_request import SaveReport, SaveRequest
from replay_proxy.pods.state.smoke_file import SMOKE_NAME, take_smoke_tests
from replay_proxy.pods.state.unpack import unpack
from replay_proxy.pods.store import PodStore
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.lifecycle.backend import Backend
from replay_proxy.proxy.lifecycle.restoring.load_strategy import LoadStrategy
from replay_proxy.proxy.lifecycle.restoring.requested_load import RequestedLoads
from replay_proxy.proxy.lifecycle.restoring.restore import OpenRecording
from replay_proxy.proxy.lifecycle.restoring.trial import RecordedOnTrial, Trial
from replay_proxy.proxy.lifecycle.restoring.trial_emptying import Delete, TrialEmptying
from replay_proxy.proxy.observation.observer import Observer
from replay_proxy.replay.execution.reporting.report import RestoreReport, ServiceSummary

_log = log.get("pods")

SCRATCH_PREFIX: Final = "pod-load-"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did. merge: what it changes (`MergeReport`). restore: of the merged state; None where nothing was done.

    left: of what was before, where the emulator had to be emptied by deletions: each a resource with the reason.
    """

    merge: Mapping[str, Any]
    restore: RestoreReport | None
    left: Sequence[Mapping[str, str]]


class RequestedPods:
    """Saves and loads pods for those who ask. observer: None where nothing is observed."""

    def __init__(
        self,
        recording: OpenRecording,
        loads: RequestedLoads,
        load_strategy: LoadStrategy,
        backend: Backend,
        upstream: UpstreamClient,
        observer: Observer | None,
    ) -> None:
        self._recording = recording
        self._loads = loads
        self._load_strategy = load_strategy
        self._backend = backend
        self._upstream = upstream
        self._observer = observer
        if recording.writer is not None:  # what a process left that was killed
            for left in recording.data_dir.glob(f"{SCRATCH_PREFIX}*"):
                shutil.rmtree(left, ignore_errors=True)

    # -- saving ----------------------------------------------------------------------------------------------------

    async def save(self, store: PodStore, request: SaveRequest, archive: Path | None = None) -> SaveReport:
        """Save the state as it is now as the next version of a pod.

        archive: a file that takes the place of the store.

        Raises:
            UsageError: it cannot be saved so. RecordingError, StorageError: something cannot be read or written.
        """
        request.checked()
        not_looked = await self._look(request.services)
        writer, end = self._recording.writer, None
        if writer is not None:
            if writer.strategy is SaveStrategy.MANUAL:
                await writer.save()
            end = writer.position
        told = {
            "data_dir": str(self._recording.data_dir.resolve()),
            "store": str(store.root.resolve()),
            "durable": store.layout.durable,
            "option": store.layout.option,
            "archive": str(archive or ""),
            "limits": asdict(store.layout.limits),
            "end": end,
            "request": asdict(request),
        }
        report = SaveReport(**await _in_a_process("replay_proxy.pods.state.save", told))
        if not_looked:
            report.warnings.append(f"what the emulator did by itself at last may not be in it: {not_looked}")
        return report

    async def _look(self, services: tuple[str, ...] = ()) -> str:
        """Have recorded what the emulator did by itself. Return why it could not be looked at; empty where it was."""
        if self._observer is None:
            return ""
        if not self._observer.can_look:
            return "its state is being restored, or it is away"
        try:
            await self._observer.observe(services)
        except UsageError as error:
            return error.message
        except (OSError, TimeoutError) as error:
            return f"it does not answer: {error}"
        return ""

    # -- loading ---------------------------------------------------------------------------------------------------

    async def load(
        self,
        layout: Layout,
        manifest: Manifest,
        where: str,
        strategy: MergeStrategy,
        *,
        dry_run: bool = False,
        delete: Delete | None = None,
        tell: Callable[[ServiceSummary], None] = lambda _line: None,
    ) -> Loaded:
        """Merge a version into what is there, or say what that would do.

        where: for messages. delete: for an emulator that cannot be emptied. tell: given each service.

        Raises:
            PodError: it is not what it says. UsageError: nothing can be recorded. NotNowError: the emulator is away.
            StorageError, EmulatorError: it failed; the message says what state there is.
        """
        with self._scratch() as folder:
            await asyncio.to_thread(unpack, layout, manifest, folder / "pod", where, DATA_DIR)
            if dry_run:
                await self._look()
                return Loaded(await self._merged(folder, strategy, write=False), None, ())
            loaded = await self._loaded(folder, strategy, delete, tell)
            if not await asyncio.to_thread(take_smoke_tests, folder / "pod", self._recording.data_dir):
                _log.warning(f"the smoke tests of {where} were not taken", reason=f"there is another {SMOKE_NAME}")
            return loaded

    async def _loaded(
        self, folder: Path, strategy: MergeStrategy, delete: Delete | None, tell: Callable[[ServiceSummary], None]
    ) -> Loaded:
        """Merge the pod in a scratch folder into what is there."""
        writer = self._writer()
        merges: list[dict[str, Any]] = []

        async def record() -> None:
            merges.append(await self._merged(folder, strategy, write=True))
            pod, merged = await asyncio.to_thread(lambda: (read(folder / "pod"), read(folder / "merged")))
            await record_merged(writer, merged, pod)

        emptying = TrialEmptying(self._backend, self._upstream, self._load_strategy, delete)
        trial = Trial(
            self._loads,
            self._load_strategy,
            emptying,
            RecordedOnTrial(writer, record),
            doing="a pod is being loaded",
            undone="the pod was not loaded",
            done="the pod is recorded",
            tell=tell,
        )
        report = await trial.carry_out()
        return Loaded(merges[-1], report, emptying.left)

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """Make a folder beside the recording, where large bodies have room, and remove it at the end."""
        root = self._recording.data_dir if self._recording.writer is not None else None
        with tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=root, ignore_cleanup_errors=True) as name:
            yield Path(name)

    def _writer(self) -> JournalWriter:
        writer = self._recording.writer
        if writer is None:
            raise UsageError(
                "the recording is only read (--read-only), so no pod can be loaded into it",
                hint="start the proxy without --read-only, or with another --data-dir",
            )
        if not writer.is_ready:
            writer.check()
        return writer

    async def _merged(self, folder: Path, strategy: MergeStrategy, *, write: bool) -> dict[str, Any]:
        """Merge the pod in a scratch folder into the recording; write the merged calls beside it. Return the report."""
        told = {
            "data_dir": str(self._recording.data_dir.resolve()),
            "pod": str(folder / "pod"),
            "folder": str(folder / "merged") if write else "",
            "strategy": strategy.value,
        }
        return await _in_a_process("replay_proxy.pods.merge.merge_recordings", told)


async def _in_a_process(module: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Run a module in a process of its own, and return its report. Raises ReplayProxyError."""
    command = [sys.executable, "-m", module, orjson.dumps(told).decode()]
    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
    except OSError as error:
        raise StorageError(f"no process can be started: {error}", hint="look at the limits of this user") from error
    try:
        assert child.stdout is not None and child.stderr is not None
        output, complaint = await asyncio.gather(child.stdout.read(), child.stderr.read())
        code = await child.wait()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        raise
    try:
        answer: dict[str, Any] = orjson.loads(output)
    except orjson.JSONDecodeError:
        lines = complaint.decode(errors="replace").strip().splitlines() or [f"it ended with {code}"]
        raise StorageError(f"a process of this proxy failed: {lines[-1]}", hint="nothing was changed") from None
    if code:
        raise StorageError(answer["message"], hint=answer["hint"])
    return answer
