"""The session: the time from a restore until the emulator loses what it holds, and the aliases that hold for so long.

`session.json` beside the journal (`session_file`) remembers the aliases of the latest session. So a proxy that is restarted in
front of an emulator which lived on takes up where the one before left off. The mark in the emulator (`emulators.session_mark`)
tells whether it is still the same emulator, and whether it holds all of the recording, or whole parts of it (`RestorePosition`).
An emulator that keeps no mark is asked for what was recorded (`resource_lookup`); there the file alone tells how far a
restore has come.
"""

from __future__ import annotations

import uuid
from dataclasses import replace as replace_fields
from pathlib import Path

from replay_proxy import log
from replay_proxy.emulators.session_mark import MarkPhase, Send, SessionMark, SessionMarks
from replay_proxy.errors import EmulatorError, RecordingError, StorageError
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.journal.storage.files import storage_error
from replay_proxy.proxy.lifecycle.restoring.resource_lookup import Census, ResourceLookup
from replay_proxy.proxy.lifecycle.restoring.session_file import (
    FILE_NAME,
    STATE_HOME,
    RestorePosition,
    SavedSession,
    load_session,
    save,
)
from replay_proxy.replay.session_state import SessionState

_log = log.get("session")

_OLDEST_PLACE = "ssm"
"""Where the mark was looked for first by the versions that did not note its place in `session.json`."""

EARLIER_MAX = 100
"""Names of earlier sessions that are remembered."""


