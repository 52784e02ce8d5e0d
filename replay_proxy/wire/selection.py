"""Which services, and which kinds of calls, a person wants recorded or restored.

Lists are written as `config.parse_choice` says. Services have botocore's names; the kinds are those of `mutability`:
infrastructure and data.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from replay_proxy.config import Settings
from replay_proxy.errors import UsageError
from replay_proxy.exchange import CallHead
from replay_proxy.values import Choice
from replay_proxy.wire.models import service_names
from replay_proxy.wire.mutability import Kind, kind


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected by service and by kind. services_flag, kinds_flag: the settings, for reasons."""

    services: Choice
    kinds: Choice
    services_flag: str
    kinds_flag: str

    @property
    def is_everything(self) -> bool:
        """Is nothing left out?"""
        return self.services == _EVERYTHING and self.kinds == _EVERYTHING

    def check(self) -> Selection:
        """The same, if its names exist. Raises UsageError."""
        _known(
            self.services.words,
            service_names() if self.services.words else (),
            self.services_flag,
            "a service that botocore knows",
        )
        _known(self.kinds.words, [each.value for each in Kind], self.kinds_flag, "a kind of calls")
        return self

    def refusal(self, head: CallHead | None, *, witness: bool = False) -> str:
        """Why a call is not selected; empty where it is. Of a read (`witness`), the service alone decides.

        What was not recognised is always selected.
        """
        if head is None:
            return ""
        if not self.services.has(head.service):
            return f"switched off: {head.service} is not among {self.services_flag}"
        if not witness and self.kinds != _EVERYTHING:
            what = kind(head.service, head.operation).kind.value
            if not self.kinds.has(what):
                return f"switched off: {what} is not among {self.kinds_flag}"
        return ""


_EVERYTHING = Choice()


def to_record(settings: Settings) -> Selection:
    """What is to be recorded. Raises UsageError for a name that does not exist."""
    return Selection(settings.record_services, settings.record_kinds, "--record-services", "--record-kinds").check()


def to_restore(settings: Settings) -> Selection:
    """What is to be restored. Raises UsageError for a name that does not exist."""
    return Selection(settings.restore_services, settings.restore_kinds, "--restore-services", "--restore-kinds").check()


def _known(words: Iterable[str], names: Iterable[str], flag: str, what: str) -> None:
    words = sorted(words)
    if not words:
        return
    names = list(names)
    for word in words:
        if word in names:
            continue
        close = difflib.get_close_matches(word, names, 3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"among them are {', '.join(names[:5])}"
        raise UsageError(f"{flag}: {word!r} is not {what}", hint=hint)
