"""The first screen: a tree of resources beside (in narrow windows above) the chosen one."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Input, OptionList, Static, Tree

from replay_proxy.journal.read.reader import Recording
from replay_proxy.reports.browser.call_screen import CallScreen
from replay_proxy.reports.browser.details import ResourceDetails
from replay_proxy.reports.browser.journal_screen import JournalScreen
from replay_proxy.reports.browser.resource_tree import ResourceTree
from replay_proxy.reports.call_document import call_document
from replay_proxy.reports.inspect_text import grouped, summary_line
from replay_proxy.reports.plain_text import plain
from replay_proxy.reports.selection import Selection, names_of
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import Resource


class ResourcesScreen(Screen[None]):
    """Resources to choose from, and the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search"),
        Binding("b,backspace", "go_back", "Back"),
        Binding("c", "journal", "Calls"),
        Binding("tab", "app.focus_next", "Other pane"),
        Binding("q", "app.quit", "Quit"),
        Binding("escape", "leave_search", "", show=False),
    ]
    DEFAULT_CSS = """
    #summary { height: 1; padding: 0 1; background: $primary; color: $text; text-overflow: ellipsis; text-wrap: nowrap; }
    #search { height: 1; border: none; padding: 0 1; }
    #left { width: 2fr; min-width: 30; }
    #details { width: 3fr; height: 100%; border: round $primary; padding: 0 1; background: $surface; }
    #details > .option-list--option-disabled { color: $foreground; }
    ResourceTree { border: round $primary; height: 1fr; background: $surface; }
    ResourceTree:focus, #details:focus { border: round $accent; }
    ResourcesScreen {
        &.-narrow #panes { layout: vertical; }
        &.-narrow #left { width: 100%; height: 2fr; }
        &.-narrow #details { width: 100%; height: 3fr; }
    }
    """

    def __init__(self, recording: Recording, model: ResourceModel, selection: Selection) -> None:
        super().__init__()
        self.recording = recording
        self.model = model
        self.selection = selection
        self.resources = selection.resources(model)
        self._names = {each.number: "\n".join(names_of(model, each)).lower() for each in self.resources}
        self._trail: list[Resource] = []
        self._current: Resource | None = None
        self._found = self.resources

    def compose(self) -> ComposeResult:
        """Lay the browser out."""
        yield Static(
            Text(f"{plain(self.recording.origin or str(self.recording.data_dir), 60)}   {summary_line(self.model)}"),
            id="summary",
        )
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield Input(placeholder="search: name, id, ARN, type, tag", id="search", compact=True)
                yield ResourceTree(self.model)
            yield ResourceDetails(self.model)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fill the tree, and choose the first resource."""
        tree = self.query_one(ResourceTree)
        tree.fill(self.resources, opened=False)
        tree.focus()
        if self.resources:
            places = grouped(self.model, self.resources)
            first = next(iter(next(iter(next(iter(places.values())).values())).values()))[0]
            self._show(first)
            tree.show(first)
        else:
            self.query_one(ResourceDetails).add_option("no resources: `c` shows the calls")

    # Choosing.

    def on_tree_node_highlighted(self, event: Tree.NodeHighlighted[Any]) -> None:
        """Show the resource that the cursor is on."""
        if isinstance(event.node.data, Resource) and self.query_one(ResourceTree).has_focus:
            self._show(event.node.data)

    def on_tree_node_selected(self, event: Tree.NodeSelected[Any]) -> None:
        """Go over to a resource."""
        if isinstance(event.node.data, Resource):
            self._show(event.node.data)
            self.query_one(ResourceDetails).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Follow a link, or open a call."""
        kind, _, number = (event.option_id or "").rstrip("+").partition(":")
        if kind == "call":
            self._open_call(int(number))
        elif kind == "resource" and int(number) in self.model.resources:
            if self._current is not None:
                self._trail.append(self._current)
            self._go_to(self.model.resources[int(number)])

    def _show(self, resource: Resource) -> None:
        if resource is not self._current:
            self._current = resource
            self.query_one(ResourceDetails).show(resource)

    def _go_to(self, resource: Resource) -> None:
        tree = self.query_one(ResourceTree)
        self._show(resource)
        if not tree.show(resource):
            # A search, or a filter, has left it out.
            self.query_one("#search", Input).value = ""
            tree.fill(list(self.model.resources.values()), opened=False)
            tree.show(resource)
        self.query_one(ResourceDetails).focus()

    def _open_call(self, seq: int) -> None:
        record = self.recording.fetch(seq)
        self.app.push_screen(CallScreen(call_document(record, lambda ref: b"".join(self.recording.blobs.read(ref)))))

    # Keys.

    def action_search(self) -> None:
        """Go to where one types."""
        self.query_one("#search", Input).focus()

    def action_leave_search(self) -> None:
        """Show everything again."""
        self.query_one("#search", Input).value = ""
        self.query_one(ResourceTree).focus()

    def action_go_back(self) -> None:
        """Go back the way that links led."""
        if self._trail:
            self._go_to(self._trail.pop())

    def action_journal(self) -> None:
        """Show the calls."""
        self.app.push_screen(JournalScreen(self.model, self.selection.calls(self.model), self._open_call))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the resources that fit what was typed."""
        if event.input.id != "search":
            return
        words = event.value.lower().split()
        self._found = [each for each in self.resources if all(word in self._text(each) for word in words)]
        self.query_one(ResourceTree).fill(self._found, opened=bool(words))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the first resource that was found."""
        if event.input.id == "search" and self._found:
            tree = self.query_one(ResourceTree)
            first = min(self._found, key=lambda each: (not _is_called(each, event.value), each.number))
            self._show(first)
            tree.show(first)
            tree.focus()

    def _text(self, resource: Resource) -> str:
        tags = " ".join(f"{key}={value}" for key, value in resource.tags.items()).lower()
        return f"{self._names[resource.number]} {resource.type.lower()} {tags}"


def _is_called(resource: Resource, text: str) -> bool:
    return resource.label.lower() == text.strip().lower()
