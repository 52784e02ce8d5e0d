"""Whether a link still holds: does the emulator's description of the resource still name its target?

Where a description does not, there are two reasons: the link is gone, or this emulator does not show that member. It is gone
where the description has the map that held the member; where the read of exactly this member answered; where the recorded answer
to the call that set it had shown it; or where another resource of the same type shows the same member today, of a target of the
same type. A read says nothing of a member that its model has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from replay_proxy.doctor.texts import Texts


@dataclass(slots=True)
class Description:
    """What the emulator says of a resource.

    texts: all texts in it, names of members included. shown: the structure that describes it. setters: the operations that
    changed it, the latest first. members: the names, in lower case, that the read's answer can have by its model.
    is_listed_by_name: the read lists names alone, and describes nothing. dedicated: by the read of just what
    such an operation sets, the texts in its answer; empty where nothing is set. set_apart: the attributes, in lower case, that
    these operations can set. parts: these answers. tags: None where nothing shows any.
    has_no_tags: the emulator says so, by an error of its own. tags_beside: that the description shows, where a read of just the
    tags shows others.
    """

    texts: Texts = field(default_factory=Texts)
    shown: Mapping[str, Any] = field(default_factory=dict)
    setters: list[str] = field(default_factory=list)
    members: frozenset[str] = frozenset()
    is_listed_by_name: bool = False
    dedicated: dict[str, Texts] = field(default_factory=dict)
    set_apart: set[str] = field(default_factory=set)
    parts: list[Mapping[str, Any]] = field(default_factory=list)
    tags: Mapping[str, str] | None = None
    has_no_tags: bool = False
    tags_beside: Mapping[str, str] = field(default_factory=dict)

    def names(self, names: frozenset[str]) -> bool:
        """Return whether any of these names is mentioned."""
        return self.texts.mention(names) or any(texts.mention(names) for texts in self.dedicated.values())

    def value_of(self, member: str) -> str | None:
        """Return the text in the member of this name, at the top or in the one structure; None where that is not told so.

        It decides: a service may also show, in another place, what it was tied to before.
        """
        folded = member.lower()
        structures = [self.shown, *(each for each in self.shown.values() if isinstance(each, Mapping))]
        held = [value for each in structures for name, value in each.items() if str(name).lower() == folded]
        return held[0] if len(held) == 1 and isinstance(held[0], str) and held[0] else None

    @property
    def has_empty_part(self) -> bool:
        """Whether something that was set is not set at all any more."""
        return any(not texts for texts in self.dedicated.values())


def is_shown(description: Description, member: str, names: frozenset[str], noun: str) -> bool | None:
    """Return whether a description shows a link; None where it does not say.

    member: the path to the member that holds it. names: of its target. noun: of the resource.
    """
    told = description.value_of(member)
    if told is not None:
        return Texts(told).mention(names)
    if description.names(names):
        return True
    holder = member.partition(".")[0].lower()
    if holder == noun.lower() and member.rpartition(".")[2].lower() not in description.members:
        return None  # `AssociateDhcpOptions` sets the network of `DhcpOptions`, which no read of these has
    setting = _held_in_settings(description, member.split("."))
    if setting is not None:
        return False if setting else None
    if description.dedicated and holder in description.set_apart:
        return False
    return False if holder in description.texts.folded else None


def _held_in_settings(description: Description, path: list[str]) -> bool | None:
    """Return whether the setting that a path is about is shown; None where it is about none.

    Emulators leave out settings that they do not know, and show the others.
    """
    if len(path) < 2 or not path[0].lower().endswith("attributes"):
        return None
    maps = [
        value
        for each in (description.shown, *description.parts)
        for name, value in each.items()
        if str(name).lower() == path[0].lower() and isinstance(value, Mapping)
    ]
    return any(path[1] in each for each in maps)
