"""Secrets that names beside them tell, in any document: JSON, XML, forms, CBOR, and text.

A document is walked as what it is, whatever model describes it or none: a name is the key that a value stands under, or
the first half of a pair (`{"name": "DB_PASSWORD", "value": …}`). Texts are looked into as far as they are documents
themselves: JSON in a string, base64 or gzip around a script (`export DB_PASSWORD=…`), the password in a URL, a private
key in PEM, the parameters that a template declares with `NoEcho`.

References are no secrets (`{"Ref": …}`, `{{resolve:…}}`, `$VARIABLE` in a script, an ARN): what they point to is.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, unquote_plus
from xml.etree.ElementTree import Element

import orjson

from replay_proxy.errors import MalformedMessage
from replay_proxy.wire.codecs.protocols.cbor import load_cbor
from replay_proxy.wire.codecs.protocols.query import load_pairs
from replay_proxy.wire.codecs.protocols.xml import children, load_xml
from replay_proxy.wire.sensitive.secret_names import (
    is_pair_key,
    is_pair_value,
    names_attribute,
    names_secret,
)
from replay_proxy.wire.sensitive.spellings import gunzipped

DEPTH_MAX = 64
NESTING_MAX = 5
"""Levels of documents within documents."""
_REFERENCE = re.compile(
    r"arn:[a-z0-9-]+:[a-z0-9-]+:|\{\{\s*resolve:|\$\{[A-Za-z_][\w.:-]*\}\s*\Z|!(?:Ref|Sub|GetAtt)\s"
)
_EXPANSION = re.compile(r"\$(?:[A-Z_][A-Z0-9_]*\Z|\(|\{)|\{\{|<%|#\{")
"""References in scripts, which are expanded when the script runs."""
_NO_VALUES = frozenset({"true", "false", "null", "none", "yes", "no", "on", "off", ""})
_REFERRING_KEYS = ("Ref", "Fn::", "$ref")

PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s/:@\"'<>]{0,200}:([^\s/@\"'<>]{1,500})@")
ASSIGNMENT = re.compile(
    r"""(?P<name>[A-Za-z_-][A-Za-z0-9_.-]{1,100})["']?[ \t]*(?:=>|:=|[:=])[ \t]*
        (?:"(?P<double>(?:[^"\\\r\n]|\\.){1,5000})"|'(?P<single>[^'\r\n]{1,5000})'|(?P<bare>[^\s"',;&<>{}\[\]()]{1,5000}))""",
    re.VERBOSE,
)
OPTION = re.compile(r"(?<!\S)--(?P<name>[A-Za-z][A-Za-z0-9_.-]{1,100})[ \t]+(?P<bare>[^\s\"'-][^\s\"']{0,5000})")
_LONE_OPTION = re.compile(r"--?[A-Za-z][A-Za-z0-9_.-]{1,100}")
"""An option of a command line that has its value, if any, in the next word."""
_BASE64_TEXT = re.compile(r"[A-Za-z0-9+/_\r\n-]{8,}={0,2}\s*")
_NO_ECHO = re.compile(r"^NoEcho['\"]?\s*:\s*['\"]?(?:true|yes|1)\b", re.IGNORECASE)
_NO_ECHO_INLINE = re.compile(r"([A-Za-z0-9]+)['\"]?\s*:\s*\{[^{}]*NoEcho['\"]?\s*:\s*['\"]?true", re.IGNORECASE)


class NamedSecret(NamedTuple):
    """A secret value, and the names that lead to it, without indexes."""

    path: str
    value: str


