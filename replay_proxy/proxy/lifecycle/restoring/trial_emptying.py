"""How the emulator is emptied for a trial (`trial`), before the changed state is restored, and once more where that fails.

| the emulator | how |
|---|---|
| has a reset | by it, which is the quickest |
| was started by the proxy, and has none, or refuses | it is started anew |
| is somebody else's, and has none | what is recorded is deleted, resource by resource (`doctor.removal`) |

A deletion can be interrupted with a part of the resources gone, and what it leaves is told. So the emulator is marked as one that
holds a part before it begins, and after a restore that failed everything that either side may have made is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from replay_proxy import log
from replay_proxy.emulators.reset import NoResetError
from replay_proxy.errors import EmulatorError, UsageError
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.lifecycle.backend import Backend, Emptying, ExternalEmulator, reachable
from replay_proxy.proxy.lifecycle.restoring.load_strategy import LoadStrategy
from replay_proxy.proxy.lifecycle.restoring.requested_load import NotNowError

_log = log.get("proxy")

RESTART: Final = "restart the emulator: the recorded state is restored then"
_LEFT_LOGGED_MAX: Final = 20


class Delete(Protocol):
    """Deletes what is recorded, in an emulator that cannot be emptied otherwise."""

    async def __call__(self, services: Sequence[str] = (), *, until: int | None = None) -> Mapping[str, Any]:
        """Delete what recorded calls made, and tell what came of it: `deleted`, a number, and `left`, each with its reason.

        services: of these; of all where none is named. until: by records up to this number; by all where it is None.
        Raises ReplayProxyError where nothing could be tried.
        """


class TrialEmptying:
    """Empties one emulator for one trial.

    delete: None where deletion is not wanted. left: what the latest deletion left, each a resource with its reason.
    """

    def __init__(
        self, backend: Backend, upstream: UpstreamClient, load_strategy: LoadStrategy, delete: Delete | None
    ) -> None:
        self._backend = backend
        self._upstream = upstream
        self._load_strategy = load_strategy
        self._delete = delete
        self._quick: Emptying | None = None
        self._is_external = isinstance(backend, ExternalEmulator)
        self.left: Sequence[Mapping[str, str]] = ()

    async def prepare(self) -> None:
        """Find out how the emulator is emptied; nothing is done yet.

        Raises:
            UsageError: there is no way that is known. NotNowError: the emulator does not answer.
        """
        try:
            self._quick = await self._backend.emptying(self._upstream, by_own_reset=True)
        except UsageError:
            if self._delete is None:
                raise
        except OSError as error:
            raise NotNowError(f"nothing was done: {error}", hint="ask again when the emulator answers") from error

    async def empty(self) -> None:
        """Empty the emulator, unless that is left to `delete_recorded`.

        Raises:
            EmulatorError: it was not emptied. OSError: one that the proxy starts was lost.
        """
        if self._quick is None:
            return
        try:
            await self._quick()
        except (EmulatorError, OSError) as error:
            if not self._is_external:
                await (await self._backend.emptying(self._upstream))()
            elif isinstance(error, NoResetError) and self._delete is not None:
                self._quick = None
            elif isinstance(error, OSError):
                raise EmulatorError(f"the emulator was not emptied: {error}", hint=RESTART) from error
            else:
                raise

    async def delete_recorded(self, until: int | None) -> None:
        """Delete what records up to a number made, where the emulator cannot be emptied. Raises ReplayProxyError."""
        if self._quick is not None or self._delete is None:
            return
        _log.info("the emulator cannot be reset; what is recorded is being deleted")
        await self._load_strategy.mark_partial()
        self.left = (await self._delete(until=until))["left"]
        log_left(self.left)

    async def empty_again(self) -> None:
        """Empty the emulator of whatever the two sides have made in it. Raises as `empty` and `delete_recorded`."""
        await self.empty()
        self._load_strategy.translate_by_interrupted()
        await self.delete_recorded(None)

    async def answers(self) -> bool:
        """Return whether the emulator is there."""
        return await reachable(self._upstream)


def log_left(left: Sequence[Mapping[str, str]]) -> None:
    """Log what a deletion left, and why."""
    for each in left[:_LEFT_LOGGED_MAX]:
        _log.warning(f"left in the emulator: {each['resource']}", reason=each["reason"])