class SessionStore:
    """Whether the emulator holds our state, and under which identifiers.

    place: the directory of `session.json`. optional: nothing depends on it that it can be written; a warning is enough.
    lookup: asked where the emulator keeps no mark.
    marked: the emulator keeps our mark, so that its absence means something.
    state: what is known of the emulator in this session.
    gaps: how often a proxy died during this session of the emulator, which may hold calls that nobody recorded.
    whole: the restore of this session brought back everything that was recorded by then.
    is_outdated: the emulator holds an older state of this recording, which it had kept by itself; it has to be emptied.
    is_half_restored: it holds a part of a restore for which a proxy had emptied it; it has to be emptied again.
    """

    def __init__(
        self,
        place: Path,
        send: Send,
        secret_key: str = "",
        *,
        optional: bool = False,
        lookup: ResourceLookup | None = None,
    ) -> None:
        self._place = place
        self._optional = optional
        self._lookup = lookup
        self._marks = SessionMarks(send, secret_key, None if lookup is None else lookup.services)
        self._position: RestorePosition | None = None
        self._restoring: Census | None = None
        self.state = SessionState()
        self.name = ""
        self.marked = False
        self.gaps = 0
        self.whole = False
        self.is_outdated = False
        self.is_half_restored = False
        self._emptied = False
        self._renewed_as = ""
        self._earlier: tuple[str, ...] = ()

    async def resume(self) -> SavedSession | None:
        """Return the session that the emulator is still in, perhaps with a part of the state; None where it has to be restored.

        Raises:
            EmulatorError: the emulator holds a part of an interrupted restore.
            RecordingError, StorageError: the recording cannot be read.
        """
        saved = load_session(self._place)
        if saved is not None:
            self._marks.place = _OLDEST_PLACE if saved.place is None else saved.place
        mark = await self._marks.read()
        if saved is not None:
            self._earlier = _latest(*saved.earlier, saved.session, saved.renewed_as)
        if mark is None:
            return await self._resume_unmarked(saved)
        if saved is not None and mark.session != saved.session and mark.session in saved.earlier:
            self.is_outdated = True
            return None
        if saved is not None and mark.session == saved.renewed_as:
            saved = replace_fields(saved, session=saved.renewed_as, renewed_as="")
        if mark.phase is MarkPhase.RESTORING:
            if saved is None or not saved.emptied or saved.session != mark.session:
                raise interrupted_restore_error()
            self.is_half_restored = True
            return None
        if saved is None or saved.session != mark.session:
            if saved is None and await self._holds_state(None):
                return self._taken_up(SavedSession(mark.session, [], {}, {}), marked=True)
            _log.warning(
                "the emulator holds the state of another recording; this one is restored on top of it",
                hint="restart the emulator where that is not meant",
            )
            return None
        # Where that is not told of a mark that says "partly", everything was back, and the mark was about to say so.
        return self._taken_up(saved, marked=True)

    async def _resume_unmarked(self, saved: SavedSession | None) -> SavedSession | None:
        """Do as `resume` does where there is no mark: the emulator has forgotten, or keeps none."""
        if saved is not None and saved.place:
            return None
        if self._lookup is None or await self._marks.can_leave():
            return None
        if saved is not None and saved.restoring is not None:
            # It is not known what the emulator called things, when that restore ended. More than there was is a part of it.
            if await self._has_more_than(saved.restoring):
                raise interrupted_restore_error()
            return None
        if not await self._holds_state(None if saved is None else saved.session_state("").aliases):
            return None
        _log.info("the emulator keeps no mark, and has what was recorded: it lived on")
        return self._taken_up(saved or SavedSession(uuid.uuid4().hex, [], {}, {}), marked=False)

    def _taken_up(self, saved: SavedSession, *, marked: bool) -> SavedSession:
        self.name, self.marked, self._position, self._restoring = saved.session, marked, saved.position, None
        self.gaps, self.whole = saved.gaps, saved.whole
        self._earlier = tuple(name for name in self._earlier if name != saved.session)
        if not saved.aliases and load_session(self._place) is None:
            _log.warning(
                "the emulator holds the recorded state, but what it calls things is not known any more",
                hint="restart the emulator where clients do not find what they made",
            )
        return saved

    async def _holds_state(self, aliases: AliasTable | None) -> bool | None:
        if self._lookup is None:
            return None
        try:
            return await self._lookup.holds_state(aliases)
        except (RecordingError, StorageError) as error:
            _log.debug("what was recorded cannot be looked for", reason=error.message)
            return None

    async def _has_more_than(self, before: Census) -> bool:
        if self._lookup is None:
            return False
        now = await self._lookup.census()
        return any(count > before.get(kind, 0) for kind, count in now.items())

    async def renew(self, state: SessionState) -> None:
        """Give a session that goes on another name. Raises StorageError.

        An emulator that keeps its state by itself may come back later with an older one, and the mark in it. Then it must not be
        taken for one that holds everything. So a session has another name from each time on that it was found to go on.
        """
        if not self.marked or self._position is not None or self._optional:
            return
        self._renewed_as = uuid.uuid4().hex
        self.save(state)
        if await self._marks.leave(SessionMark(self._renewed_as, MarkPhase.READY)):
            self._earlier = _latest(*self._earlier, self.name)
            self.name = self._renewed_as
        self._renewed_as = ""
        self.save(state)

    def _begin_anew(self) -> None:
        """Give the session that begins a name."""
        self._earlier = _latest(*self._earlier, self.name)
        self.name, self.is_outdated, self._renewed_as = uuid.uuid4().hex, False, ""
        self.is_half_restored = self._emptied = False

    def begin_managed(self) -> None:
        """Begin a session in a managed emulator. It needs no mark to be told from another; see `leave_mark`."""
        self._begin_anew()
        self.marked, self._position, self.gaps, self.whole = False, None, 0, False
        self._marks.look_again()

    async def leave_mark(self) -> None:
        """Leave the mark of a session that `begin_managed` began. If it is gone later, somebody has emptied the emulator."""
        self.marked = await self._marks.leave(SessionMark(self.name, MarkPhase.READY))

    async def begin(self, state: SessionState, *, emptied: bool = False) -> None:
        """Begin a session for a restore of everything, which learns `state`. emptied: the emulator was emptied for it.

        Raises:
            StorageError: `session.json` cannot be written. RecordingError: the recording cannot be read.
        """
        self._begin_anew()
        self._position, self.state, self.gaps, self.whole = None, state, 0, False
        await self._mark_restoring(anew=True)
        if emptied and self.marked:  # a proxy that is killed before the file says so asks for a restart of the emulator
            self._emptied = True
            self.save(state)

    async def start_over(self, state: SessionState) -> None:
        """Begin a session in an emulator that holds all that is to be restored: it was reset. Raises StorageError."""
        self._begin_anew()
        self._position, self.gaps, self.whole = None, 0, True
        self._marks.look_again()
        await self._save_and_mark(state, MarkPhase.READY)

    async def begin_parts(self, state: SessionState, position: RestorePosition) -> None:
        """Begin a session for a restore in parts, before anything is replayed."""
        self._begin_anew()
        self.gaps, self.whole = 0, False
        self._marks.look_again()
        await self.end_part(state, position)

    async def begin_part(self) -> None:
        """Mark the emulator before a part is replayed."""
        await self._mark_restoring(anew=False)

    async def _mark_restoring(self, *, anew: bool) -> None:
        if anew:
            self._marks.look_again()
        self.marked = await self._marks.leave(SessionMark(self.name, MarkPhase.RESTORING))
        if not self.marked and self._lookup is not None:
            self._restoring = await self._lookup.census()
            self.save(self.state)

    async def end_part(self, state: SessionState, position: RestorePosition) -> None:
        """Save and mark that the emulator holds whole parts of the recording, and what is known of them."""
        self._position = position
        await self._save_and_mark(state, MarkPhase.PARTLY)

    async def settle(self, state: SessionState) -> None:
        """Save and mark that the emulator holds the state of the recording, and what is known of it."""
        self.name, self._position = self.name or uuid.uuid4().hex, None
        await self._save_and_mark(state, MarkPhase.READY)
        if not self.marked:
            _log.info("the emulator keeps no mark; whether it is still the same is told by what it lists")

    async def _save_and_mark(self, state: SessionState, phase: MarkPhase) -> None:
        """Save what is known, and then say so in the emulator: a mark never promises more than the file."""
        self._restoring, self._emptied = None, False
        if not self._marks.place:
            await self._marks.can_leave()  # the file tells where the mark is
        self.save(state)
        self.marked = await self._marks.leave(SessionMark(self.name, phase))

    async def holds(self) -> bool | None:
        """Return whether the emulator is still in this session; None where it keeps no mark, and nothing else tells."""
        if not self.marked and self._restoring is not None:
            return await self._has_more_than(self._restoring) or None
        if not self.marked:
            return await self._holds_state(self.state.aliases)
        mark = await self._marks.read()
        self.is_outdated = mark is not None and mark.session in self._earlier
        return mark is not None and mark.session == self.name

    def save(self, state: SessionState) -> None:
        """Write `session.json`, atomically. Raises StorageError."""
        self.state = state
        keys = state.access_keys
        saved = SavedSession(
            self.name,
            state.aliases.listing(),
            keys.secrets,
            state.times.listing(),
            state.client_secrets.listing(),
            self._position,
            self._marks.place,
            self._restoring,
            self.gaps,
            keys.tokens,
            keys.accounts,
            keys.default_account,
            state.start_positions.listing(),
            self._renewed_as,
            self._earlier,
            self.whole,
            tuple(state.resting),
            self._emptied,
            tuple(sorted(keys.guessed)),
        )
        try:
            save(self._place, saved, makes_place=self._optional)
        except OSError as error:
            failure = storage_error("save the aliases", self._place / FILE_NAME, error)
            if not self._optional:
                raise failure from error
            _log.warning(
                failure.message,
                hint=f"restart the emulator with the proxy; or name a directory that can be written with {STATE_HOME}",
            )


def _latest(*names: str) -> tuple[str, ...]:
    """Return the latest of the names of sessions, each once."""
    return tuple(dict.fromkeys(filter(None, names)))[-EARLIER_MAX:]


def interrupted_restore_error() -> EmulatorError:
    """Return the error for an emulator that holds a part of a recording, when nobody knows which."""
    return EmulatorError(
        "the emulator holds a part of this recording: an earlier restore was interrupted, or not finished",
        hint="restart the emulator, so that the recording can be restored into an empty one",
    )
