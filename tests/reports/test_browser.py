"""The browser in the terminal, driven by keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from replay_proxy.cli.main import main
from replay_proxy.journal.read.reader import read
from replay_proxy.reports.moments import model_at
from replay_proxy.reports.selection import Selection
from replay_proxy.resources.resource import Resource
from tests.reports.shop import write_shop
from tests.reports.test_inspect import HOSTILE, hostile

pytest.importorskip("textual", reason="the extra `inspect` is not installed")
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList, Static

from replay_proxy.reports.browser.app import Browser
from replay_proxy.reports.browser.call_screen import CallScreen
from replay_proxy.reports.browser.journal_screen import JournalScreen
from replay_proxy.reports.browser.resource_tree import ResourceTree


@asynccontextmanager
async def browser(
    folder: Path, *keys: str, size: tuple[int, int] = (120, 40), selection: Selection | None = None
) -> AsyncIterator[tuple[Browser, Pilot[None]]]:
    recording = read(folder)
    app = Browser(recording, model_at(recording, ""), selection or Selection())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        yield app, pilot


def details(app: Browser) -> list[str]:
    options = app.screen.query_one("#details", OptionList)
    return [plain(options.get_option_at_index(at).prompt) for at in range(options.option_count)]


def plain(prompt: Any) -> str:
    return prompt.plain.strip() if isinstance(prompt, Text) else str(prompt).strip()


def listed(app: Browser) -> set[str]:
    """The resources that the tree shows."""
    found: set[str] = set()

    def walk(nodes: Sequence[Any]) -> None:
        for node in nodes:
            if isinstance(node.data, Resource):
                found.add(node.data.label)
            walk(node.children)

    walk(app.screen.query_one(ResourceTree).root.children)
    return found


async def choose(app: Browser, pilot: Pilot[None], text: str) -> None:
    """Choose the entry of the details that holds a text."""
    options = app.screen.query_one("#details", OptionList)
    options.focus()
    options.highlighted = next(at for at, line in enumerate(details(app)) if text in line)
    await pilot.press("enter")
    await pilot.pause()


def shown(app: Browser) -> str:
    return str(app.screen.query_one("#call", Static).content)


async def test_a_new_user_finds_a_queue_its_maker_and_what_depends_on_it(tmp_path: Path) -> None:
    async with browser(write_shop(tmp_path), "slash", *"orders", "enter") as (app, pilot):
        lines = details(app)
        assert lines[0] == "orders"
        assert any(line.startswith("created by") and "2026-01-31 12:00:02  sqs CreateQueue" in line for line in lines)
        assert any(line.startswith("last changed") and "sqs TagQueue" in line for line in lines)
        assert ["←", "AWS::Lambda::Function", "worker", "Environment.Variables.QUEUE_URL"] in [
            line.split() for line in lines
        ]
        await choose(app, pilot, "created by")
        assert isinstance(app.screen, CallScreen)
        assert "QueueName: orders" in shown(app)
        await pilot.press("a")
        assert shown(app).startswith("aws sqs create-queue --queue-name orders")
        await pilot.press("j")
        assert '"operation": "CreateQueue"' in shown(app)


async def test_links_lead_on_and_back(tmp_path: Path) -> None:
    async with browser(write_shop(tmp_path), "slash", *"orders", "enter") as (app, pilot):
        await choose(app, pilot, "AWS::Lambda::Function worker")
        assert details(app)[0] == "worker"
        assert listed(app) == {"orders", "dead", "items", "worker", "9a1b"}
        await choose(app, pilot, "AWS::DynamoDB::Table items")
        assert details(app)[0] == "items"
        await pilot.press("b")
        assert details(app)[0] == "worker"
        await pilot.press("b")
        assert details(app)[0] == "orders"


async def test_search_and_filters_narrow_the_tree(tmp_path: Path) -> None:
    folder = write_shop(tmp_path)
    async with browser(folder, "slash", *"team=shop") as (app, pilot):
        assert listed(app) == {"orders"}
        await pilot.press("escape")
        await pilot.pause()
        assert len(listed(app)) == 5
        app.screen.query_one("#search", Input).value = "nothing like it"
        await pilot.pause()
        assert listed(app) == set()
    async with browser(folder, selection=Selection(services=("lambda",))) as (app, _):
        assert listed(app) == {"worker", "9a1b"}


async def test_the_journal_is_a_table(tmp_path: Path) -> None:
    async with browser(write_shop(tmp_path), "c") as (app, pilot):
        assert isinstance(app.screen, JournalScreen)
        table = app.screen.query_one(DataTable)
        assert table.row_count == 12
        await pilot.press("f")
        assert table.row_count == 1
        await pilot.press("f", "slash", *"putitem")
        await pilot.pause()
        assert table.row_count == 2
        await pilot.press("enter", "enter")
        await pilot.pause()
        assert isinstance(app.screen, CallScreen)
        await pilot.press("escape", "escape")
        assert not isinstance(app.screen, CallScreen | JournalScreen)


@pytest.mark.parametrize(("width", "beside"), [(120, True), (70, False)])
async def test_in_a_narrow_window_the_panes_stand_one_above_the_other(tmp_path: Path, width: int, beside: bool) -> None:
    async with browser(write_shop(tmp_path), size=(width, 40)) as (app, pilot):
        tree, options = app.screen.query_one(ResourceTree).region, app.screen.query_one("#details").region
        assert (tree.x < options.x) is beside
        assert (tree.y < options.y and tree.width == width) is not beside
        await pilot.press("l")
        assert app.theme == "textual-light"
        assert "orders" in app.export_screenshot()


async def test_a_hostile_recording_does_nothing_but_show(tmp_path: Path) -> None:
    async with browser(hostile(tmp_path)) as (app, pilot):
        assert len(listed(app)) == len(HOSTILE)
        tree = app.screen.query_one(ResourceTree)
        for _ in range(3 + len(HOSTILE)):
            await pilot.press("down")
            await pilot.pause()
            text = "\n".join(details(app))
            assert {char for char in text if not char.isprintable()} <= {"\n"}
        assert tree.cursor_node is not None
        assert "[red]markup[/red]" in "\n".join(listed(app))
        await pilot.press("c", "enter")
        await pilot.pause()
        await pilot.press("j")
        assert {char for char in shown(app) if not char.isprintable()} <= {"\n"}
        assert "\x1b]0;owned" not in app.export_screenshot()


def test_without_the_library_text_is_printed_and_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("replay_proxy.reports.browser")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("textual", "textual.app", "textual.binding", "textual.screen"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("replay_proxy.cli.recordings.inspect._is_interactive", lambda: True)
    assert main(["inspect", str(write_shop(tmp_path))]) == 0
    captured = capsys.readouterr()
    assert "AWS::SQS::Queue  orders" in captured.out
    assert "pip install 'replay-proxy[inspect]'" in captured.err
