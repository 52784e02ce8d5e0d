"""What the values of settings look like: from a user's text to what the program uses. Each raises `UsageError`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from replay_proxy.errors import UsageError

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a TCP port to listen on; port 0 asks the system for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """`HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `PORT`."""
    host, colon, port = text.strip().rpartition(":")
    if not colon:
        host, port = "", text.strip()
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{text!r} is not an address to listen on", hint="write HOST:PORT, as in 127.0.0.1:4566")
    return Address(host, int(port))


def parse_url(text: str) -> str:
    """The base URL of an emulator, `http://HOST:PORT`; a missing scheme means http."""
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
    """`1`, `true`, `yes`, `on` or `0`, `false`, `no`, `off`."""
    word = text.strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise UsageError(f"{text!r} is neither on nor off", hint="write 1 or 0")


def parse_seconds(text: str) -> float:
    """A duration in seconds, more than zero."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400 * 365:
        raise UsageError(f"{text!r} is not a number of seconds", hint="write a number greater than 0, as in 15")
    return seconds


def parse_count(text: str) -> int:
    """A number of things, at least one."""
    word = text.strip()
    if not word.isdecimal() or not 0 < int(word) <= 1000:
        raise UsageError(f"{text!r} is not a number from 1 to 1000", hint="write a whole number, as in 4")
    return int(word)


def parse_bytes(text: str) -> int:
    """A size in bytes, with an optional suffix k, m or g (powers of 1024)."""
    word = text.strip().lower().removesuffix("ib").removesuffix("b")
    factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(word[-1:], 1)
    digits = word.rstrip("kmg") if factor > 1 else word
    if not digits.isdecimal() or int(digits) == 0:
        raise UsageError(f"{text!r} is not a size", hint="write bytes, or a number with k, m or g, as in 256k")
    return int(digits) * factor


def parse_percentage(text: str) -> int:
    """A whole number of per cent, 0 or more."""
    word = text.strip().removesuffix("%").rstrip()
    if not word.isdecimal():
        raise UsageError(f"{text!r} is not a percentage", hint="write a whole number, as in 100; 0 switches it off")
    return int(word)


def parse_path(text: str) -> Path:
    """A path of the file system; `~` is the home directory."""
    return Path(text).expanduser()


def choice_of(*words: str) -> Callable[[str], str]:
    """A parser for one of `words`; case does not matter."""
    by_lower = {word.lower(): word for word in words}

    def parse(text: str) -> str:
        found = by_lower.get(text.strip().lower())
        if found is None:
            raise UsageError(f"{text!r} is not one of {', '.join(words)}", hint=f"write one of: {', '.join(words)}")
        return found

    return parse


@dataclass(frozen=True, slots=True)
class Choice:
    """A list of names. taken: None for all. left_out: whatever is taken."""

    taken: frozenset[str] | None = None
    left_out: frozenset[str] = frozenset()

    def has(self, word: str) -> bool:
        """Is it in the list?"""
        return word not in self.left_out and (self.taken is None or word in self.taken)

    @property
    def words(self) -> frozenset[str]:
        """Every name that the list mentions."""
        return self.left_out | (self.taken or frozenset())


def parse_choice(text: str) -> Choice:
    """Names with commas between. `sqs,sns`: these alone. `-sqs`, or `all,-sqs`: all others. `all`."""
    taken: set[str] = set()
    left_out: set[str] = set()
    every = False
    for word in (part.strip().lower() for part in text.split(",")):
        if word == "all":
            every = True
        elif word.startswith("-") and word[1:].strip():
            left_out.add(word[1:].strip())
        elif word and not word.startswith("-"):
            taken.add(word)
        else:
            hint = "write names with commas between: sqs,sns or all,-sqs"
            raise UsageError(f"{text!r} is not a list of names", hint=hint)
    return Choice(None if every or not taken else frozenset(taken), frozenset(left_out))
