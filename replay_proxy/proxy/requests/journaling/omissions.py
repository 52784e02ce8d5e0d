"""What may have changed state and is in no recording all the same, told by kinds.

A request that is no call of a known AWS API may change something, and nobody can say what. So may a WebSocket. (What a
setting leaves out is wanted, and is not told here.) Each *kind* of omission is warned of once, marked in the journal, so
that the next restore says so, and counted: thousands of requests of one kind are one line for whoever reads.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from replay_proxy import log
from replay_proxy.exchange import Request
from replay_proxy.wire.mutability.judge import Effect, judge
from replay_proxy.wire.recognition.form_fields import form_bytes, form_field, is_form, parse_query

_log = log.get("recorder")

KINDS_MAX = 100
"""Kinds that are told apart, so that a client that sends a new one each time does not fill memory, log and journal."""
_NAME_CHARACTERS_MAX = 80
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_OTHERS = ("there are too many kinds to tell them apart", "others")


class Omissions:
    """Kinds of omission, with their counts. mark: called to write a reason into the journal."""

    def __init__(self, mark: Callable[[str], None]) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._mark = mark

    def count(self, why: str, what: str) -> bool:
        """Count one omission, without a warning. Returns whether it is the first of its kind."""
        kind = why, what
        if kind not in self._counts and len(self._counts) >= KINDS_MAX:
            kind = _OTHERS
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        return count == 1

    def add(self, why: str, what: str) -> None:
        """Count an omission, and warn of the first of a kind: `what` may have changed state and was not recorded due to `why`."""
        if self.count(why, what):
            if _OTHERS in self._counts:
                why, what = _OTHERS
            _log.warning(
                "not recorded, and missing after a restart if it changed anything",
                what=what,
                why=why,
                hint="GET /_replay/status counts each kind of these; later ones of this kind are not told",
            )
            self._mark(f"{what} ({why})")

    def add_unrecognised(self, request: Request, status: int) -> None:
        """Add a request that is no known call and was answered with `status`, if it may have changed anything."""
        if 200 <= status < 300 and may_change(request):
            self.add("no call of an AWS API that is known here", request_kind(request))

    @property
    def total(self) -> int:
        """The number of omissions of all kinds."""
        return sum(self._counts.values())

    def as_json(self) -> list[dict[str, str | int]]:
        """Return the kinds for `/_replay/status`, the most frequent first."""
        ordered = sorted(self._counts.items(), key=lambda entry: -entry[1])
        return [{"what": what, "why": why, "count": count} for (why, what), count in ordered]


def may_change(request: Request) -> bool:
    """Return whether a request that is no known call may have changed anything, by the action or method that it names."""
    action = _action(request)
    if action:
        return judge("", action).effect is Effect.MUTATES
    return request.method in _CHANGING


def request_kind(request: Request) -> str:
    """Return the kind of a request: its method, the beginning of its path, and the action that it names."""
    path = urlsplit(request.path).path if request.path.startswith("http") else request.path
    first, slash, rest = path.lstrip("/").partition("/")
    place = f"/{first}{'/…' if slash and rest else ''}"
    action = _action(request)
    return " ".join(part[:_NAME_CHARACTERS_MAX] for part in (request.method, place, action) if part)


def _action(request: Request) -> str:
    target = request.headers.get("x-amz-target")
    if target:
        return target.rpartition(".")[2]
    if request.query and "Action=" in request.query:
        return parse_query(request.query).get("Action", "")
    if request.method == "POST" and is_form(request.headers.get("content-type")):
        return form_field(form_bytes(request), b"Action")
    return ""
