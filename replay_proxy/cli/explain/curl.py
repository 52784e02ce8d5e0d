"""A curl command line, as people write it and as browsers copy it, to the request that curl would send.

The words are split as a POSIX shell does it, plus bash's `$'..'`; nothing is expanded or run. Words are wire text (one
character a byte), so that `$'\\xff'` and UTF-8 come out as the bytes that curl would get.
Options are curl's own (curl.se/docs/manpage.html): those that shape the request are carried out, those that concern
only the transfer or the output are skipped, and an unknown one is an error, because it might take the next word.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from replay_proxy.errors import UsageError
from replay_proxy.exchange import Headers, Request

ReadFile = Callable[[str], bytes]

_SHORT = {
    "A": "user-agent", "b": "cookie", "c": "cookie-jar", "C": "continue-at", "d": "data", "D": "dump-header",
    "e": "referer", "E": "cert", "F": "form", "H": "header", "K": "config", "m": "max-time", "o": "output",
    "r": "range", "T": "upload-file", "u": "user", "w": "write-out", "x": "proxy", "X": "request", "G": "get",
    "I": "head", "f": "fail", "g": "globoff", "i": "include", "k": "insecure", "L": "location", "n": "netrc",
    "N": "no-buffer", "O": "remote-name", "s": "silent", "S": "show-error", "v": "verbose", "#": "progress-bar",
    "0": "http1.0", "4": "ipv4", "6": "ipv6", "J": "remote-header-name", "q": "disable", "Z": "parallel",
}  # fmt: skip
_DATA = {"data", "data-ascii", "data-binary", "data-raw", "data-urlencode", "json"}
_SHAPING = _DATA | {
    "aws-sigv4", "cookie", "header", "oauth2-bearer", "range", "referer", "request", "upload-file", "url", "user",
    "user-agent",
}  # fmt: skip
_SKIPPED_WITH_VALUE = {
    "cacert", "capath", "cert", "cert-type", "ciphers", "connect-timeout", "connect-to", "continue-at", "cookie-jar",
    "dump-header", "expect100-timeout", "interface", "keepalive-time", "key", "key-type", "limit-rate", "max-redirs",
    "max-time", "noproxy", "output", "output-dir", "proxy", "proxy-user", "request-target", "resolve", "retry",
    "retry-delay", "retry-max-time", "stderr", "trace", "trace-ascii", "unix-socket", "write-out",
}  # fmt: skip
_FLAGS = {
    "anyauth", "basic", "compressed", "create-dirs", "disable", "fail", "fail-with-body", "get", "globoff", "head",
    "http0.9", "http1.0", "http1.1", "http2", "http2-prior-knowledge", "http3", "include", "insecure", "ipv4", "ipv6",
    "location", "location-trusted", "netrc", "no-buffer", "no-keepalive", "no-progress-meter", "parallel", "path-as-is",
    "progress-bar", "raw", "remote-header-name", "remote-name", "retry-all-errors", "retry-connrefused", "show-error",
    "silent", "ssl-reqd", "tcp-nodelay", "tlsv1.2", "tlsv1.3", "verbose",
}  # fmt: skip

_ANSI_ESCAPE = re.compile(
    r"\\(?:(?P<hex>x[0-9a-fA-F]{1,2})|(?P<octal>[0-7]{1,3})|(?P<code>u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8})|(?P<char>.))",
    re.DOTALL,
)
_URL = re.compile(r"[A-Za-z][\w+.-]*://(?P<host>[^/?#]+)(?P<target>[^#]*)")
_ANSI_CHARS = {
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}


def parse_curl(text: str, read_file: ReadFile) -> Request:
    """Return the request that the curl command line `text` would send; UsageError where that cannot be told."""
    words = list(shell_words(text))
    while words and words[0] in ("$", ""):
        words.pop(0)
    command = _Command()
    for name, value in _options(words[1:]):
        command.take(name, value, read_file)
    return command.request()


def target_and_host(url: str) -> tuple[str, str]:
    """Return request target and `Host` of an absolute URL, as they stand in it. UsageError where it is none."""
    found = _URL.match(url)
    if found is None:
        raise UsageError(f"{url!r} is no absolute URL", hint="`http://HOST:PORT/PATH`")
    target = found["target"] if found["target"].startswith("/") else f"/{found['target']}"
    return target, found["host"].rpartition("@")[2]


def shell_words(text: str) -> Iterator[str]:
    """Yield the words of a POSIX shell command line, as wire text. UsageError where a quote is not closed."""
    source = text.encode("utf-8", "surrogateescape").decode("latin-1")
    word: list[str] | None = None
    at = 0
    while at < len(source):
        char = source[at]
        if char in " \t\r\n":
            if word is not None:
                yield "".join(word)
                word = None
            at += 1
            continue
        if char == "\\":
            following = source[at + 1 : at + 2]
            if following in ("\n", "\r"):
                at += 3 if source.startswith("\r\n", at + 1) else 2
                continue
            word = [*(word or []), following]
            at += 2
            continue
        if word is None:
            word = []
        if source.startswith("$'", at):
            end = _closing(source, at + 2, "'", escapes=True)
            word.append(_ANSI_ESCAPE.sub(_ansi, source[at + 2 : end]))
            at = end + 1
        elif char == "'":
            end = _closing(source, at + 1, "'", escapes=False)
            word.append(source[at + 1 : end])
            at = end + 1
        elif char == '"':
            end = _closing(source, at + 1, '"', escapes=True)
            word.append(re.sub(r"\\\r?\n|\\([\"\\$`])", lambda found: found[1] or "", source[at + 1 : end]))
            at = end + 1
        else:
            word.append(char)
            at += 1
    if word is not None:
        yield "".join(word)


@dataclass
class _Command:
    """What the options seen so far ask for."""

    url: str = ""
    method: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    json: bool = False
    upload: bytes | None = None
    flags: set[str] = field(default_factory=set)
    user: str = ""
    sigv4: str = ""

    def take(self, name: str, value: str, read_file: ReadFile) -> None:
        """Carry out one option; `value` is empty for a flag."""
        if name in _DATA:
            self.data.append(_data(name, value, read_file))
            self.json = self.json or name == "json"
        elif name == "url":
            if self.url:
                raise UsageError("this command line has more than one URL", hint="paste one request at a time")
            self.url = value
        elif name == "header":
            self._header(value)
        elif name == "request":
            self.method = value.upper()
        elif name == "upload-file":
            self.upload = read_file(value)
        elif name == "user":
            self.user = value
        elif name == "aws-sigv4":
            self.sigv4 = value
        elif name in ("cookie", "range", "referer", "user-agent"):
            self.headers.append((name.title(), f"bytes={value}" if name == "range" else value))
        elif name == "oauth2-bearer":
            self.headers.append(("Authorization", f"Bearer {value}"))
        else:
            self.flags.add(name)

    def request(self) -> Request:
        """Return the request; UsageError where no URL was given."""
        if not self.url:
            raise UsageError("this curl command line has no URL", hint="paste it as it was copied, URL included")
        target, host = target_and_host(self.url if "://" in self.url else f"http://{self.url}")
        body = b"&".join(self.data)
        if "get" in self.flags and self.data:
            target += ("&" if "?" in target else "?") + body.decode("latin-1")
            body = b""
        if self.upload is not None:
            body = self.upload
            if target.endswith("/"):
                raise UsageError(
                    "`-T` to a URL that ends with a slash takes its name from the file", hint="write it out"
                )
        return Request(self._method(), target, self._headers(host), body)

    def _method(self) -> str:
        if self.method:
            return self.method
        if "head" in self.flags:
            return "HEAD"
        if self.upload is not None:
            return "PUT"
        return "POST" if self.data and "get" not in self.flags else "GET"

    def _header(self, line: str) -> None:
        name, colon, value = line.partition(":")
        if colon and value.strip():
            self.headers.append((name.strip(), value.strip()))
        elif line.rstrip().endswith(";"):
            self.headers.append((line.rstrip()[:-1], ""))
        elif not colon:
            raise UsageError(f"-H {line!r} is no header", hint="`-H 'Name: value'`")

    def _headers(self, host: str) -> Headers:
        given = Headers(self.headers)
        pairs = [] if "host" in given else [("Host", host)]
        if self.sigv4 and "authorization" not in given:
            pairs.extend(self._signature(host))
        elif self.user and "authorization" not in given:
            token = b64encode(self.user.encode("latin-1")).decode()
            pairs.append(("Authorization", f"Basic {token}"))
        pairs.extend(self.headers)
        if self.data and "get" not in self.flags and "content-type" not in given:
            kind = "application/json" if self.json else "application/x-www-form-urlencoded"
            pairs.append(("Content-Type", kind))
        return Headers(pairs)

    def _signature(self, host: str) -> Iterator[tuple[str, str]]:
        """Yield the headers of curl's signature; what the option leaves out of the scope, curl takes from the host's labels."""
        _provider, _, rest = self.sigv4.partition(":")
        _second, region, service = [*rest.split(":"), "", "", ""][:3]
        labels = host.partition(":")[0].split(".")
        if not service:
            service = labels[0]
        if not region:
            region = labels[1] if len(labels) > 1 else ""
        scope = f"{self.user.partition(':')[0]}/19700101/{region}/{service}/aws4_request"
        yield "Authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each option, short ones under their long names; a bare word is a `url`."""
    rest = iter(words)
    for word in rest:
        if word == "--":
            yield from (("url", url) for url in rest)
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name in _SHAPING | _SKIPPED_WITH_VALUE:
                value = value if equals else _next(rest, word)
                if name in _SHAPING:
                    yield name, value
            elif name in _FLAGS or name.startswith("no-"):
                yield name, ""
            else:
                raise _unknown(word)
        elif word.startswith("-") and len(word) > 1:
            yield from _bundle(word, rest)
        else:
            yield "url", word


