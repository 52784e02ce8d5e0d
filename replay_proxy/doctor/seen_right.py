"""What earlier diagnoses saw right: the attributes of each resource that the emulator showed as they were recorded.

Emulators do not keep all that they are given. So an attribute that is shown otherwise, or not at all, says little by itself. It
says much where the same emulator had shown it right, and no recorded call has changed the resource since: then something else
did. Shown is a value wherever the reads of the resource have it, under whatever name: rules, filters and inputs are entries of
lists, and each read has a form of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from replay_proxy.doctor.texts import texts_in
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import Hidden, Long, Resource

PATHS_MAX: Final = 200
"""Of one resource."""

SeenJson = dict[str, list[Any]]
"""By the id of a resource: the number of the call up to which it counts, and the paths."""


class SeenRight:
    """What was seen right of the resources of a model. earlier: what `as_json` returned after an earlier diagnosis."""

    def __init__(self, model: ResourceModel, earlier: Mapping[str, list[Any]] | None = None) -> None:
        self._model = model
        self._unattributed: dict[str, int] = {}
        for entry in model.calls:
            if entry.kind == "mutation" and not entry.resources and not entry.failed:
                self._unattributed[entry.service] = entry.seq
        self._earlier: dict[int, frozenset[str]] = {}
        for resource in model.resources.values():
            until, paths = (earlier or {}).get(model.id(resource), (None, ()))
            if until == self._until(resource):
                self._earlier[resource.number] = frozenset(paths)
        self._now: dict[int, set[str]] = defaultdict(set)

    def note(self, resource: Resource, path: str) -> None:
        """Note that an attribute is shown as recorded."""
        if len(self._now[resource.number]) < PATHS_MAX:
            self._now[resource.number].add(path)

    def was(self, resource: Resource, path: str) -> bool:
        """Return whether an earlier diagnosis saw it so, and no recorded call may have changed it since."""
        return path in self._earlier.get(resource.number, ())

    def as_json(self) -> SeenJson:
        """Return what this diagnosis and earlier ones saw, for the next one."""
        found: SeenJson = {}
        for resource in self._model.resources.values():
            paths = self._earlier.get(resource.number, frozenset()) | self._now.get(resource.number, set())
            if paths:
                found[self._model.id(resource)] = [self._until(resource), sorted(paths)]
        return found

    def _until(self, resource: Resource) -> int:
        """Return the number of the last call that may have changed a resource: also of one that is known to be about none."""
        return max(resource.made_by, *resource.changed_by, self._unattributed.get(resource.service, 0))


def missing_texts(attributes: Mapping[str, Any], described: Iterator[Any]) -> Iterator[tuple[str, str]]:
    """Return each attribute with the text of it that no description has, the longest of several; "" where they have all.

    A member of a structure counts by itself. described: what the reads of the resource have shown.
    """
    held = Counter(text.casefold() for value in described for text in texts_in(value))
    for path, value in _parts(attributes):
        texts = list(_values_in(value))
        wanted = Counter(text.casefold() for text in texts)
        if wanted:
            # The longest says most: not a name of a member of a document, nor one of many numbers.
            yield (
                path,
                max((text for text in texts if held[text.casefold()] < wanted[text.casefold()]), key=len, default=""),
            )


def _parts(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for member, value in attributes.items():
        if isinstance(value, Mapping):
            yield from ((f"{member}.{name}", below) for name, below in value.items())
        else:
            yield member, value


def _values_in(value: Any) -> Iterator[str]:
    """Return the texts and numbers in an attribute: of structures without the names of members, which reads write otherwise."""
    if isinstance(value, Hidden | Long):
        return
    if isinstance(value, Mapping):
        for below in value.values():
            yield from _values_in(below)
    elif isinstance(value, list):
        for below in value:
            yield from _values_in(below)
    else:
        yield from texts_in(value)
