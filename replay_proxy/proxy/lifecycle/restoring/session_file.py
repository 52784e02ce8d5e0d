"""The file `session.json`: what a proxy that is started again knows of the session that the one before it left.

It lies beside the journal. Beside a recording that is only read, by several proxies perhaps, nothing is written: the
sessions of these proxies lie in the user's own directory for such things, each under the recording and the emulator that
it is of.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from replay_proxy import log
from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.identifiers.rewriting.times.rewrite import Times
from replay_proxy.identifiers.rewriting.user_pools.client_secrets import ClientSecrets
from replay_proxy.identifiers.table.alias_table import AliasKind, AliasTable, Origin, Scope
from replay_proxy.journal.storage.files import Files, replace, storage_error
from replay_proxy.proxy.lifecycle.restoring.resource_lookup import Census
from replay_proxy.replay.access_keys import AccessKeys
from replay_proxy.replay.resting_trigger import RestingTrigger, resting_trigger_of
from replay_proxy.replay.session_state import SessionState
from replay_proxy.replay.start_positions import StartPositions

_log = log.get("session")

FILE_NAME = "session.json"
STATE_HOME = "XDG_STATE_HOME"
"""The variable that says where programs keep what is worth keeping between two starts (XDG Base Directory)."""
TEMPORARY = "session.json.new"


@dataclass(frozen=True, slots=True)
class RestorePosition:
    """How far a restore in parts has come.

    through: the number of the last record that it is about; what is recorded after that, clients did meanwhile.
    services: those that are back. made: the numbers of records of others that were replayed because these needed them.
    in_doubt: the numbers of records that were sent, and nobody knows whether they were carried out.
    """

    through: int
    services: tuple[str, ...] = ()
    made: tuple[int, ...] = ()
    in_doubt: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SavedSession:
    """What `session.json` holds: the session's name; as JSON its aliases, the secrets of its access keys, original times, and
    the secrets of user pool clients.

    tokens, accounts, default_account, guessed: of the access keys (`AccessKeys`).
    renewed_as: the name that the session was about to get. earlier: the names that it and those before it had.
    position: None where everything was back. place: the service that keeps the mark; empty where the emulator keeps none, None
    where that is not known. restoring: a restore into an emulator without a mark had begun, with so many resources there.
    gaps: how often a proxy died during this session of the emulator. whole: its restore brought everything back.
    resting: triggers of stacks that wait for a later part of the restore. emptied: the emulator was emptied for the restore that
    had begun, so that it may be emptied again.
    """

    session: str
    aliases: list[dict[str, Any]]
    keys: dict[str, str]
    times: dict[str, list[list[float]]]
    client_secrets: dict[str, tuple[str, str]] = field(default_factory=dict)
    position: RestorePosition | None = None
    place: str | None = None
    restoring: Census | None = None
    gaps: int = 0
    tokens: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    default_account: str = ""
    start_positions: dict[str, list[Any]] = field(default_factory=dict)
    renewed_as: str = ""
    earlier: tuple[str, ...] = ()
    whole: bool = False
    resting: tuple[RestingTrigger, ...] = ()
    emptied: bool = False
    guessed: tuple[str, ...] = ()

    def session_state(self, secret_key: str) -> SessionState:
        """Return what was saved as a session state. secret_key: of the settings."""
        keys = AccessKeys(secret_key, self.keys, self.tokens, self.accounts, self.default_account, self.guessed)
        secrets = ClientSecrets.of_listing(self.client_secrets)
        positions = StartPositions(self.start_positions)
        return SessionState(
            table_of(self.aliases),
            keys,
            Times.of_listing(self.times),
            secrets,
            start_positions=positions,
            resting=list(self.resting),
        )

    def as_json(self) -> dict[str, Any]:
        """Return what `session.json` holds; what says nothing is left out."""
        content: dict[str, Any] = {
            "session": self.session,
            "aliases": self.aliases,
            "keys": self.keys,
            "tokens": self.tokens,
            "accounts": self.accounts,
            "default_account": self.default_account,
            "times": self.times,
            "client_secrets": self.client_secrets,
        }
        if self.guessed:
            content["guessed"] = self.guessed
        if self.start_positions:
            content["start_positions"] = self.start_positions
        if self.resting:
            content["resting"] = [each.as_json() for each in self.resting]
        content["place"] = self.place
        if self.renewed_as:
            content["renewed_as"] = self.renewed_as
        if self.earlier:
            content["earlier"] = self.earlier
        if self.gaps:
            content["gaps"] = self.gaps
        if self.whole:
            content["whole"] = True
        if self.emptied:
            content["emptied"] = True
        if self.restoring is not None:
            content["restoring"] = self.restoring
        if self.position is not None:
            content["so_far"] = asdict(self.position)
        return content


def session_directory(data_dir: Path, url: str) -> Path:
    """Return where the session of a proxy lies that only reads `data_dir`, in front of the emulator at `url`."""
    state = Path(os.environ.get(STATE_HOME, ""))
    if not state.is_absolute():
        home = Path(os.path.expanduser("~"))  # noqa: PTH111  # `Path.home` fails where there is none
        state = home / ".local" / "state" if home.is_absolute() else Path(os.devnull)
    name = hashlib.sha256(f"{data_dir.resolve()}\n{url}".encode()).hexdigest()[:32]
    return state / "replay-proxy" / name


def read_saved(place: Path) -> SavedSession | None:
    """Return the latest session, or None where there is none.

    Raises:
        StorageError: it cannot be read, or is no file (`UnsafeFileError`). RecordingError: it is not what a proxy wrote.
    """
    path = place / FILE_NAME
    try:
        saved = _saved_session_of(orjson.loads(Files(place).content(FILE_NAME)))
        saved.session_state("")  # whether it can be made use of
        return saved
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise storage_error("read the aliases", path, error) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise RecordingError(
            f"{path} is damaged: {type(error).__name__}: {error}",
            hint="remove it: the aliases are learned anew by the next restore, into an emulator that was restarted",
        ) from error


def load_session(place: Path) -> SavedSession | None:
    """Return the latest session, or None where there is none that can be read: it can always be learned anew."""
    try:
        return read_saved(place)
    except (RecordingError, StorageError) as error:
        _log.warning("the latest session is not known", reason=error.message, hint=error.hint)
        return None


def save(place: Path, saved: SavedSession, *, makes_place: bool) -> None:
    """Write `session.json` into a directory, atomically. makes_place: the directory is made where it is not there.

    Raises:
        OSError: it cannot be written.
    """
    data = orjson.dumps(saved.as_json(), option=orjson.OPT_INDENT_2)
    files = Files(place)
    if makes_place:
        files.make_root()
    replace(files, FILE_NAME, [data], temporary=TEMPORARY)


def _saved_session_of(content: dict[str, Any]) -> SavedSession:
    """Return the session of which `SavedSession.as_json` made this. Raises KeyError, TypeError, ValueError or AttributeError."""
    position, place, restoring = content.get("so_far"), content.get("place"), content.get("restoring")
    return SavedSession(
        str(content["session"]),
        list(content["aliases"]),
        dict(content["keys"]),
        content.get("times", {}),
        dict(content.get("client_secrets", {})),
        None if position is None else _position_of(position),
        None if place is None else str(place),
        None if restoring is None else {str(kind): int(count) for kind, count in restoring.items()},
        int(content.get("gaps", 0)),
        dict(content.get("tokens", {})),
        dict(content.get("accounts", {})),
        str(content.get("default_account", "")),
        {str(name): list(first) for name, first in content.get("start_positions", {}).items()},
        str(content.get("renewed_as", "")),
        tuple(map(str, content.get("earlier", ()))),
        bool(content.get("whole", False)),
        tuple(map(resting_trigger_of, content.get("resting", ()))),
        bool(content.get("emptied", False)),
        tuple(map(str, content.get("guessed", ()))),
    )


def _position_of(content: dict[str, Any]) -> RestorePosition:
    """Return the position that `session.json` holds. Raises KeyError, TypeError or ValueError."""
    in_doubt = tuple(content.get("in_doubt", ()))
    return RestorePosition(int(content["through"]), tuple(content["services"]), tuple(content["made"]), in_doubt)


def table_of(listing: list[dict[str, Any]]) -> AliasTable:
    """Return the alias table that `listing` (from `AliasTable.listing`) was made of."""
    table = AliasTable()
    for entry in listing:
        origin = entry["learned_from"]
        table.add(
            entry["client"],
            entry["emulator"],
            scope=Scope(entry["account"], entry["region"]),
            kind=AliasKind(entry["kind"]),
            learned_from=Origin(origin["seq"], origin["call"], origin["member"], origin.get("namespace", "")),
            minted=entry["minted"],
        )
    return table
