"""What is switched off, or waits for its end, and was not recorded so (`switches` in data/readings.json)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from replay_proxy.doctor.answers import table
from replay_proxy.doctor.diagnosis import Update
from replay_proxy.doctor.links import Description
from replay_proxy.doctor.members import values_called
from replay_proxy.doctor.readings import Names
from replay_proxy.doctor.updates import named_by_call
from replay_proxy.resources.resource import Resource, leaves


def switched_off(names: Names, description: Description) -> Iterator[tuple[str, str, Update | None]]:
    """Return the member that a finding is about, what the emulator shows, and the call that switches it on.

    None in its place where the recorded calls do.
    """
    resource = names.resource
    yield from _entries_off(names, description)
    shown = [description.shown, *description.parts]
    for switch in _switches_of(resource):
        recorded = dict(leaves(resource.attributes)).get(switch["recorded"])
        needed = switch.get("only_with")
        if recorded in switch["recorded_off"] or (needed and needed not in resource.attributes):
            continue
        values = [value for value in values_called(shown, switch["shown"]) if value is not None]
        # Without words for it, that it is shown at all is what says so.
        off = next((value for value in values if value in switch.get("off", values)), None)
        if off is not None:
            yield needed or switch["recorded"], f"{switch['shown']} is {off}", _switched_on(names, switch)


def not_shown_by_all(resource: Resource) -> frozenset[str]:
    """Return the recorded members that not every emulator shows as switched on (`some_show` in `switches`)."""
    found = (each["recorded"] for each in _switches_of(resource) if "some_show" in each)
    return frozenset(member for member in found if member in resource.attributes)


def shown_on(resource: Resource, description: Description) -> frozenset[str]:
    """Return the recorded members of switches that are shown as switched on: a read that lacks one shows nothing of it."""
    shown = [description.shown, *description.parts]
    on = set()
    for switch in _switches_of(resource):
        values = [value for value in values_called(shown, switch["shown"]) if value is not None]
        if values and not any(value in switch.get("off", values) for value in values):
            on.add(switch["recorded"])
    return frozenset(on)


def _switches_of(resource: Resource) -> Iterator[dict[str, Any]]:
    kind = f"{resource.service}:{resource.key.noun}"
    return (switch for switch in table()["switches"] if switch["kind"] == kind)


def _entries_off(names: Names, description: Description) -> Iterator[tuple[str, str, None]]:
    """Return the entries of lists that are shown as switched off (`entries_off` in data/readings.json)."""
    resource = names.resource
    for switch in table()["entries_off"]:
        entries = resource.attributes.get(switch["member"])
        if switch["kind"] != f"{resource.service}:{resource.key.noun}" or not isinstance(entries, list):
            continue
        recorded = {each.get(switch["named_by"]) for each in entries if isinstance(each, Mapping)}
        lists = (value for part in description.parts for value in part.values() if isinstance(value, list))
        for shown in (each for value in lists for each in value if isinstance(each, Mapping)):
            if shown.get(switch["named_by"]) in recorded and shown.get(switch["shown"]) in switch["off"]:
                yield switch["member"], f"{switch['shown']} is {shown[switch['shown']]}", None
                break


def _switched_on(names: Names, switch: Mapping[str, Any]) -> Update | None:
    """Return the call that switches something on again; None where none is known."""
    entry = switch.get("on")
    parameters = named_by_call(names, entry["operation"]) if entry is not None else None
    return Update(entry["operation"], {**parameters, **entry.get("fixed", {})}) if entry and parameters else None
