"""Timestamps of the AWS protocols: epoch seconds, ISO 8601 and HTTP dates, read from either.

A model names one format a member (the Smithy trait `timestampFormat`), but clients and emulators send others, and
no two formats look alike, so the text decides. Epoch values beyond the year 9999 are milliseconds: the Java SDK's
CBOR writes them so (`application/x-amz-cbor-1.1`), and no clock means that year.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from replay_proxy.errors import MalformedMessage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR_10000_S = 253_402_300_800

_NUMBER = re.compile(r"[+-]?\d{1,32}(\.\d{0,32})?([eE][+-]?\d{1,3})?", re.ASCII)
_ISO_8601 = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,32}))?)?)?\s*([Zz]|[+-]\d\d:?(?:\d\d)?)?",
    re.ASCII,
)


def parse_timestamp(value: object) -> datetime:
    """Return `value` (a number of seconds, or text in any of the formats) as an aware datetime in UTC.

    Raises MalformedMessage where it is none of them, or no time that a datetime can hold.
    """
    try:
        if isinstance(value, datetime):
            return value
        if isinstance(value, bool):
            raise ValueError
        if isinstance(value, int | float):
            return from_epoch(value)
        if isinstance(value, str):
            return _from_text(value.strip())
    except (ValueError, OverflowError, TypeError, IndexError):
        pass
    raise MalformedMessage(f"not a timestamp: {value!r:.80}")


def from_epoch(seconds: float) -> datetime:
    """Return the time of so many seconds since 1970, or milliseconds (see above).

    Raises ValueError or OverflowError where it is out of range.
    """
    if abs(seconds) >= YEAR_10000_S:
        seconds = seconds / 1000
    whole = math.floor(seconds)
    # Microseconds are rounded, as the sender's division had to: 1.003691 is 3691 µs, not 3690.
    return EPOCH + timedelta(seconds=whole, microseconds=round((seconds - whole) * 1_000_000))


def _from_text(text: str) -> datetime:
    iso = _ISO_8601.fullmatch(text)
    # Eight digits are a date to ISO 8601 and a number to everybody else: AWS protocols never send the basic form.
    if iso is not None and not text.isdigit():
        return _from_iso(iso)
    if _NUMBER.fullmatch(text):
        number = float(text)
        return from_epoch(int(text) if text.lstrip("+-").isdigit() else number)
    moment = parsedate_to_datetime(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _from_iso(found: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    moment = datetime(
        int(year),
        int(month),
        int(day),
        int(hour or 0),
        int(minute or 0),
        min(int(second or 0), 59),
        int((fraction or "0")[:6].ljust(6, "0")),
        tzinfo=UTC,
    )
    if second == "60":  # a leap second
        moment += timedelta(seconds=1)
    if zone and zone not in "Zz":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:].lstrip(":") or 0))
        moment = moment - offset if zone[0] == "+" else moment + offset
    return moment
