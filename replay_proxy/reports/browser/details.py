"""One resource: what identifies it, its attributes, its links and what links to it, its calls. What leads on can be chosen."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from replay_proxy.reports.inspect_text import GLOBAL, data_text, origin, titled, value_lines
from replay_proxy.reports.plain_text import moment, plain
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import CallEntry, Resource, shown

_LINES_MAX = 400
_CALLS_MAX = 500


class ResourceDetails(OptionList):
    """The chosen resource. Options whose id is `resource:NUMBER` or `call:SEQ` lead there."""

    def __init__(self, model: ResourceModel) -> None:
        super().__init__(id="details")
        self.border_subtitle = "enter: follow a link, open a call"
        self.model = model
        self._call_of: dict[int, CallEntry] = {call.seq: call for call in model.calls}

    def show(self, resource: Resource) -> None:
        """Show a resource."""
        self.clear_options()
        self.border_title = Text(plain(resource.type, 60))
        ids: set[str] = set()
        options: list[Option] = []
        for text, target in self._entries_of(resource):
            # An id stands once in a list; what leads to the same place again is numbered.
            place = target
            while place and place in ids:
                place += "+"
            ids.add(place)
            options.append(Option(text, id=place or None, disabled=not target))
        self.add_options(options)
        first = next((at for at, option in enumerate(options) if not option.disabled), None)
        self.highlighted = first
        self.scroll_home(animate=False)

    def _entries_of(self, resource: Resource) -> Iterator[tuple[Text, str]]:
        model = self.model
        yield Text(titled(resource), style="bold"), ""
        yield _pair("account", plain(model.account_of(resource)) or "not known"), ""
        yield _pair("region", plain(resource.key.region) or GLOBAL), ""
        if model.arn(resource):
            yield _pair("arn", plain(model.arn(resource), 2048)), ""
        for member, value in resource.identifiers.items():
            if value not in (model.arn(resource), resource.label):
                yield _pair(plain(member, 40), plain(value, 2048)), ""
        if resource.data is not None:
            yield _pair("data", data_text(resource.data)), ""
        yield from self._origin_entries(resource)
        yield from self._link_entries(resource)
        if resource.tags:
            yield _heading("Tags"), ""
            for key, value in resource.tags.items():
                yield _pair(f"  {plain(key, 60)}", plain(value)), ""
        if resource.attributes:
            yield _heading("Attributes"), ""
            for number, line in enumerate(value_lines(shown(resource.attributes), "  ")):
                if number >= _LINES_MAX:
                    yield Text("  … (`inspect --resource` prints all)", style="dim"), ""
                    break
                yield Text(line), ""
        yield from self._call_entries(resource)

    def _origin_entries(self, resource: Resource) -> Iterator[tuple[Text, str]]:
        made = self._call_of.get(resource.made_by)
        if made is not None:
            yield _pair("created by", _call_text(made)), f"call:{made.seq}"
        elif resource.maker in self.model.resources:
            maker = self.model.resources[resource.maker]
            yield _pair("made by", f"{maker.type} {titled(maker)}"), f"resource:{maker.number}"
        else:
            yield _pair("origin", origin(self.model, resource)), ""
        last = self._call_of.get(resource.changed_by[-1]) if resource.changed_by else None
        if last is not None:
            yield _pair("last changed", _call_text(last)), f"call:{last.seq}"

    def _link_entries(self, resource: Resource) -> Iterator[tuple[Text, str]]:
        links = self.model.links(resource)
        if links:
            yield _heading("Links to"), ""
        for link in links[:_LINES_MAX]:
            other = self.model.resources.get(link.target)
            if other is None:
                yield _arrow("→", f"not in the recording: {plain(link.text)}", link.member, style="red"), ""
            else:
                yield _arrow("→", f"{other.type} {titled(other)}", link.member), f"resource:{other.number}"
        dependents = self.model.dependents(resource)
        if dependents:
            yield _heading("Depended on by"), ""
        for other, link in dependents[:_LINES_MAX]:
            yield _arrow("←", f"{other.type} {titled(other)}", link.member), f"resource:{other.number}"
        parts = self.model.made_by_resource(resource)
        if parts:
            yield _heading("Made by it"), ""
        for other in parts[:_LINES_MAX]:
            yield _arrow("→", f"{other.type} {titled(other)}", ""), f"resource:{other.number}"

    def _call_entries(self, resource: Resource) -> Iterator[tuple[Text, str]]:
        seqs = resource.calls()
        yield _heading(f"Calls ({len(seqs)})"), ""
        for seq in seqs[-_CALLS_MAX:]:
            call = self._call_of.get(seq)
            if call is not None:
                yield Text(f"  {_call_text(call)}"), f"call:{seq}"


def _call_text(call: CallEntry) -> str:
    error = f"  {plain(call.error, 40)}" if call.failed else ""
    return f"{call.seq}  {moment(call.time)}  {plain(call.service, 40)} {plain(call.operation, 80)}{error}"


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold underline")


def _pair(name: str, value: str) -> Text:
    return Text.assemble((f"{name:<13} ", "dim"), value)


def _arrow(sign: str, target: str, member: str, *, style: str = "") -> Text:
    text = Text.assemble((f"  {sign} ", "bold"), (target, style))
    return text.append(f"  {plain(member, 160)}", "dim") if member else text
