"""The browser as an application: what all of its screens share."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from replay_proxy.journal.read.reader import Recording
from replay_proxy.reports.browser.resources_screen import ResourcesScreen
from replay_proxy.reports.selection import Selection
from replay_proxy.resources.folding.model import ResourceModel

LIGHT, DARK = "textual-light", "textual-dark"


class Browser(App[None]):
    """Shows a recording until somebody leaves."""

    TITLE = "replay-proxy inspect"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - the library declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "light", "Light/dark"),
        Binding("ctrl+q,ctrl+c", "quit", "Quit", show=False),
    ]

    def __init__(self, recording: Recording, model: ResourceModel, selection: Selection) -> None:
        super().__init__()
        self._first = (recording, model, selection)
        self._is_light = False

    def get_default_screen(self) -> Screen[None]:
        """Return the screen of the resources."""
        return ResourcesScreen(*self._first)

    def action_light(self) -> None:
        """Change between light and dark."""
        self._is_light = not self._is_light
        self.theme = LIGHT if self._is_light else DARK
