"""Which texts are drawn alike, so that what holds of one of them holds of all.

A generator of ten letters and digits draws one without any digit now and then. That one is no likelier than its siblings to
be a word that somebody wrote. So whether an alias is looked for everywhere (`distinctive`) is told by all that was shown in
the same member of the same service, in the same form: as long, divided at the same places, and made of characters that the
distinctive ones have, too. A counter, whose numbers are digits alone, has no distinctive sibling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from replay_proxy.identifiers.table.distinctive import is_distinctive

_PLAIN = re.compile(r"[A-Za-z0-9]")
_CLASSES = (re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"[0-9]"))
_INDEX = re.compile(r"\[[^\]]*\]")

_Form = tuple[str, str, str]


def are_drawn_alike(one: str, other: str) -> bool:
    """Return whether two texts of one place are distinctive, or one of them and the other has its form."""
    if is_distinctive(one) and is_distinctive(other):
        return True
    forms = DrawnForms()
    return forms.learn("", "", (one, other)) and all(forms.is_distinctive("", "", text) for text in (one, other))


class DrawnForms:
    """The forms in which distinctive identifiers were shown. It never shrinks: each form once, not each identifier."""

    def __init__(self) -> None:
        self._classes: dict[_Form, set[frozenset[int]]] = {}

    def learn(self, service: str, member: str, texts: Iterable[str]) -> bool:
        """Note what a member of a service showed; return whether that makes other texts distinctive.

        member: as a path (`Items[0].Id`); its last part counts.
        """
        learned = False
        for text in filter(is_distinctive, texts):
            known = self._classes.setdefault(_form(service, member, text), set())
            classes = _classes(text)
            if classes not in known:
                known.add(classes)
                learned = True
        return learned

    def is_distinctive(self, service: str, member: str, text: str) -> bool:
        """Return whether a text is distinctive, or drawn like one that is."""
        if is_distinctive(text):
            return True
        known = self._classes.get(_form(service, member, text))
        return known is not None and any(_classes(text) <= each for each in known)


def _form(service: str, member: str, text: str) -> _Form:
    return service, _INDEX.sub("", member).rpartition(".")[2].lower(), _PLAIN.sub("x", text)


def _classes(text: str) -> frozenset[int]:
    return frozenset(number for number, pattern in enumerate(_CLASSES) if pattern.search(text))