class SecretReader:
    """Finds secrets in documents.

    known: names, in lower case, that are no secrets by the model of the call. no_echo: names of parameters that templates
    declared with `NoEcho`; it grows while templates are read. unread: the names that lead to what could not be read,
    since it is no text.
    """

    def __init__(self, known: Collection[str] = (), no_echo: set[str] | None = None) -> None:
        self._known = known
        self.no_echo = set() if no_echo is None else no_echo
        self.unread: set[str] = set()

    def body(self, body: bytes, content_type: str) -> Iterator[NamedSecret]:
        """Yield the secrets in a message's body, unframed and unpacked."""
        if "cbor" in content_type:
            try:
                yield from self._walk(load_cbor(body), (), 0, 0, secret=False)
            except MalformedMessage:
                self.unread.add("")
            return
        if "x-www-form-urlencoded" in content_type:
            yield from self.form(body)
            return
        yield from self._bytes(body, (), 0, content_type)

    def form(self, form: bytes) -> Iterator[NamedSecret]:
        """Yield the secrets in a form, or in a query string."""
        tree: dict[str, Any] = {}
        try:
            pairs = load_pairs(form)
        except MalformedMessage:
            self.unread.add("")
            return
        for name, text in pairs:
            node = tree
            *above, last = name.split(".")
            for part in above[:DEPTH_MAX]:
                inner = node.setdefault(part, {})
                node = inner if isinstance(inner, dict) else node.setdefault(f"{part}.", {})
            node[last if last not in node else f"{last}."] = text
        yield from self._walk(tree, (), 0, 0, secret=False)

    def field(self, name: str, value: str) -> Iterator[NamedSecret]:
        """Yield the secrets in a header field."""
        if names_secret(name):
            yield NamedSecret(name, value)
            _scheme, blank, rest = value.partition(" ")
            if blank and rest.strip():
                yield NamedSecret(name, rest.strip())
        else:
            yield from self.text(value, (name,), 0)

    # -- documents -----------------------------------------------------------------------------------------------------

    def _bytes(
        self, data: bytes, path: tuple[str, ...], nesting: int, content_type: str = "", *, guessed: bool = False
    ) -> Iterator[NamedSecret]:
        if nesting > NESTING_MAX or not data:
            return
        if data.startswith(b"\x1f\x8b"):
            plain = gunzipped(data)
            if plain is not None:
                yield from self._bytes(plain, path, nesting + 1)
                return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1") if "multipart" in content_type else "\0"
        if "\0" in text:
            if not guessed:
                self.unread.add(".".join(path))
            return
        yield from self.text(text, path, nesting)

    def text(self, text: str, path: tuple[str, ...], nesting: int) -> Iterator[NamedSecret]:
        """Yield the secrets in a text, which may be a document."""
        if nesting > NESTING_MAX or len(text) < 4:
            return
        start = text.lstrip()[:1]
        if start in ("{", "[", '"'):
            try:
                document = orjson.loads(text)
            except orjson.JSONDecodeError:
                pass
            else:
                yield from self._walk(document, path, 0, nesting + 1, secret=False)
                return
        elif start == "<":
            try:
                yield from self._walk(_tree(load_xml(text.encode())), path, 0, nesting + 1, secret=False)
            except (MalformedMessage, UnicodeEncodeError, RecursionError):
                pass
            else:
                return
        yield from self._plain(text, path)
        if _BASE64_TEXT.fullmatch(text):
            plain = _decoded_base64(text)
            if plain is not None:
                yield from self._bytes(plain, path, nesting + 1, guessed=True)
        if "%" in text:
            for plain_text in {unquote(text), unquote_plus(text)} - {text}:
                yield from self.text(plain_text, path, nesting + 1)

    def _plain(self, text: str, path: tuple[str, ...]) -> Iterator[NamedSecret]:
        """Yield the secrets in a text that is no document: a script, a connection string, a URL, a key, a template."""
        where = ".".join(path)
        if "PRIVATE KEY" in text:
            for found in PEM.finditer(text):
                yield NamedSecret(f"{where}:private key", found.group())
        if "://" in text:
            for found in USERINFO.finditer(text):
                if _is_value(found[1], script=True):
                    yield NamedSecret(f"{where}:password in a URL", found[1])
                    if "%" in found[1]:
                        yield NamedSecret(f"{where}:password in a URL", unquote(found[1]))
        if "NoEcho" in text:
            yield from self._yaml_template(text, where)
        if "=" in text or ":" in text:
            for found in ASSIGNMENT.finditer(text):
                yield from self._assigned(found, where)
        if "--" in text:
            for found in OPTION.finditer(text):
                if _is_value(found["bare"], script=True) and names_secret(found["name"]):
                    yield NamedSecret(f"{where}:{found['name']}", found["bare"])

    def _assigned(self, found: re.Match[str], where: str) -> Iterator[NamedSecret]:
        name = found["name"]
        if not names_secret(name) and name not in self.no_echo:
            return
        value = found["double"] or found["single"] or found["bare"]
        if _is_value(value, script=True):
            yield NamedSecret(f"{where}:{name}", value)
            if "\\" in value:
                yield NamedSecret(f"{where}:{name}", re.sub(r"\\(.)", r"\1", value))
            if "%" in value:
                yield NamedSecret(f"{where}:{name}", unquote_plus(value))

    def _yaml_template(self, text: str, where: str) -> Iterator[NamedSecret]:
        """Remember the parameters that a template in YAML declares with `NoEcho`, and yield their defaults."""
        lines = text.splitlines()
        for found in _NO_ECHO_INLINE.finditer(text):
            self.no_echo.add(found[1])
        for at, line in enumerate(lines):
            if _NO_ECHO.match(line.strip()) is None:
                continue
            indent = _indent(line)
            above = next(
                (up for up in range(at - 1, -1, -1) if lines[up].strip() and _indent(lines[up]) < indent), None
            )
            name = "" if above is None else lines[above].strip().rstrip(":").strip("'\"")
            if above is None or not name.isalnum():
                continue
            self.no_echo.add(name)
            for below in lines[above + 1 :]:
                if below.strip() and _indent(below) < indent:
                    break
                key, colon, value = below.strip().partition(":")
                if key == "Default" and colon and _is_value(value.strip(" '\"")):
                    yield NamedSecret(f"{where}:{name}.Default", value.strip(" '\""))

    # -- trees ---------------------------------------------------------------------------------------------------------

    def _walk(
        self, value: Any, path: tuple[str, ...], depth: int, nesting: int, *, secret: bool
    ) -> Iterator[NamedSecret]:
        if depth > DEPTH_MAX:
            self.unread.add(".".join(path))
        elif isinstance(value, Mapping):
            yield from self._mapping(value, path, depth, nesting, secret=secret)
        elif isinstance(value, list | tuple):
            before: Any = None
            for each in value:
                marked = secret or (_is_secret_option(before) and isinstance(each, str) and not each.startswith("-"))
                yield from self._walk(each, path, depth + 1, nesting, secret=marked)
                before = each
        elif isinstance(value, bytes):
            if secret and value:
                yield NamedSecret(".".join(path), value.decode("utf-8", "surrogateescape"))
            yield from self._bytes(value, path, nesting + 1)
        elif isinstance(value, str):
            if secret and _is_value(value):
                yield NamedSecret(".".join(path), value)
            yield from self.text(value, path, nesting)
        elif secret and isinstance(value, int | float) and not isinstance(value, bool):
            yield NamedSecret(".".join(path), str(value))

    def _mapping(
        self, value: Mapping[Any, Any], path: tuple[str, ...], depth: int, nesting: int, *, secret: bool
    ) -> Iterator[NamedSecret]:
        self._template(value)
        names_secret_pair = any(
            isinstance(text, str) and is_pair_key(str(name)) and (names_secret(text) or text in self.no_echo)
            for name, text in value.items()
        )
        for key, inner in value.items():
            name = str(key).rstrip(".")
            below = path if name.isdigit() or name in ("member", "entry", "item") else (*path, name)
            if name.startswith(_REFERRING_KEYS):
                marked = False
            elif names_secret_pair and is_pair_value(name):
                marked = True
            elif names_secret(name):
                marked = secret or name.lower() not in self._known
            elif path and name in ("Default", "default") and path[-1] in self.no_echo:
                marked = True
            elif secret and isinstance(inner, str):
                marked = not names_attribute(name)
            else:
                marked = secret
            yield from self._walk(inner, below, depth + 1, nesting, secret=marked)

    def _template(self, value: Mapping[Any, Any]) -> None:
        """Remember the `NoEcho` parameters of a template in JSON."""
        parameters = value.get("Parameters")
        for name, declared in parameters.items() if isinstance(parameters, Mapping) else ():
            if isinstance(declared, Mapping) and str(declared.get("NoEcho", "")).lower() in ("true", "yes", "1"):
                self.no_echo.add(str(name))


