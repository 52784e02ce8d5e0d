"""Tell whether a recorded call can be sent as one, and why not where it cannot. Pure.

A line may be whole, and still hold what HTTP cannot carry: it was edited, came from another tool, or another program wrote
it. One such call must not keep all others from being restored, so it is named a flaw of its record (`Record.flaw`), counted
as failed, and left alone by everything that decides about calls.

Nor is a request sent that is no call at all, whatever its line says that it is: a request for a tunnel, or one by which an
emulator is controlled. A recording of somebody else's could empty the emulator with it in the middle of a restore.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from replay_proxy.exchange import Headers, Request
from replay_proxy.wire.models.control_paths import flaw_of_target, with_bucket_in_path

LATEST_YEAR: Final = 9000
"""So far from the end of the calendar that adding a retention to a time does no harm."""
MS_MAX: Final = 1e12
"""Milliseconds that a call may have taken: some thirty years."""

# RFC 9110, section 5.6.2: token. RFC 9112, section 3.2: a request target holds no white space and no control characters.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_NOT_IN_TARGET: Final = re.compile(r"[\x00-\x20\x7f]")
_NOT_IN_VALUE: Final = re.compile(r"[\x00\r\n]")
_SHOWN: Final = 60
_NO_CALLS: Final = frozenset({"CONNECT", "TRACE"})
"""Methods that are about the connection, and that no API has."""


def flaw_of_request(request: Request) -> str:
    """Return why a request cannot be sent; empty where it can."""
    if not _TOKEN(request.method):
        return f"its method is {_shown(request.method)}"
    if not request.target or _NOT_IN_TARGET.search(request.target):
        return f"a space or a control character in its target, {_shown(request.target)}"
    if request.method.upper() in _NO_CALLS:
        return f"its method is {request.method}, which no API has"
    if flaw := flaw_of_target(with_bucket_in_path(request).target):
        return f"{flaw}: {_shown(request.target)}"
    return _flaw_of_headers(request.headers)


def _flaw_of_headers(headers: Headers) -> str:
    for name, value in headers.pairs:
        if not _TOKEN(name):
            return f"a header field is called {_shown(name)}"
        if _NOT_IN_VALUE.search(value):
            return f"a line break in its header field {name}"
    return ""


def flaw_of_times(time: str, duration_ms: float) -> str:
    """Return why a record's time or duration (milliseconds) cannot be one; empty where both can."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return f"its time is {_shown(time)}"
    if moment.tzinfo is None or not 1970 <= moment.year <= LATEST_YEAR:
        return f"its time is {_shown(time)}"
    if not 0 <= duration_ms <= MS_MAX:
        return f"it took {duration_ms:g} ms"
    return ""


def with_spaces_encoded(target: str) -> str:
    """Return the target with its spaces percent-encoded, as a browser sends them.

    Control characters stay: `flaw_of_request` names them, and an import refuses them.
    """
    return target.replace(" ", "%20")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
