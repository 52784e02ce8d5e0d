"""Times as texts in messages: ISO 8601, seconds or milliseconds since the epoch, HTTP dates.

Read one, write another in the same form, and find fast whether bytes may hold one of a period.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from math import floor

_IN_WORDS = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:UTC|GMT)\)$")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:?00)?")
_EPOCH = re.compile(r"(\d{10})(\.\d+)?")
_MILLISECONDS = re.compile(r"\d{13}")
_HTTP = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
FORMS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d %b %Y %H:%M:%S")
"""In which times are written, to the second."""
_PREFIXES_MAX = 2
_MICRO = 10**6


def parse_time(text: str) -> float | None:
    """Return a time in a text as seconds since the epoch; None where it is no time of a known form."""
    if len(text) < 10 or len(text) > 40:
        return None
    try:
        if match := _EPOCH.fullmatch(text):
            return float(text)
        if _MILLISECONDS.fullmatch(text):
            return int(text) / 1000
        if match := _ISO.fullmatch(text):
            return datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp() + float(match[2] or 0)
        if _HTTP.fullmatch(text):
            return parsedate_to_datetime(text).timestamp()
    except ValueError:
        pass
    return None


def time_in_words(text: str) -> tuple[int, int] | None:
    """Return where a time ends a reason that is given in words, `User initiated (2026-11-18 11:06:40 UTC)`; None: nowhere."""
    match = _IN_WORDS.search(text) if text.endswith(")") else None
    return match.span(1) if match else None


def may_be_cut(text: str) -> bool:
    """Tell whether a time in a text, which has no parts of seconds or zeros for them, may be cut to whole seconds."""
    return _parts(text).strip("0") == ""


def shows_zeros(text: str) -> bool:
    """Tell whether a time in a text has zeros for parts of seconds: it is cut to whole seconds, or it happens to be one."""
    return bool(_parts(text)) and may_be_cut(text)


def _parts(text: str) -> str:
    """Return the digits of a time in a text that are parts of seconds."""
    if _MILLISECONDS.fullmatch(text):
        return text[-3:]
    match = _EPOCH.fullmatch(text) or _ISO.fullmatch(text)
    return (match[2] or ".")[1:] if match else ""


def format_like(text: str, seconds: float, *, is_cut: bool = True) -> str:
    """Return a time in the form of `text`. Where that has no fraction, or one of zeros, the new one has the same.

    is_cut: not so where this is False, since the next time in that place may well have parts of seconds: a number is written
    with those that it has.
    """
    # A float tells seconds since the epoch to less than a microsecond, and not always downwards.
    whole, micro = divmod(round(seconds * _MICRO), _MICRO)
    if match := _EPOCH.fullmatch(text):
        if not is_cut and may_be_cut(text):
            return f"{whole}{_shortest(micro) or match[2] or ''}"
        return f"{whole}{_fraction_of_number(match[2], micro)}"
    if _MILLISECONDS.fullmatch(text):
        return str(whole * 1000 if is_cut and may_be_cut(text) else whole * 1000 + micro // 1000)
    when = datetime.fromtimestamp(whole, UTC)
    if match := _ISO.fullmatch(text):
        fraction = _fraction(match[2], micro, is_cut=is_cut)
        return f"{when.strftime('%Y-%m-%d')}{text[10]}{when.strftime('%H:%M:%S')}{fraction}{match[3] or ''}"
    return format_datetime(when, usegmt=True)


def _shortest(micro: int) -> str:
    """Return milliseconds, or microseconds where there are some, as the fraction of a number; nothing where there are none."""
    digits = f"{micro:06d}" if micro % 1000 else f"{micro // 1000:03d}"
    return f".{digits}".rstrip("0") if micro else ""


def _fraction(like: str | None, micro: int, *, is_cut: bool = True) -> str:
    if not like:
        return ""
    digits = len(like) - 1
    if is_cut and not like.strip(".0"):
        return like
    return f".{f'{micro:06d}'.ljust(digits, '0')[:digits]}"


def _fraction_of_number(like: str | None, micro: int) -> str:
    """Return the fraction of a number, which is written without zeros at its end: its digits do not tell how exact it is.

    It is of milliseconds or of microseconds. One that ends in a zero has a fixed number of digits.
    """
    if not like or like.endswith("0") or len(like) > 7:
        return _fraction(like, micro)
    exact = _fraction(".001" if len(like) <= 4 else ".000001", micro).rstrip("0")
    return exact if exact != "." else ".0"


def prefixes_between(begun: float, ended: float) -> tuple[bytes, ...]:
    """Return a few prefixes, as long as possible, of which every written time between these holds one."""
    first, last = floor(begun), floor(ended)
    prefixes: set[str] = set()
    # By how much the last characters of a time count, the seconds first.
    for unit, cut in ((10, 1), (60, 3), (600, 4), (3600, 6), (86400, 9)):
        starts = range(first // unit * unit, last + 1, unit)
        if len(starts) <= _PREFIXES_MAX or unit == 86400:
            for start in starts:
                when = datetime.fromtimestamp(start, UTC)
                prefixes |= {when.strftime(form)[:-cut] for form in FORMS}
            break
    for digits in range(1, 9):
        starts = range(first // 10**digits * 10**digits, last + 1, 10**digits)
        if len(starts) <= _PREFIXES_MAX:
            prefixes.update(str(start)[:-digits] for start in starts)
            break
    return tuple(sorted(prefix.encode() for prefix in prefixes))
