"""Which services, and which kinds of calls, are recorded or restored, by the settings.

Recording (`proxy`), restoring (`replay`) and the command line ask this, so it stands below all of them. Lists are
written as `values.parse_name_filter` says. Services have botocore's names; the kinds are those of `wire.mutability`:
infrastructure and data.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from replay_proxy.config import Settings
from replay_proxy.errors import UsageError
from replay_proxy.exchange import CallHead
from replay_proxy.values import NameFilter
from replay_proxy.wire.models.models import service_names
from replay_proxy.wire.mutability.judge import StateKind, gives_credentials, kind


@dataclass(frozen=True, slots=True)
class CallFilter:
    """A choice of calls by service and by kind. services_flag, kinds_flag: the options that made it, for messages."""

    services: NameFilter
    kinds: NameFilter
    services_flag: str
    kinds_flag: str

    @property
    def is_everything(self) -> bool:
        """Return whether no call is left out."""
        return self.services == _EVERYTHING and self.kinds == _EVERYTHING

    def check(self) -> CallFilter:
        """Return this filter if all of its names exist. Raises UsageError."""
        _check_names(
            self.services.words,
            service_names() if self.services.words else (),
            self.services_flag,
            "a service that botocore knows",
        )
        _check_names(self.kinds.words, [each.value for each in StateKind], self.kinds_flag, "a kind of calls")
        return self

    def refusal(self, head: CallHead | None, *, witness: bool = False) -> str:
        """Return why a call is left out; empty where it is chosen. One that gives credentials belongs to all services.

        head: None for what was not recognised, which is always chosen. witness: it is a read; then its service alone
        decides.
        """
        if head is None or gives_credentials(head.service, head.operation):
            return ""
        if not self.services.has(head.service):
            return f"switched off: {head.service} is not among {self.services_flag}"
        if not witness and self.kinds != _EVERYTHING:
            what = kind(head.service, head.operation).kind.value
            if not self.kinds.has(what):
                return f"switched off: {what} is not among {self.kinds_flag}"
        return ""


_EVERYTHING = NameFilter()


def to_record(settings: Settings) -> CallFilter:
    """Return the filter of what is recorded. Raises UsageError for a name that does not exist."""
    return CallFilter(settings.record_services, settings.record_kinds, "--record-services", "--record-kinds").check()


def to_restore(settings: Settings) -> CallFilter:
    """Return the filter of what is restored. Raises UsageError for a name that does not exist."""
    return CallFilter(
        settings.restore_services, settings.restore_kinds, "--restore-services", "--restore-kinds"
    ).check()


def _check_names(words: Iterable[str], names: Iterable[str], flag: str, what: str) -> None:
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
