"""Which names stand for which remotes: `remotes.json` in the folder of pods, private to its owner, without credentials."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from replay_proxy.errors import RecordingError, UsageError
from replay_proxy.journal.storage.files import Files, replace, storage_error
from replay_proxy.pods.names import is_name
from replay_proxy.pods.remotes.location import FORMS, RemoteLocation, checked_location, looks_like_location
from replay_proxy.pods.store import NoSuchPodError

FILE_NAME: Final = "remotes.json"
_LOCK: Final = "remotes.lock"
_BYTES_MAX: Final = 1 << 20
_T = TypeVar("_T")


class RemotesFile:
    """The named remotes of one folder of pods, which need not exist yet. Several processes may change them at the same time."""

    def __init__(self, pods_dir: Path) -> None:
        self._files = Files(pods_dir)
        self.path = pods_dir / FILE_NAME

    def all(self) -> Mapping[str, RemoteLocation]:
        """Return every remote by its name, in the order in which they were added.

        Raises:
            RecordingError: the file is no list of remotes. StorageError: it cannot be read.
        """
        try:
            data = self._files.content(FILE_NAME)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise storage_error("read the remotes", self.path, error) from error
        try:
            found = orjson.loads(data[:_BYTES_MAX])["remotes"]
            return {str(name): RemoteLocation(**value) for name, value in found.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordingError(
                f"{self.path} is no list of remotes: {error}", hint="remove it, and add the remotes again"
            ) from error

    def add(self, name: str, location: RemoteLocation, *, overwrite: bool = False) -> RemoteLocation:
        """Let a name stand for a location, and return that in one spelling.

        Raises:
            UsageError: the name is taken, or cannot be one; the location is none. RecordingError, StorageError.
        """
        if not is_name(name):
            raise UsageError(f"{name!r} is no name for a remote", hint="letters, digits, `-`, `_` and `.`")
        checked = checked_location(location)

        def change(remotes: dict[str, RemoteLocation]) -> RemoteLocation:
            there = remotes.get(name)
            if there is not None and there != checked and not overwrite:
                raise UsageError(
                    f"the remote {name} exists already: {there.url}",
                    hint=f"`replay-proxy pod remote remove {name}` first, or choose another name",
                )
            remotes[name] = checked
            return checked

        return self._change(change)

    def remove(self, name: str) -> RemoteLocation:
        """Forget a name; the remote itself stays as it is. Return where it was.

        Raises UsageError, RecordingError, StorageError.
        """

        def change(remotes: dict[str, RemoteLocation]) -> RemoteLocation:
            there = remotes.pop(name, None)
            if there is None:
                raise _unknown(name, remotes)
            return there

        return self._change(change)

    def find(self, text: str) -> RemoteLocation:
        """Return the remote that people mean by its name, by a URL or a path; by nothing, where there is one remote alone.

        Raises:
            UsageError: there is none of that name, or none or several to choose from. RecordingError, StorageError.
        """
        remotes = self.all()
        if text in remotes:
            return remotes[text]
        if text:
            if looks_like_location(text):
                return checked_location(RemoteLocation(text))
            raise _unknown(text, remotes)
        if len(remotes) == 1:
            return next(iter(remotes.values()))
        if not remotes:
            raise UsageError(
                "there is no remote yet", hint=f"`replay-proxy pod remote add NAME URL`; the URL is {FORMS}"
            )
        raise UsageError("there are several remotes", hint=f"name one: {', '.join(sorted(remotes))}")

    def _change(self, change: Callable[[dict[str, RemoteLocation]], _T]) -> _T:
        try:
            self._files.make_root()
            fd = self._files.open_lock(_LOCK)
        except OSError as error:
            raise storage_error("change the remotes", self.path, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            remotes = dict(self.all())
            result = change(remotes)
            document: dict[str, Any] = {"remotes": {name: each.as_json() for name, each in remotes.items()}}
            data = orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
            replace(self._files, FILE_NAME, [data], temporary=f".{FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
            return result
        except OSError as error:
            raise storage_error("change the remotes", self.path, error) from error
        finally:
            self._files.close(fd)


def _unknown(name: str, remotes: Mapping[str, RemoteLocation]) -> NoSuchPodError:
    known = f"there are {', '.join(sorted(remotes))}" if remotes else "there is none yet"
    return NoSuchPodError(
        f"there is no remote {name!r}", hint=f"{known}; `replay-proxy pod remote add {name} URL` adds it"
    )
