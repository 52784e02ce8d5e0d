"""What the sender and the log are told of messages that are not HTTP: why, and nothing of what is in them.

The errors of aiohttp's parser quote what they could not read: a request line with its query, which may hold a signature, or a
field with a token. A quotation tells nobody more than the reason does, so it is left out everywhere.
"""

from __future__ import annotations

import re

from aiohttp.http_exceptions import BadStatusLine, InvalidHeader, InvalidURLError, LineTooLong

from replay_proxy.proxy.http.limits import HEAD_BYTES_MAX, HEADER_FIELDS_MAX

REASON_CHARACTERS_MAX = 200
"""Characters of a reason that are logged."""
TOO_LARGE = f"the head of the request is larger than {HEAD_BYTES_MAX} bytes or {HEADER_FIELDS_MAX} fields"
TOO_LATE = "the head of the request took too long"
_QUOTED = re.compile(r"""(?:\bb|:\s*)['"].*|:?\s*\n.*""", re.DOTALL)
_TOO_MANY = "Too many headers"


def reason(error: BaseException | str) -> str:
    """Return why something could not be read or written, on one line of at most `REASON_CHARACTERS_MAX`, and quote nothing."""
    if isinstance(error, LineTooLong):
        return "a line of the head is too long"
    if isinstance(error, InvalidHeader):
        return "a field of the head is malformed"
    if isinstance(error, BadStatusLine):
        return "the first line is malformed"
    if isinstance(error, InvalidURLError):
        return "the target is malformed"
    # The parser's own text comes first; what it quotes follows, between quotation marks or on lines of its own.
    said = _QUOTED.sub("", str(getattr(error, "message", "") or error).strip()).strip(" :,")
    return said[:REASON_CHARACTERS_MAX] or type(error).__name__


def refusal_of(error: BaseException | None) -> tuple[int, str]:
    """Return status and text of the answer to a request that the parser refused: 431 for what is too large, else 400."""
    if error is None:
        return 400, "the request is malformed"
    if isinstance(error, LineTooLong) or str(getattr(error, "message", "")).startswith(_TOO_MANY):
        return 431, TOO_LARGE
    return 400, reason(error)
