"""The resources that calls have made or named so far, by every name under which a later call may mean them.

A *thing* is a text, `SERVICE NAME`: a resource, under the name by which it was known first. Its other names (id, ARN, URL, and
the parts of these that members take) lead to the same thing, as far as one call showed them together.
"""

from __future__ import annotations

from collections.abc import Iterable

from replay_proxy.footprint.members.answer_identifiers import AnswerTexts
from replay_proxy.footprint.names.name_index import NameIndex, words
from replay_proxy.footprint.names.resource_names import (
    arn_service,
    names_in_identifier,
    services_of_arn,
    short_name,
)


def thing(service: str, name: str) -> str:
    """Return the thing that a name stands for in a service where nothing else is known of it."""
    return f"{service} {name}"


def service_of(known: str) -> str:
    """Return the service of a thing."""
    return known.partition(" ")[0]


def is_of(service: str, text: str) -> bool:
    """Tell whether a text can name a resource of a service: it is no ARN, or an ARN of that service."""
    namespace = arn_service(text)
    return not namespace or service in services_of_arn(namespace)


class KnownResources:
    """The things, by their names. Memory: the names, those that an emulator drew twice; the identifiers of data."""

    def __init__(self) -> None:
        self._names: NameIndex[str] = NameIndex()
        self._drawn: set[str] = set()
        self._of_data: dict[str, str] = {}

    def add(self, names: Iterable[str], known: str) -> None:
        """Let a thing be known by these names."""
        for name in names:
            self._names.add(name, known)

    def note_drawn(self, names: Iterable[str]) -> None:
        """Note that an emulator drew these names, so that they are others when the thing is made again."""
        self._drawn.update(names)

    def note_data(self, identifier: str, known: str) -> None:
        """Note what an emulator drew for data, such as the id of a message. It names no resource; `known` is that part of one.

        A resource may be called after it all the same. Identifiers of several words are left: none of a message is one.
        """
        if words(identifier) == [identifier]:
            self._of_data[identifier] = known

    def drawn_in(self, text: str) -> set[str]:
        """Return the things of which a drawn name stands in a text. Whatever that text names, it will be written otherwise."""
        drawn = [name for name in self._names.names_in(text) if name in self._drawn]
        found = {known for name in drawn for known in self._names.owners(name)}
        return found | self.data_in(text)

    def data_in(self, text: str) -> set[str]:
        """Return the data of which a drawn identifier is a word of a text."""
        return {self._of_data[word] for word in words(text) if word in self._of_data} if self._of_data else set()

    def owners(self, name: str) -> set[str]:
        """Return the things of any service that are known by exactly this name."""
        return set(self._names.owners(name))

    def named(self, service: str, text: str) -> set[str]:
        """Return the things of a service that a text names as a whole: by its own spelling, or as what all have in common."""
        for name in dict.fromkeys((text, short_name(text))):
            found = {known for known in self._names.owners(name) if service_of(known) == service}
            if found:
                return found
        return set()

    def referred_to(self, text: str) -> set[str]:
        """Return the things whose names are in a text. Where an ARN tells their service, and it has such, only those."""
        found: set[str] = set()
        for _name, namespace, owners in self._names.found_in(text):
            if namespace:
                services = services_of_arn(namespace)
                found.update([each for each in owners if service_of(each) in services] or owners)
            else:
                found.update(owners)
        return found | self.data_in(text)

    def named_within(self, text: str) -> set[str]:
        """Return the things that a text names by parts of it: a cluster and a service in `service/one/two`. None in an ARN."""
        if text.startswith("arn:"):
            return set()
        found = self._names.found_in(text)
        return {known for name, _, owners in found if name != text for known in owners}


def names_of(value: str, answer: AnswerTexts) -> list[str]:
    """Return the names in an identifier that an answer shows, the whole identifier first.

    Parts that the answer shows as numbers, too, are revisions, and no names. Nor are the parts of a path that it shows
    elsewhere as one name (`/aws/lambda/worker`).
    """
    names = names_in_identifier(value)
    whole = any(name in answer.paths for name in names[1:])
    return [*names[:1], *(name for name in names[1:] if name not in answer.counted and (not whole or "/" in name))]
