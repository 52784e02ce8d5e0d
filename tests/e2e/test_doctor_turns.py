"""The doctor on what is there and was changed behind the proxy's back: switched off, narrowed, turned to something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.diagnoses import examined
from tests.support.more_wiring import TURNS, make, table_lines
from tests.support.processes import Proxy, left_out

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(900)]

DOCUMENT = Path(__file__).parents[2] / "docs" / "doctor.md"


def found_in(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(finding["type"], finding["member"]) for finding in document["findings"]}


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_each_change_is_named_and_mended_and_nothing_else(start_proxy: Callable[..., Proxy], emulator: str) -> None:
    if emulator != "moto" and (reason := left_out(1)):
        pytest.skip(f"the same on {emulator} {reason}")
    proxy = start_proxy("--emulator", emulator, "--check-wiring", "0")
    make(lambda service: client(service, proxy.url))
    assert found_in(examined(proxy)) == set(), "and so the proxy knows what this emulator shows"
    emulator_url = proxy.status()["emulator"]["url"]
    clients: dict[str, Any] = {}

    def aws(service: str) -> Any:
        if service not in clients:
            clients[service] = client(service, emulator_url)
        return clients[service]

    turns = [turn for turn in TURNS if emulator not in turn.unable]
    for turn in turns:
        turn.carry_out(aws)
    mended = examined(proxy, "?repair=1")
    assert found_in(mended["before"]) == set().union(*(turn.findings(emulator) for turn in turns))
    unmended = [turn for turn in turns if emulator in turn.left]
    assert found_in(mended["after"]) == set().union(*(turn.findings(emulator) for turn in unmended))
    problems = {each["call"] for each in mended["repeated"] if each["problem"]}
    assert problems <= ({"dynamodb:UpdateTable"} if emulator == "moto" else set())


def test_the_table_of_the_documents_has_every_change() -> None:
    assert "\n".join(table_lines()) in DOCUMENT.read_text(), "python -m tests.support.more_wiring prints it"
