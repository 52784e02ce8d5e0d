"""One call: its request and its answer as text or JSON, or as an `aws` command."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from replay_proxy.reports.inspect_text import call_text_lines
from replay_proxy.reports.json_text import json_text
from replay_proxy.reports.plain_text import plain

_SHOWN_MAX = 200_000
"""Characters of a call that are laid out at once."""


class CallForm(StrEnum):
    """How a call is shown."""

    TEXT = "text"
    JSON = "JSON"
    COMMAND = "aws command"


class CallScreen(Screen[None]):
    """A call in full."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "form('TEXT')", "Text"),
        Binding("j", "form('JSON')", "JSON"),
        Binding("a", "form('COMMAND')", "aws command"),
        Binding("escape,backspace,q", "app.pop_screen", "Back"),
    ]
    DEFAULT_CSS = """
    CallScreen VerticalScroll { border: round $primary; padding: 0 1; }
    CallScreen Static { width: 100%; height: auto; }
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__()
        self.document = document
        self.form = CallForm.TEXT

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield VerticalScroll(Static(id="call"))
        yield Footer()

    def on_mount(self) -> None:
        """Show the call as text."""
        self.action_form("TEXT")

    def action_form(self, name: str) -> None:
        """Show the call in another form."""
        self.form = CallForm[name]
        scroll = self.query_one(VerticalScroll)
        title = f"call {self.document['seq']}  {self.document['service']} {self.document['operation']}"
        scroll.border_title = Text(plain(title, 100))
        scroll.border_subtitle = Text(self.form.value)
        text = self._text()
        if len(text) > _SHOWN_MAX:
            text = f"{text[:_SHOWN_MAX]}\n… ({len(text):,} characters; `inspect --call {self.document['seq']} --json` prints all)"
        self.query_one("#call", Static).update(Text(text))
        scroll.scroll_home(animate=False)

    def _text(self) -> str:
        match self.form:
            case CallForm.JSON:
                return json_text(self.document)
            case CallForm.COMMAND:
                command = str(self.document["aws"])
                return (
                    plain(command, _SHOWN_MAX)
                    if command
                    else "not a call of an AWS service: there is no command for it"
                )
            case CallForm.TEXT:
                return "\n".join(call_text_lines(self.document))