def _is_secret_option(word: Any) -> bool:
    """Return whether a word of a command line says that the next word is a secret (`["--password", "…"]`)."""
    return isinstance(word, str) and _LONE_OPTION.fullmatch(word) is not None and names_secret(word.lstrip("-"))


def _is_value(text: str, *, script: bool = False) -> bool:
    """Return whether this can be a secret itself, and is no reference to one and no switch."""
    if script and _EXPANSION.match(text) is not None:
        return False
    return text.strip().lower() not in _NO_VALUES and _REFERENCE.match(text) is None


def with_named_secrets_replaced(text: str, replacement_of: Callable[[str], str | None]) -> str:
    """Return `text`, which is no document, with the secrets that names tell in it replaced by what `replacement_of` says."""

    def replaced(found: re.Match[str], *, named: bool = True) -> str:
        if named and not names_secret(found["name"]):
            return found.group()
        value = next(each for each in found.groups()[1 if named else 0 :] if each is not None)
        new = replacement_of(value)
        if new is None:
            return found.group()
        start = found.group().rindex(value)
        return found.group()[:start] + new + found.group()[start + len(value) :]

    if "=" in text or ":" in text:
        text = ASSIGNMENT.sub(replaced, text)
    if "--" in text:
        text = OPTION.sub(replaced, text)
    return USERINFO.sub(lambda found: replaced(found, named=False), text) if "://" in text else text


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _decoded_base64(text: str) -> bytes | None:
    packed = "".join(text.split()).rstrip("=")
    if len(packed) % 4 == 1:
        return None
    altchars = b"-_" if "-" in packed or "_" in packed else None
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), altchars, validate=True)
    except (binascii.Error, ValueError):
        return None


def _tree(node: Element) -> Any:
    below = children(node)
    if not below:
        return node.text or ""
    return {
        name: [_tree(each) for each in nodes] if len(nodes) > 1 else _tree(nodes[0]) for name, nodes in below.items()
    }
