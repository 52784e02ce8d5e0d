"""One stretch of an emulator's life, from a restore to its end, and the aliases that hold for so long.

`session.json` beside the journal remembers the aliases of the latest session, so that a proxy that is restarted in
front of an emulator which lived on takes up where it left off. The mark in the emulator (`emulators.session`) tells
whether it is still the same emulator, and whether it holds all of the recording, or whole parts of it (`SoFar`).

Beside a recording that is only read, by several proxies perhaps, nothing is written:
their sessions lie in the user's own directory for such things, each under the recording and the emulator that it is of.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from replay_proxy import log
from replay_proxy.emulators.session import Mark, Marks, Phase, Send
from replay_proxy.errors import EmulatorError
from replay_proxy.identifiers.aliases import AliasTable, Kind, Origin, Scope
from replay_proxy.identifiers.times import Times
from replay_proxy.journal.durable import Files, replace, storage_error
from replay_proxy.replay.keyring import Keyring
from replay_proxy.replay.knowledge import Knowledge

_log = log.get("session")

FILE_NAME = "session.json"
STATE_HOME = "XDG_STATE_HOME"
"""The variable that says where programs keep what is worth keeping between two starts (XDG Base Directory)."""
TEMPORARY = "session.json.new"


@dataclass(frozen=True, slots=True)
class SoFar:
    """How far a restore in parts has come.

    through: the number of the last record that it is about; what is recorded after that, clients did meanwhile.
    services: those that are back. made: the numbers of records of others that were replayed because these needed them.
    """

    through: int
    services: tuple[str, ...] = ()
    made: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """What `session.json` holds: the session's name; as JSON its aliases, the secrets of its access keys, and original times.

    so_far: None where everything was back.
    """

    session: str
    aliases: list[dict[str, Any]]
    keys: dict[str, str]
    times: dict[str, list[list[float]]]
    so_far: SoFar | None = None

    def known(self, secret_key: str) -> Knowledge:
        """That, in use. secret_key: of the settings."""
        return Knowledge(table_of(self.aliases), Keyring(secret_key, self.keys), Times.of_listing(self.times))


def place_beside_none(data_dir: Path, url: str) -> Path:
    """Where the session of a proxy lies that only reads `data_dir`, in front of the emulator at `url`."""
    state = Path(os.environ.get(STATE_HOME, ""))
    if not state.is_absolute():
        home = Path(os.path.expanduser("~"))  # noqa: PTH111  # `Path.home` fails where there is none
        state = home / ".local" / "state" if home.is_absolute() else Path(os.devnull)
    name = hashlib.sha256(f"{data_dir.resolve()}\n{url}".encode()).hexdigest()[:32]
    return state / "replay-proxy" / name


def load_saved(place: Path) -> Saved | None:
    """The latest session, or None where there is none that can be read: it can always be learned anew."""
    try:
        content = orjson.loads((place / FILE_NAME).read_bytes())
        told = content.get("so_far")
        so_far = None if told is None else SoFar(int(told["through"]), tuple(told["services"]), tuple(told["made"]))
        aliases, times = list(content["aliases"]), content.get("times", {})
        return Saved(str(content["session"]), aliases, dict(content["keys"]), times, so_far)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def table_of(listing: list[dict[str, Any]]) -> AliasTable:
    """The alias table that `listing` (from `AliasTable.listing`) was made of."""
    table = AliasTable()
    for entry in listing:
        origin = entry["learned_from"]
        table.add(
            entry["client"],
            entry["emulator"],
            scope=Scope(entry["account"], entry["region"]),
            kind=Kind(entry["kind"]),
            learned_from=Origin(origin["seq"], origin["call"], origin["member"]),
            minted=entry["minted"],
        )
    return table


class Session:
    """Whether the emulator holds our state, and under which identifiers.

    place: the directory of `session.json`. optional: nothing depends on it that it can be written; a warning is enough.
    marked: the emulator keeps our mark, so that its absence means something.
    """

    def __init__(self, place: Path, send: Send, secret_key: str = "", *, optional: bool = False) -> None:
        self._place = place
        self._optional = optional
        self._marks = Marks(send, secret_key)
        self._so_far: SoFar | None = None
        self.name = ""
        self.marked = False

    async def resume(self) -> Saved | None:
        """The session that the emulator is still in, perhaps with a part of the state; None where it has to be restored.

        Raises:
            EmulatorError: the emulator holds a part of an interrupted restore.
        """
        mark = await self._marks.read()
        if mark is None:
            return None
        if mark.phase is Phase.RESTORING:
            raise interrupted()
        saved = load_saved(self._place)
        if saved is None or saved.session != mark.session:
            _log.warning(
                "the emulator holds the state of another recording; this one is restored on top of it",
                hint="restart the emulator where that is not meant",
            )
            return None
        # Where that is not told of a mark that says "partly", everything was back, and the mark was about to say so.
        self.name, self.marked, self._so_far = mark.session, True, saved.so_far
        return saved

    async def begin(self) -> None:
        """A restore of everything begins."""
        self.name, self._so_far = uuid.uuid4().hex, None
        self.marked = await self._marks.leave(Mark(self.name, Phase.RESTORING))

    async def begin_parts(self, known: Knowledge, so_far: SoFar) -> None:
        """A restore in parts is possible from now on; nothing was replayed yet."""
        self.name = uuid.uuid4().hex
        await self.end_part(known, so_far)

    async def begin_part(self) -> None:
        """A part is about to be replayed."""
        self.marked = await self._marks.leave(Mark(self.name, Phase.RESTORING))

    async def end_part(self, known: Knowledge, so_far: SoFar) -> None:
        """The emulator holds whole parts of the recording, and this is known of them."""
        self._so_far = so_far
        self.save(known)
        self.marked = await self._marks.leave(Mark(self.name, Phase.PARTLY))

    async def settle(self, known: Knowledge) -> None:
        """The emulator holds the state of the recording, and this is known of it."""
        self.name, self._so_far = self.name or uuid.uuid4().hex, None
        self.save(known)
        self.marked = await self._marks.leave(Mark(self.name, Phase.READY))
        if not self.marked:
            _log.info("the emulator keeps no mark; a restart of it is only seen while the proxy runs")

    async def holds(self) -> bool:
        """Is the emulator still in this session?"""
        mark = await self._marks.read()
        return mark is not None and mark.session == self.name

    def save(self, known: Knowledge) -> None:
        """Write `session.json`, atomically. Raises StorageError."""
        content = {"session": self.name, "aliases": known.aliases.listing(), "keys": known.keyring.secrets}
        content["times"] = known.times.listing()
        if self._so_far is not None:
            content["so_far"] = asdict(self._so_far)
        data = orjson.dumps(content, option=orjson.OPT_INDENT_2)
        files = Files(self._place)
        try:
            if self._optional:
                files.make_root()
            replace(files, FILE_NAME, [data], temporary=TEMPORARY)
        except OSError as error:
            failure = storage_error("save the aliases", self._place / FILE_NAME, error)
            if not self._optional:
                raise failure from error
            _log.warning(
                failure.message,
                hint=f"restart the emulator with the proxy; or name a directory that can be written with {STATE_HOME}",
            )


def interrupted() -> EmulatorError:
    """What to tell of an emulator that holds nobody knows which part of a recording."""
    return EmulatorError(
        "the emulator holds a part of this recording: an earlier restore was interrupted, or not finished",
        hint="restart the emulator, so that the recording can be restored into an empty one",
    )
