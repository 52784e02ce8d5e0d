"""Entries of lists that a description shows under another name, and in another form: rules of security groups, of network ACLs.

An entry was recorded as a client sent it; the emulator shows it among others of the same protocol and ports. So what is looked
for is one shown entry that has every value of the recorded one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final

from replay_proxy.doctor.answers import table
from replay_proxy.resources.resource import Hidden, Long, Resource, leaves

_ALL_PROTOCOLS: Final = "-1"


@dataclass(frozen=True, slots=True)
class LostEntry:
    """An entry of the list in a member that is not shown. values: those that tell it, by their names."""

    member: str
    values: frozenset[tuple[str, str]]

    @property
    def words(self) -> str:
        """What it says."""
        return " ".join(f"{name}={value}" for name, value in sorted(self.values))

    def is_in(self, parameters: Mapping[str, Any]) -> bool:
        """Tell whether a call with these parameters may have made it."""
        return self.values <= _values(parameters, [name for name, _value in self.values])


def lost_listed(resource: Resource, operations: frozenset[str], shown: Mapping[str, Any]) -> Iterator[LostEntry]:
    """Return each recorded entry that is not shown (`lists` in data/readings.json).

    operations: that changed the resource. Lists from which something was taken off are left out: it may have been a part of an
    entry.
    """
    for listed in table()["lists"]:
        member = listed["member"]
        entries, those = resource.attributes.get(member), shown.get(listed["shown"])
        if listed["kind"] != f"{resource.service}:{resource.key.noun}" or not isinstance(entries, list):
            continue
        if not isinstance(those, list) or operations & set(listed["taken_off_by"]):
            continue
        held = [_values(each, listed["compared"]) for each in those if isinstance(each, Mapping)]
        for entry in entries:
            if not isinstance(entry, Mapping):
                continue
            values = _values(entry, listed["compared"])
            if values and not any(values <= each for each in held):
                yield LostEntry(member, frozenset(values))


def _values(entry: Mapping[str, Any], compared: list[str]) -> set[tuple[str, str]]:
    values = {
        (path.rpartition(".")[2], _plain(value))
        for path, value in leaves(entry)
        if path.rpartition(".")[2] in compared and not isinstance(value, Hidden | Long) and value is not None
    }
    if ("IpProtocol", _ALL_PROTOCOLS) in values:
        return {each for each in values if not each[0].endswith("Port")}  # all ports, too
    return {each for each in values if each[0] != "IpProtocol" or not each[1].isdecimal()}


def _plain(value: Any) -> str:
    text = str(value)
    try:
        return str(ip_network(text, strict=False)) if "/" in text else text
    except ValueError:
        return text
