"""The parsers of the values of settings: from a user's text to what the program uses. Each raises `UsageError`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from replay_proxy.errors import UsageError

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})

_DIGITS = re.compile(r"[0-9]{1,15}").fullmatch
_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15}").fullmatch
_SIZE = re.compile(r"([0-9]{1,15})\s*(?:([kmg])(?:i?b)?|b)?", re.ASCII | re.IGNORECASE).fullmatch
_HOST_PATTERN = re.compile(r"[a-z0-9*._:-]{1,255}").fullmatch
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a TCP port to listen on; port 0 asks the system for a free one.

    or_free: whether a free port is taken where `port` is not to be had.
    """

    host: str
    port: int
    or_free: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}{'+' if self.or_free else ''}"


def parse_address(text: str) -> Address:
    """Return the address in `HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `PORT`; without a host, 127.0.0.1.

    A `+` behind the port: a free port where that one is taken.
    """
    stripped = text.strip()
    host, colon, port = stripped.removesuffix("+").rpartition(":")
    if not colon:
        host, port = "", stripped.removesuffix("+")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    number = _whole(port)
    if number is None or number > 65535:
        raise UsageError(f"{text!r} is not an address to listen on", hint="write HOST:PORT, as in 127.0.0.1:4566")
    return Address(host, number, or_free=stripped.endswith("+"))


def parse_url(text: str) -> str:
    """Return the base URL of an emulator, `http://HOST:PORT`; a missing scheme means http."""
    url = text.strip() if "://" in text else f"http://{text.strip()}"
    hint = "write http://HOST:PORT, as in http://127.0.0.1:5000"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{text!r} is not the URL of an emulator: {error}", hint=hint) from error
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"{text!r} is not the URL of an emulator", hint=hint)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(f"{text!r} has a path; an emulator is addressed by host and port alone", hint=hint)
    return f"{parts.scheme}://{parts.netloc}"


def parse_switch(text: str) -> bool:
    """Return True for `1`, `true`, `yes`, `on`, and False for `0`, `false`, `no`, `off`."""
    word = text.strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise UsageError(f"{text!r} is neither on nor off", hint="write 1 or 0")


def parse_seconds(text: str) -> float:
    """Return a duration in seconds, more than zero: digits, and a decimal point where it is needed."""
    word = text.strip()
    seconds = float(word) if _DECIMAL(word) else 0.0
    if not 0 < seconds <= 86_400 * 365:
        raise UsageError(
            f"{text!r} is not a number of seconds",
            hint="write seconds without a unit, more than 0 and at most a year, as in 15 or 0.5",
        )
    return seconds


def parse_count(text: str) -> int:
    """Return a number of things, 1 to 1000."""
    count = _whole(text.strip())
    if count is None or not 0 < count <= 1000:
        raise UsageError(f"{text!r} is not a number from 1 to 1000", hint="write a whole number, as in 4")
    return count


def parse_bytes(text: str) -> int:
    """Return a size in bytes. It may have a unit, in capitals or not: k, kb and kib are 1024, and so on for m and g."""
    found = _SIZE(text.strip())
    size = None if found is None else _whole(found[1])
    if found is None or not size:
        raise UsageError(
            f"{text!r} is not a size",
            hint="write bytes, or a whole number with one of the units k, m and g (powers of 1024), as in 256k",
        )
    return size * _FACTORS[(found[2] or "").lower()]


def parse_percentage(text: str) -> int:
    """Return a whole number of per cent, 0 or more."""
    share = _whole(text.strip().removesuffix("%").rstrip())
    if share is None:
        raise UsageError(f"{text!r} is not a percentage", hint="write a whole number, as in 100; 0 switches it off")
    return share


def _whole(word: str) -> int | None:
    """Return a whole number of at most 15 digits; None where `word` is none."""
    return int(word) if _DIGITS(word) else None


def parse_path(text: str) -> Path:
    """Return a path of the file system; `~` is the home directory."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{text!r} is not a path: {error}", hint="write ./~NAME for a name that begins so") from error


def one_of(*words: str) -> Callable[[str], str]:
    """Return a parser that accepts one of `words`; case does not matter."""
    by_lower = {word.lower(): word for word in words}

    def parse(text: str) -> str:
        found = by_lower.get(text.strip().lower())
        if found is None:
            raise UsageError(f"{text!r} is not one of {', '.join(words)}", hint=f"write one of: {', '.join(words)}")
        return found

    return parse


@dataclass(frozen=True, slots=True)
class NameFilter:
    """A choice of names. included: None for all. excluded: left out, whatever is included."""

    included: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()

    def has(self, word: str) -> bool:
        """Return whether the name `word` is chosen."""
        return word not in self.excluded and (self.included is None or word in self.included)

    @property
    def words(self) -> frozenset[str]:
        """Return every name that the choice mentions."""
        return self.excluded | (self.included or frozenset())


def parse_name_filter(text: str) -> NameFilter:
    """Return a choice of names with commas between. `sqs,sns`: these alone. `-sqs`, `all,-sqs`: all others. `all`: all."""
    included: set[str] = set()
    excluded: set[str] = set()
    every = False
    for word in (part.strip().lower() for part in text.split(",")):
        if word == "all":
            every = True
        elif word.startswith("-") and word[1:].strip():
            excluded.add(word[1:].strip())
        elif word and not word.startswith("-"):
            included.add(word)
        else:
            hint = "write names with commas between: sqs,sns or all,-sqs"
            raise UsageError(f"{text!r} is not a list of names", hint=hint)
    return NameFilter(None if every or not included else frozenset(included), frozenset(excluded))


@dataclass(frozen=True, slots=True)
class HostPatterns:
    """Names of hosts, each exact or with `*` for any characters."""

    patterns: tuple[str, ...] = ()

    def match(self, host: str) -> bool:
        """Return whether a host, in any case and with or without a final dot, is one of them."""
        name = host.lower().removesuffix(".")
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)


def parse_host_patterns(text: str) -> HostPatterns:
    """Return names of hosts with commas between; `*` stands for any characters, and `.example.com` for `*.example.com`."""
    patterns = []
    for word in text.split(","):
        name = word.strip().lower().removesuffix(".")
        if not _HOST_PATTERN(name):
            raise UsageError(
                f"{text!r} is not a list of hosts", hint="write names with commas between: pypi.org,*.npmjs.org"
            )
        patterns.append(f"*{name}" if name.startswith(".") else name)
    return HostPatterns(tuple(patterns))