def _bundle(word: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    """`-sSXPOST`: flags of one letter, of which the last may take the remainder, or the next word, as its value."""
    for at, letter in enumerate(word[1:], start=2):
        name = _SHORT.get(letter, "")
        if name in _SHAPING | _SKIPPED_WITH_VALUE:
            value = word[at:] or _next(rest, f"-{letter}")
            if name in _SHAPING:
                yield name, value
            return
        if name not in _FLAGS:
            raise _unknown(f"-{letter}")
        yield name, ""


def _data(name: str, value: str, read_file: ReadFile) -> bytes:
    if name == "data-raw":
        return value.encode("latin-1")
    if name == "data-urlencode":
        return _urlencoded(value, read_file).encode("latin-1")
    if not value.startswith("@"):
        return value.encode("latin-1")
    content = read_file(value[1:])
    if name in ("data-binary", "json"):
        return content
    return content.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")


def _urlencoded(value: str, read_file: ReadFile) -> str:
    name, mark, content = re.fullmatch(r"([^=@]*)([=@]?)(.*)", value, re.DOTALL).groups()  # type: ignore[union-attr] # any text matches
    if not mark:
        return quote(name.encode("latin-1"), safe="")
    raw = read_file(content) if mark == "@" else content.encode("latin-1")
    return (f"{name}=" if name else "") + quote(raw, safe="")


def _closing(source: str, start: int, mark: str, *, escapes: bool) -> int:
    """Return where the quote that began before `start` ends."""
    at = start
    while at < len(source):
        if source[at] == mark:
            return at
        at += 2 if escapes and source[at] == "\\" else 1
    raise UsageError(
        f"a quote ({mark}) is never closed in this command line",
        hint="paste it through standard input: `replay-proxy explain -`, then the line, then Ctrl-D",
    )


def _ansi(found: re.Match[str]) -> str:
    if found["hex"]:
        return chr(int(found["hex"][1:], 16))
    if found["octal"]:
        return chr(int(found["octal"], 8) & 0xFF)
    if found["code"]:
        return chr(min(int(found["code"][1:], 16), 0x10FFFF)).encode("utf-8", "surrogatepass").decode("latin-1")
    return _ANSI_CHARS.get(found["char"], found["char"])


def _next(rest: Iterator[str], option: str) -> str:
    try:
        return next(rest)
    except StopIteration:
        raise UsageError(f"curl's {option} has no value in this command line", hint="paste the whole line") from None


def _unknown(option: str) -> UsageError:
    return UsageError(
        f"curl's option {option} is not known here",
        hint="leave it out, with its value, if it does not shape the request",
    )
