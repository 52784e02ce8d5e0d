"""The calls as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Input

from replay_proxy.reports.inspect_text import touched_text
from replay_proxy.reports.plain_text import clock, plain
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import CallEntry
from replay_proxy.wording import counted

_ROWS_MAX = 2000
_COLUMNS = ("seq", "time", "service", "operation", "status", "resources")


class JournalScreen(Screen[None]):
    """The journal, the latest calls of many; a text filters all of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search"),
        Binding("f", "failed", "Failed only"),
        Binding("escape,backspace,q", "leave", "Back"),
    ]
    DEFAULT_CSS = """
    JournalScreen DataTable { height: 1fr; border: round $primary; }
    """

    def __init__(self, model: ResourceModel, calls: Sequence[CallEntry], opened: Callable[[int], None]) -> None:
        """opened: is called with the number of the call that was chosen."""
        super().__init__()
        self._model = model
        self._calls = calls
        self._opened = opened
        self._failed = False

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield Input(placeholder="service, operation, error or resource", id="journal-search", compact=True)
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Show the latest calls."""
        table = self.query_one(DataTable)
        table.add_columns(*_COLUMNS)
        self._fill()
        table.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the calls that fit what was typed."""
        self._fill(event.value)

    def on_input_submitted(self) -> None:
        """Go to the table."""
        self.query_one(DataTable).focus()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Open a call."""
        if event.row_key.value is not None:
            self._opened(int(event.row_key.value))

    def action_search(self) -> None:
        """Go to where one types."""
        self.query_one(Input).focus()

    def action_failed(self) -> None:
        """Show failed calls only, or all again."""
        self._failed = not self._failed
        self._fill(self.query_one(Input).value)

    def action_leave(self) -> None:
        """Leave the search, or the screen."""
        if self.query_one(Input).has_focus:
            self.query_one(DataTable).focus()
        else:
            self.app.pop_screen()

    def _fill(self, text: str = "") -> None:
        folded = text.lower()
        found = [call for call in self._calls if self._fits(call, folded)]
        table = self.query_one(DataTable)
        table.clear()
        for call in found[-_ROWS_MAX:]:
            status = f"{call.status} {call.error}" if call.error else str(call.status)
            table.add_row(
                Text(str(call.seq), justify="right"),
                Text(clock(call.time)),
                Text(plain(call.service, 30)),
                Text(plain(call.operation, 60)),
                Text(plain(status, 50), style="bold red" if call.failed else ""),
                Text(touched_text(self._model, call)),
                key=str(call.seq),
            )
        more = f", the latest {_ROWS_MAX} are shown" if len(found) > _ROWS_MAX else ""
        only = " that failed" if self._failed else ""
        table.border_title = Text(f"{len(found)} of {counted(len(self._calls), 'call')}{only}{more}")
        if found:
            table.move_cursor(row=table.row_count - 1 if not text else 0)

    def _fits(self, call: CallEntry, folded: str) -> bool:
        if self._failed and not call.failed:
            return False
        if not folded:
            return True
        own = f"{call.seq} {call.service} {call.operation} {call.error}".lower()
        return folded in own or folded in touched_text(self._model, call).lower()
