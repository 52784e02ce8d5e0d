"""An emulator and the proxy before it, in which scenarios are played; both are killed, and everything is read back."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from replay_proxy.footprint.names.resource_names import short_name
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy
from tests.support.read_back.comparison import Difference, Shown, as_shown, differences, is_time, leaves
from tests.support.read_back.reader import Reader, State
from tests.support.scenarios.world import World

QUIET_S = 0.3
SECONDS_SHOWN = 1.1
"""After so long a time that is cut to seconds has changed, if it is that of the moment."""
FIRST_ACCOUNT = 300000000001


class Player:
    """One who plays in an account and a region of its own."""

    def __init__(self, rehearsal: Rehearsal, account: str, region: str, names: list[str]) -> None:
        self.rehearsal = rehearsal
        self.account = account
        self.region = region
        self._clients: dict[tuple[str, str], Any] = {}
        mark = f"-{len(rehearsal.players)}" if rehearsal.players else ""
        self.world = World(lambda service: self._client(service, rehearsal.proxy.url), names, mark)
        self.state = State()
        self._behind = False

    def read(self, services: Iterable[str] = (), *, behind: bool = False) -> State:
        """Everything that exists, as clients of the proxy see it.

        services: those that are read; all that were used where none is named. behind: ask the emulator itself, so that the proxy
        sees none of it.
        """
        broken = self.world.broken
        used = dict.fromkeys(service for service, _, _ in self.world.calls if service not in broken)
        if "cloudformation" in broken:
            used = {}  # it makes things of any service
        wanted = [service for service in used if not services or service in services]
        url = self.rehearsal.emulator.url if behind else self.rehearsal.proxy.url
        show = self._as_clients_see if behind else lambda value: value
        reader = Reader(lambda service: self._client(service, url), show)
        self._behind = behind
        self.state = reader.everything(wanted, self.world.calls)
        return self.state

    def differences(self) -> list[Difference]:
        """Where the same reads show something else now, and the same each time.

        Not counted is what is shown of something that was deleted, by the identifier that it had: moto goes on listing tags.
        """
        reader = Reader(lambda service: self._client(service, self.rehearsal.proxy.url))
        now = raw = reader.again(self.state.answers)
        before = self.state
        if self._behind:
            calls = [[params, answer] for _, params, answer in self.world.calls]
            texts = frozenset(leaves(calls)) - {self.account, self.region}
            shown = Shown(texts, json.dumps(calls, default=str, ensure_ascii=False))
            before, now = as_shown(before, shown), as_shown(now, shown)
        ended = self.world.ended()
        found = [
            each
            for each in differences(before, now)
            if ended.isdisjoint(map(short_name, leaves(json.loads(each.asked.params))))
            and not self._is_own_address(each)
        ]
        if found:
            if any(map(is_time, found)):
                time.sleep(SECONDS_SHOWN)  # a time of the moment is another one by then
            later = reader.again(dict.fromkeys(each.asked for each in found))
            first = State({asked: raw.answers[asked] for asked in later.answers})
            moving = {(each.asked, each.path) for each in differences(first, later, exact_times=True)}
            found = [each for each in found if (each.asked, each.path) not in moving]
        return found

    def _as_clients_see(self, value: Any) -> Any:
        return _replacer(self.rehearsal.emulator.url, self.rehearsal.proxy.url)(value)

    def _is_own_address(self, difference: Difference) -> bool:
        """Is it the emulator's address in a message that the emulator wrote? No client is shown another one there."""
        if not self._behind or difference.asked.operation != "ReceiveMessage" or not difference.path.endswith(".Body"):
            return False
        return bool(self._as_clients_see(difference.after) == difference.before)

    def _client(self, service: str, url: str) -> Any:
        if (service, url) not in self._clients:
            key = "test" if self.rehearsal.emulator.name == "moto" else self.account
            made = client(service, url, region=self.region, key=key, retries={"max_attempts": 0}, read_timeout=60)
            if self.rehearsal.emulator.name == "moto":
                made.meta.events.register("request-created", self._say_account)
            self._clients[service, url] = made
        return self._clients[service, url]

    def _say_account(self, request: Any, **_: Any) -> None:
        request.headers["x-moto-account-id"] = self.account


class Rehearsal:
    """An emulator with the proxy before it."""

    def __init__(self, emulator: str, scratch: Path, *options: str) -> None:
        self.emulator = Emulator(emulator, scratch)
        self.proxy = Proxy(scratch, "--upstream", self.emulator.url, *options)
        self.players: list[Player] = []

    def player(self, names: list[str], region: str = "us-east-1", account: str = "") -> Player:
        account = account or str(FIRST_ACCOUNT + len(self.players))
        self.players.append(Player(self, account, region, names))
        return self.players[-1]

    def look(self) -> None:
        """Have the proxy look now at what the emulator did by itself, as it does at every interval."""
        request = urllib.request.Request(self.proxy.url + "/_replay/observe", method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200

    def restart(self) -> dict[str, Any]:
        """SIGKILL for both, and both again; the account of the restore."""
        self._settle()
        self.proxy.kill()
        if self.emulator.name == "localstack":
            self.emulator.stop()  # it has to end the servers that it started
        self.emulator.restart()
        self.proxy.again()
        report: dict[str, Any] = self.proxy.status()["last_restore"]
        return report

    def _settle(self) -> None:
        journal = self.proxy.journal
        deadline = time.monotonic() + 10
        while journal.exists() and time.time() - journal.stat().st_mtime < QUIET_S and time.monotonic() < deadline:
            time.sleep(0.05)

    def end(self) -> None:
        self.proxy.end()
        self.emulator.stop()


def named(difference: Difference, report: dict[str, Any], *, by_member: bool = False) -> bool:
    """Does the report name a difference: a problem or finding of its service that speaks of the same member or thing?

    by_member: of the same member, since every thing has times.
    """
    member = difference.path.rstrip("[]").rpartition(".")[2]
    words = {*_texts(json.loads(difference.asked.params)), *_texts(difference.before), *_texts(difference.after)}
    told = re.compile(
        "|".join(rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in (member, *(() if by_member else words)) if word)
        or "(?!)"
    )
    return any(
        each["call"].partition(":")[0] == difference.asked.service
        and told.search(
            json.dumps([each["call"], each.get("reason"), each.get("message"), each.get("details")], ensure_ascii=False)
        )
        for each in (*report["problems"], *report["findings"])
    )


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def _replacer(here: str, there: str) -> Callable[[Any], Any]:
    """Puts the proxy's address, as clients name it, in the place of the emulator's, by whatever name that goes."""
    old, new = here.rpartition(":")[2], there.removeprefix("http://")
    port = new.rpartition(":")[2]
    emulators = re.compile(rf"(?<![\w.-])((?:[\w-]+\.)*)(localhost|127\.0\.0\.1):{old}(?!\d)")

    def named(found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}:{port}" if found[1] else new

    def replace(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: replace(each) for name, each in value.items()}
        if isinstance(value, list):
            return [replace(each) for each in value]
        return emulators.sub(named, value) if isinstance(value, str) else value

    return replace
