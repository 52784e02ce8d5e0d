"""An emulator that tells other accounts, or other identities, than before: no report says that all is as it was."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.errors import DivergedError
from tests.e2e.test_accounts import OTHER, Holder
from tests.support.processes import Emulator, Proxy, left_out, replay_proxy
from tests.support.relay import Relay

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(300)]
long = pytest.mark.skipif(left_out(0.5) is not None, reason=left_out(0.5) or "")


class Liar(Relay):
    """Tells something else in each answer that holds a word, once it has been told what. told: how often it did."""

    def __init__(self, port: int, word: str) -> None:
        self.lie: Callable[[str], str] = str
        self.told = 0
        self._word = word
        super().__init__(port)

    def pass_on(  # type: ignore[override]
        self, port: int, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        status, given, answer = Relay.pass_on(port, method, target, headers, body)
        text = answer.decode("utf-8", "surrogateescape")
        if self._word not in text:
            return status, given, answer
        lie = self.lie(text)
        self.told += lie != text
        return status, given, lie.encode("utf-8", "surrogateescape")


def one_account_for_all(text: str) -> str:
    """As an emulator that does not know the credentials does."""
    return re.sub(OTHER, "000000000000" if "000000000000" in text else "123456789012", text)


def another_account(text: str) -> str:
    return re.sub(r"(<Account>\d{3})\d", r"\g<1>7", text)


def another_account_in_arns(text: str) -> str:
    return re.sub(r"(<Arn>arn:aws:\w+::\d{3})\d", r"\g<1>7", text)


def another_session(text: str) -> str:
    return text.replace("deploy</Arn>", "deploi</Arn>").replace(":deploy<", ":deploi<")


CALLER, ROLE = "<GetCallerIdentityResult>", "<AssumeRoleResult>"
LIES = [
    pytest.param("moto", CALLER, one_account_for_all, id="moto-one-account"),
    pytest.param("moto", ROLE, another_session, id="moto-session"),
    pytest.param("ministack", CALLER, another_account, id="ministack-account"),
    pytest.param("moto", CALLER, another_account, id="moto-account", marks=long),
    pytest.param("moto", CALLER, another_session, id="moto-session-of-caller", marks=long),
    pytest.param("moto", ROLE, another_account_in_arns, id="moto-arn-of-role", marks=long),
    pytest.param("ministack", CALLER, another_account_in_arns, id="ministack-arn", marks=long),
    pytest.param("ministack", ROLE, another_account_in_arns, id="ministack-arn-of-role", marks=long),
]


@contextmanager
def recorded(emulator: str, word: str, folder: Path) -> Iterator[tuple[Emulator, Liar, Proxy]]:
    """What somebody did at home and in a role of another account, and who they were told that they are."""
    server = Emulator(emulator, folder)
    relay = Liar(server.port, word)
    proxy = Proxy(folder, "--upstream", relay.url)
    try:
        home = Holder(proxy.url)
        home("sts").get_caller_identity()
        home("sqs").create_queue(QueueName="ours")
        role = home.assume(OTHER, "deploy")
        role("sts").get_caller_identity()
        role("sqs").create_queue(QueueName="theirs")
        proxy.stop()
        server.restart()
        yield server, relay, proxy
    finally:
        proxy.end()
        relay.close()
        server.stop()


@pytest.mark.parametrize(("emulator", "word", "lie"), LIES)
def test_who_is_told_to_be_somebody_else_diverged(
    emulator: str, word: str, lie: Callable[[str], str], tmp_path: Path
) -> None:
    with recorded(emulator, word, tmp_path) as (_, relay, proxy):
        relay.lie = lie
        proxy.again()
        report = proxy.status()["last_restore"]
        assert relay.told > 0
        assert report["diverged"] > 0, report
        assert report["total"] == sum(report[each] for each in ("restored", "diverged", "failed", "uncertain"))
        assert f"diverged={report['diverged']}" in proxy.log


def test_the_verb_says_so_by_its_exit_code(tmp_path: Path) -> None:
    with recorded("moto", CALLER, tmp_path) as (server, relay, proxy):
        data = tmp_path / "again"
        shutil.copytree(proxy.data_dir, data)
        (data / "session.json").unlink(missing_ok=True)

        def restore() -> subprocess.CompletedProcess[Any]:
            command = [*replay_proxy(), "restore", "--data-dir", str(data), "--upstream", relay.url]
            return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        assert restore().returncode == 0
        (data / "session.json").unlink(missing_ok=True)
        server.restart()
        relay.lie = another_account
        told = restore()
        assert told.returncode == DivergedError.exit_code, told
        assert "had no equivalent outcome" in told.stderr
