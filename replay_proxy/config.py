"""Every setting once: flag, environment variable, default, meaning.

`SETTINGS` is the one definition; the command line's options, `--help`, the environment and `docs/settings.md` are all
read from it. A flag wins over the environment, the environment over the default. Names that LocalStack's users already
know (`PERSISTENCE`, `DATA_DIR`, `SNAPSHOT_*`) keep LocalStack's spelling and meaning.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
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
class Setting:
    """The definition of one setting. `default` is text, as a user would write it; empty means "not set"."""

    name: str
    env: str
    default: str
    parse: Callable[[str], Any]
    meaning: str
    metavar: str
    verbs: frozenset[str]

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return "--" + self.name.replace("_", "-")


def _setting(
    env: str, default: str, parse: Callable[[str], Any], meaning: str, metavar: str, *, verbs: str = "serve"
) -> Any:
    """A field of `Settings`; `verbs` are the commands that take it, separated by blanks."""
    parts = (env, default, parse, meaning, metavar, frozenset(verbs.split()))
    return field(default=None, metadata={"setting": parts})


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


EMULATORS = ("moto", "ministack", "localstack")
SAVE_STRATEGIES = ("ON_REQUEST", "SCHEDULED", "ON_SHUTDOWN", "MANUAL")
LOAD_STRATEGIES = ("ON_STARTUP", "ON_REQUEST", "MANUAL")
WHEN_UNRECORDABLE = ("refuse", "continue")
LOG_FORMATS = ("console", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The value of every setting. Made by `resolve`."""

    listen: Address = _setting(
        "REPLAY_LISTEN",
        "127.0.0.1:4566",
        parse_address,
        "where clients reach the proxy; AWS_ENDPOINT_URL of the clients points here",
        "HOST:PORT",
    )
    upstream: str | None = _setting(
        "REPLAY_UPSTREAM",
        "",
        parse_url,
        "the emulator behind the proxy, which somebody else runs (or COMMAND, given after --)",
        "URL",
        verbs="serve restore",
    )
    emulator: str | None = _setting(
        "REPLAY_EMULATOR",
        "",
        choice_of(*EMULATORS),
        "an emulator that the proxy starts and supervises itself on a free loopback port; moto when neither this nor "
        "--upstream is given",
        "|".join(EMULATORS),
    )
    emulator_python: Path | None = _setting(
        "REPLAY_EMULATOR_PYTHON",
        "",
        parse_path,
        "the Python interpreter that has the --emulator installed; the proxy's own when not set",
        "PATH",
    )
    data_dir: Path = _setting(
        "DATA_DIR",
        "./recordings",
        parse_path,
        "the recording: recorded_api_calls.json, blobs/ and what belongs to them",
        "DIR",
        verbs="serve restore plan compact check import aliases export",
    )
    persistence: bool = _setting("PERSISTENCE", "1", parse_switch, "1 records and restores; 0 only forwards", "0|1")
    save_strategy: str = _setting(
        "SNAPSHOT_SAVE_STRATEGY",
        "SCHEDULED",
        choice_of(*SAVE_STRATEGIES),
        "what an acknowledged call survives. ON_REQUEST: a power cut. SCHEDULED: the death of proxy and emulator; of a "
        "power cut, all but the last interval. ON_SHUTDOWN: as SCHEDULED, with one fsync at a clean stop. MANUAL: a "
        "restore goes back to the last save that was asked for",
        "|".join(SAVE_STRATEGIES),
    )
    flush_interval: float = _setting(
        "SNAPSHOT_FLUSH_INTERVAL",
        "15",
        parse_seconds,
        "seconds between two fsyncs under SCHEDULED",
        "SECONDS",
    )
    when_unrecordable: str = _setting(
        "REPLAY_WHEN_UNRECORDABLE",
        "refuse",
        choice_of(*WHEN_UNRECORDABLE),
        "what happens to state-changing calls while they cannot be recorded (a full disk). refuse: a 503 that says why, "
        "before they are sent. continue: they go through, with a loud warning, and will be missing after a restart",
        "|".join(WHEN_UNRECORDABLE),
    )
    load_strategy: str = _setting(
        "SNAPSHOT_LOAD_STRATEGY",
        "ON_STARTUP",
        choice_of(*LOAD_STRATEGIES),
        "ON_STARTUP restores before the first request is let through. ON_REQUEST is ready at once, restores a service with "
        "what it needs at its first request, and the rest when idle. MANUAL restores when asked, by POST "
        "/_localstack/state/load or /_localstack/state/SERVICE/load",
        "|".join(LOAD_STRATEGIES),
    )
    compaction: bool = _setting(
        "REPLAY_COMPACTION",
        "1",
        parse_switch,
        "1 leaves out of a restore what no longer matters, such as messages that were deleted; 0 replays every call",
        "0|1",
        verbs="serve restore plan",
    )
    compact_percentage: int = _setting(
        "REPLAY_COMPACT_PERCENTAGE",
        "100",
        parse_percentage,
        "rewrite the recording to its live part, in the background, when it has grown by so much since the last time; "
        "0 never does",
        "PERCENT",
    )
    compact_min_size: int = _setting(
        "REPLAY_COMPACT_MIN_SIZE",
        "4m",
        parse_bytes,
        "the size, large bodies included, below which a recording is not rewritten in the background",
        "BYTES",
    )
    restore_concurrency: int | None = _setting(
        "REPLAY_RESTORE_CONCURRENCY",
        "",
        parse_count,
        "how many calls of a restore are under way at a time, as far as their order allows; 1 replays them one by one. "
        "Not set: twice the number of processors, at most 8",
        "N",
        verbs="serve restore plan",
    )
    record_services: Choice = _setting(
        "REPLAY_RECORD_SERVICES",
        "all",
        parse_choice,
        "the services whose calls are recorded: sqs,sns are these alone; all,-sqs are all but one",
        "LIST",
    )
    record_kinds: Choice = _setting(
        "REPLAY_RECORD_KINDS",
        "all",
        parse_choice,
        "the kinds of calls that are recorded: infrastructure, data (objects, items, messages), or all",
        "LIST",
    )
    restore_services: Choice = _setting(
        "REPLAY_RESTORE_SERVICES",
        "all",
        parse_choice,
        "the services whose recorded calls are restored; as --record-services. The others stay in the recording",
        "LIST",
        verbs="serve restore plan",
    )
    restore_kinds: Choice = _setting(
        "REPLAY_RESTORE_KINDS",
        "all",
        parse_choice,
        "the kinds of recorded calls that are restored; as --record-kinds",
        "LIST",
        verbs="serve restore plan",
    )
    read_only: bool = _setting(
        "REPLAY_READ_ONLY",
        "0",
        parse_switch,
        "1 restores the recording, and writes nothing into its directory; several proxies may share one then",
        "0|1",
    )
    gate_timeout: float = _setting(
        "REPLAY_GATE_TIMEOUT",
        "300",
        parse_seconds,
        "how long a request may wait for the emulator or a restore before it gets a 503 that SDKs retry",
        "SECONDS",
    )
    lost_timeout: float = _setting(
        "REPLAY_LOST_TIMEOUT",
        "10",
        parse_seconds,
        "how long a request waits for an --upstream that went away before it gets a 503 that SDKs retry",
        "SECONDS",
    )
    answer_timeout: float = _setting(
        "REPLAY_ANSWER_TIMEOUT",
        "900",
        parse_seconds,
        "how long the emulator may be silent before a request to it is given up with a 503; longer than the longest that it "
        "may rightly take (a Lambda function runs for 15 minutes at most)",
        "SECONDS",
    )
    ready_timeout: float = _setting(
        "REPLAY_READY_TIMEOUT",
        "120",
        parse_seconds,
        "how long to wait for the emulator to answer after a start",
        "SECONDS",
        verbs="serve restore",
    )
    call_timeout: float = _setting(
        "REPLAY_CALL_TIMEOUT",
        "60",
        parse_seconds,
        "how long one replayed call may take, its retries included, before the restore goes on without it",
        "SECONDS",
        verbs="serve restore",
    )
    body_threshold: int = _setting(
        "REPLAY_BODY_THRESHOLD",
        "256k",
        parse_bytes,
        "bodies larger than this are streamed, and recorded as files in blobs/",
        "BYTES",
    )
    control_token: str | None = _setting(
        "REPLAY_CONTROL_TOKEN",
        "",
        str,
        "a secret that requests to the proxy's own endpoints must carry, except for health: `Authorization: Bearer TOKEN` or "
        "`X-Replay-Token: TOKEN`",
        "TOKEN",
    )
    secret_key: str | None = _setting(
        "REPLAY_SECRET_KEY",
        "",
        str,
        "the secret access key to sign with, for an emulator that verifies signatures; without it replayed requests "
        "carry a placeholder",
        "KEY",
        verbs="serve restore",
    )
    log_format: str = _setting(
        "REPLAY_LOG_FORMAT",
        "console",
        choice_of(*LOG_FORMATS),
        "console is for reading; json is one JSON object a line",
        "|".join(LOG_FORMATS),
        verbs="serve restore",
    )
    log_level: str = _setting(
        "REPLAY_LOG_LEVEL",
        "info",
        choice_of(*LOG_LEVELS),
        "the least important message that is logged",
        "|".join(LOG_LEVELS),
        verbs="serve restore",
    )


