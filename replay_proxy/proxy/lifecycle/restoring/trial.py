"""A renewal that puts another recorded state into the emulator, whole or not at all.

The change is begun while no request is under way; the emulator is emptied, and the changed state restored; only then the change
is kept, before any request passes. Whatever fails before, or ends the proxy, leaves a recording in which none of it counts, and
that is restored.

| change | begun | kept |
|---|---|---|
| `RecordedOnTrial` | calls are recorded that do not count yet; what was pending under `MANUAL` is saved before | they count |
| `ServicesReset` | nothing is recorded: the restore takes the resets for recorded | the resets are, pending under `MANUAL` |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Final, Protocol

from replay_proxy import log
from replay_proxy.errors import EmulatorError, ReplayProxyError, StorageError
from replay_proxy.journal.format.records import ControlKind
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.proxy.lifecycle.restoring.load_strategy import LoadStrategy
from replay_proxy.proxy.lifecycle.restoring.requested_load import Renewal, RequestedLoads, UnchangedError
from replay_proxy.proxy.lifecycle.restoring.trial_emptying import TrialEmptying
from replay_proxy.replay.execution.reporting.report import RestoreReport, ServiceSummary
from replay_proxy.supervision import describe_error
from replay_proxy.wording import counted

_log = log.get("proxy")

AS_BEFORE: Final = "the state is as it was before"

Marks = tuple[tuple[ControlKind, str], ...]
_ALL_SAVED: Final[Marks] = ((ControlKind.SAVE, ""),)


class Change(Protocol):
    """What is to count in the recording.

    assumed: marks, each with its service, that the restore takes for recorded at the end. assumed_without: the same of the
        restore of what was before, where the change failed.
    """

    assumed: Marks
    assumed_without: Marks

    @property
    def last_seq(self) -> int:
        """The number of the latest record."""

    async def begin(self) -> None:
        """Begin it, once no other request is under way. Whatever this raises, nothing was changed."""

    async def keep(self) -> None:
        """Put it in effect, as durably as the strategy says. Raises StorageError."""

    def drop(self) -> None:
        """Make it void, once it was begun. Raises StorageError."""


class RecordedOnTrial:
    """Calls that all count, or none. record: records them."""

    assumed: Marks = _ALL_SAVED
    assumed_without: Marks = ()

    def __init__(self, writer: JournalWriter, record: Callable[[], Awaitable[None]]) -> None:
        self._writer = writer
        self._record = record
        self._begun = False

    @property
    def last_seq(self) -> int:
        """The number of the latest record."""
        return self._writer.last_seq

    async def begin(self) -> None:
        """Record them."""
        await self._writer.begin_trial()
        self._begun = True
        await self._record()

    async def keep(self) -> None:
        """Have them count."""
        await self._writer.keep_trial()

    def drop(self) -> None:
        """Have them never count."""
        if self._begun:
            self._writer.drop_trial()


class ServicesReset:
    """Resets of some services, in an emulator that has none. What is pending of others stays so, and in the emulator."""

    def __init__(self, writer: JournalWriter, services: Collection[str]) -> None:
        self._writer = writer
        self._services = tuple(services)
        self.assumed: Marks = (*((ControlKind.RESET, each) for each in self._services), *_ALL_SAVED)
        self.assumed_without: Marks = _ALL_SAVED

    @property
    def last_seq(self) -> int:
        """The number of the latest record."""
        return self._writer.last_seq

    async def begin(self) -> None:
        """Have what an earlier process left pending not be taken for what is pending now."""
        self._writer.begin_due_session()

    async def keep(self) -> None:
        """Record them."""
        for each in self._services:
            self._writer.reset(each)
        await self._writer.promised()

    def drop(self) -> None:
        """Nothing was recorded."""


class Trial:
    """One such renewal.

    doing: for the clients that wait, and for messages (`a pod is being loaded`). undone: what was not done, for messages.
    done: that it counts, for those where its restore failed after that.
    """

    def __init__(
        self,
        loads: RequestedLoads,
        load_strategy: LoadStrategy,
        emptying: TrialEmptying,
        change: Change,
        *,
        doing: str,
        undone: str,
        done: str,
        tell: Callable[[ServiceSummary], None] = lambda _line: None,
    ) -> None:
        self._loads = loads
        self._load_strategy = load_strategy
        self._emptying = emptying
        self._change = change
        self._doing = doing
        self._undone = undone
        self._done = done
        self._tell = tell
        self._report: RestoreReport | None = None
        self._failure: Exception | None = None
        self._kept = False
        self._on_trial = False
        self._before = 0

    async def carry_out(self) -> RestoreReport:
        """Order the renewal, wait for it, and return the report of its restore.

        Raises:
            NotNowError: the emulator is away. UsageError: there is no way to empty it that is known; nothing was done.
            EmulatorError: it failed; the message says what state there is.
        """
        await self._emptying.prepare()
        try:
            await self._loads.carry_out(Renewal(self._doing, self._restore, self._begin))
        except ReplayProxyError as error:
            raise await self._told(self._failure or error) from error
        if self._failure is not None:
            raise await self._told(self._failure)
        assert self._report is not None
        return self._report

    async def _begin(self) -> None:
        await self._load_strategy.hold_witnesses()
        try:
            self._on_trial = True
            self._before = self._change.last_seq
            await self._change.begin()
        except (ReplayProxyError, OSError) as error:
            self._failure = error
            self._drop()
            self._load_strategy.release_witnesses()
            raise UnchangedError(describe_error(error)) from error
        try:
            await self._emptying.empty()
        except BaseException:
            self._drop()
            self._load_strategy.release_witnesses()
            raise

    async def _restore(self) -> None:
        self._load_strategy.empties_before(self._emptying.empty_again)
        try:
            await self._emptying.delete_recorded(self._before)
            self._load_strategy.forget_witnesses()
            self._report = await self._load_strategy.restore(self._tell, keep=self._keep, assumed=self._change.assumed)
        except Exception as error:
            self._drop()
            if isinstance(error, OSError) and not await self._emptying.answers():
                raise  # the emulator is lost, and whoever brings it back restores what is recorded
            if self._kept:
                raise  # it counts, so there is no way back
            self._failure = error
            _log.warning(f"{self._undone}; what was before is restored", reason=describe_error(error))
            await self._emptying.empty_again()
            self._load_strategy.forget_witnesses()
            await self._load_strategy.restore(assumed=self._change.assumed_without)
        except BaseException:
            self._drop()
            raise

    async def _keep(self) -> None:
        report = self._load_strategy.report
        if report is not None and report.broken_off:  # what the emulator refuses it does not know; this it never got
            first = next((each for each in report.problems if each.broken_off), None)
            raise EmulatorError(
                f"{counted(report.broken_off, 'call')} got no answer{f' ({first.reason})' if first is not None else ''}",
                hint="try again when the emulator answers reliably",
            )
        await self._change.keep()
        self._on_trial, self._kept = False, True

    def _drop(self) -> None:
        """Make void what was recorded on trial. Where not even that can be recorded, the end of this process does it."""
        if self._on_trial:
            self._on_trial = False
            with suppress(StorageError):
                self._change.drop()

    async def _told(self, error: Exception) -> ReplayProxyError:
        """Return the error for whoever asked, once the state of before is back."""
        hint = error.hint if isinstance(error, ReplayProxyError) else "the log says more"
        reason = describe_error(error)
        counts = f"{self._done}, but its restore did not come to its end: {reason}"
        message = counts if self._kept else f"{self._undone}: {reason}"
        what = "what is recorded" if self._kept else "what was before"
        try:
            await self._loads.wait_until_back()
        except ReplayProxyError as away:
            return EmulatorError(f"{message}; {what} comes back with the emulator", hint=away.hint)
        if self._kept and self._loads.restore_failed:
            return EmulatorError(message, hint=f"{hint}; POST /_localstack/state/load restores it, once that is mended")
        return EmulatorError(f"{message}; {'the emulator holds it now' if self._kept else AS_BEFORE}", hint=hint)
