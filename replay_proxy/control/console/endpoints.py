"""Which request of the page is answered by what.

| endpoint | answer |
|---|---|
| `GET /_replay/` with `Accept: text/html` | the page |
| `GET /_replay/console/page.js`, `page.css` | its script and style |
| `GET /_replay/console/events` | the stream of events (see `viewers`) |
| `GET /_replay/console/restore` | the report of the latest restore |
| `GET /_replay/console/{overview,rows,resources,calls,call}/<at>` | the recording in pieces (see `model_worker`) |
"""

from __future__ import annotations

import gzip
from typing import Final

from replay_proxy.control.answers import problem
from replay_proxy.control.console.model_process import ModelProcessError
from replay_proxy.control.console.proxy_view import restore_view
from replay_proxy.control.console.viewers import VIEWERS_MAX, Viewers
from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.streams import Incoming, Outgoing
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.reports.page.preview import page_json

QUESTIONS: Final = frozenset({"overview", "rows", "resources", "calls", "call"})
_DIGITS_MAX: Final = 15
_EVENTS: Final = Headers(
    (
        ("Content-Type", "text/event-stream"),
        ("Cache-Control", "no-store"),
        ("X-Accel-Buffering", "no"),
        ("X-Content-Type-Options", "nosniff"),
    )
)
_JSON: Final = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)


class Console:
    """The console of one proxy. What it needs is made when somebody asks for the first time."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._viewers: Viewers | None = None

    async def answer(self, incoming: Incoming) -> Outgoing | None:
        """Return the answer to a request below `/_replay/console/` that may have it; None where there is no such endpoint."""
        name, _slash, at = incoming.target.partition("?")[0].removeprefix("/_replay/console/").partition("/")
        if self._viewers is None:
            self._viewers = Viewers(self._proxy)
        if name == "events" and not at:
            if self._viewers.are_too_many:
                return problem(503, f"{VIEWERS_MAX} viewers are connected, and no more are taken", "close one of them")
            return Outgoing(200, "OK", _EVENTS, b"" if incoming.method == "HEAD" else self._viewers.events())
        if name == "restore" and not at:
            return Outgoing(200, "OK", Headers(_JSON), page_json(restore_view(self._proxy)).encode())
        if name in QUESTIONS and len(at) <= _DIGITS_MAX and (at.isdecimal() or not at):
            return await self._piece(self._viewers, name, int(at or 0), incoming)
        return None

    async def _piece(self, viewers: Viewers, name: str, at: int, incoming: Incoming) -> Outgoing:
        try:
            answered = await viewers.ask(name, at)
        except ModelProcessError as error:
            return problem(503, error.message, error.hint)
        body, packed = answered.body, answered.packed
        if packed and "gzip" not in incoming.headers.get("accept-encoding"):
            body, packed = gzip.decompress(body), False
        return Outgoing(200, "OK", Headers((*_JSON, ("Content-Encoding", "gzip")) if packed else _JSON), body)