SETTINGS: tuple[Setting, ...] = tuple(Setting(each.name, *each.metadata["setting"]) for each in fields(Settings))


def add_options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Give `parser` an option for every setting of `verb`."""
    for setting in SETTINGS:
        if verb in setting.verbs:
            default = f"default: {setting.default}" if setting.default else "not set by default"
            more: dict[str, Any] = {"nargs": "?", "const": "1"} if setting.parse is parse_switch else {}
            parser.add_argument(
                setting.flag,
                dest=setting.name,
                metavar=setting.metavar,
                default=None,
                **more,
                help=f"{setting.meaning} [{setting.env}; {default}]",
            )


def resolve(args: argparse.Namespace, env: Mapping[str, str] | None = None) -> Settings:
    """The value of every setting: from the command line, else from the environment, else the default.

    Raises:
        UsageError: a value that cannot be understood; the message names the flag or the variable it came from.
    """
    environment = os.environ if env is None else env
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        given: str | None = getattr(args, setting.name, None)
        source = setting.flag
        if given is None:
            given, source = environment.get(setting.env) or setting.default, setting.env
        try:
            values[setting.name] = setting.parse(given) if given else None
        except UsageError as error:
            raise UsageError(f"{source}: {error.message}", hint=error.hint) from error
        if values[setting.name] is None and given is not None and source == setting.flag and setting.default:
            raise UsageError(f"{source}: an empty value", hint=f"leave it out for the default, {setting.default}")
    return Settings(**values)
