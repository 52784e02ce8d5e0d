"""Which item a statement of PartiQL writes: its table, and the attributes that the statement gives, among them the key.

Only what can be read with certainty is: `INSERT INTO … VALUE {…}`, and `UPDATE` and `DELETE` whose condition is a conjunction of
equations. DynamoDB takes no other condition on a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")*")|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"""
    r"""|(?P<word>[A-Za-z_][\w.-]*)|(?P<mark><<|>>|[?{}\[\]:,()=<>!*+-]))"""
)
_CHARACTERS_MAX: Final = 1 << 16
_DEPTH_MAX: Final = 32
_VERBS: Final = {"INSERT": "put", "UPDATE": "update", "DELETE": "delete"}
_CONSTANTS: Final[Mapping[str, dict[str, Any]]] = {
    "TRUE": {"BOOL": True}, "FALSE": {"BOOL": False}, "NULL": {"NULL": True}, "MISSING": {"NULL": True},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ItemStatement:
    """A statement that writes one item. verb: put, update or delete. item: what is known of it, in DynamoDB's form."""

    table: str
    verb: str
    item: Mapping[str, Any]


def item_statements(params: Mapping[str, Any]) -> Iterator[ItemStatement | None]:
    """Yield what each statement of a call writes, in order; None for one that writes nothing, or cannot be read."""
    for entry in params.get("Statements") or params.get("TransactStatements") or [params]:
        given = entry.get("Parameters")
        yield parse_statement(str(entry.get("Statement", "")), given if isinstance(given, list) else [])


def parse_statement(statement: str, parameters: Sequence[Mapping[str, Any]] = ()) -> ItemStatement | None:
    """Return what a statement writes; None where it writes nothing, or cannot be read with certainty."""
    try:
        return _Reader(statement, parameters).statement()
    except (IndexError, ValueError, RecursionError):
        return None


class _Reader:
    """Reads one statement, from its beginning. Raises ValueError, IndexError for what it does not know."""

    def __init__(self, statement: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        self._tokens = list(_tokens(statement))
        self._at = 0
        self._parameters = iter(parameters)

    def statement(self) -> ItemStatement:
        verb = _VERBS[self._word()] if self._word(peek=True) in _VERBS else ""
        if not verb:
            raise ValueError("it writes nothing")
        if verb != "update":
            self._expect("INTO" if verb == "put" else "FROM")
        table = self._name()
        if verb == "put":
            self._expect("VALUE")
            return ItemStatement(table, verb, self._structure(0))
        while self._word(peek=True) != "WHERE":
            kind, text = self._next()
            if (kind, text) == ("mark", "?"):
                next(self._parameters, None)
        self._expect("WHERE")
        return ItemStatement(table, verb, dict(self._equations()))

    def _equations(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        while True:
            name = self._name()
            self._expect("=")
            yield name, self._value(0)
            if self._at == len(self._tokens) or self._word(peek=True) == "RETURNING":
                return
            self._expect("AND")

    def _value(self, depth: int) -> Mapping[str, Any]:
        if depth > _DEPTH_MAX:
            raise ValueError("too deep")
        kind, text = self._tokens[self._at]
        if kind == "mark" and text == "{":
            return {"M": self._structure(depth + 1)}
        self._at += 1
        match kind, text:
            case "text", _:
                return {"S": text}
            case "number", _:
                return {"N": text}
            case "word", _ if text.upper() in _CONSTANTS:
                return _CONSTANTS[text.upper()]
            case "mark", "?" if (given := next(self._parameters, None)) is not None:
                return given
            case "mark", "[":
                return {"L": list(self._values("]", depth + 1))}
            case "mark", "<<":
                held = [next(iter(each.items())) for each in self._values(">>", depth + 1)]
                return {f"{held[0][0]}S": [each for _kind, each in held]}
        raise ValueError(text)

    def _structure(self, depth: int) -> dict[str, Any]:
        self._expect("{")
        found: dict[str, Any] = {}
        while self._tokens[self._at] != ("mark", "}"):
            kind, name = self._next()
            if kind not in ("text", "quoted"):
                raise ValueError(name)
            self._expect(":")
            found[name] = self._value(depth)
            if self._tokens[self._at] == ("mark", ","):
                self._at += 1
        self._expect("}")
        return found

    def _values(self, end: str, depth: int) -> Iterator[Mapping[str, Any]]:
        while self._tokens[self._at] != ("mark", end):
            yield self._value(depth)
            if self._tokens[self._at] == ("mark", ","):
                self._at += 1
        self._expect(end)

    def _name(self) -> str:
        kind, text = self._next()
        if kind not in ("quoted", "word"):
            raise ValueError(text)
        return text

    def _word(self, *, peek: bool = False) -> str:
        kind, text = self._tokens[self._at]
        self._at += not peek
        return text.upper() if kind == "word" else ""

    def _next(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, wanted: str) -> None:
        kind, text = self._next()
        if (text.upper() if kind == "word" else text) != wanted or kind in ("text", "quoted"):
            raise ValueError(text)


def _tokens(statement: str) -> Iterator[tuple[str, str]]:
    statement = statement[:_CHARACTERS_MAX].strip().removesuffix(";").rstrip()
    at = 0
    while at < len(statement):
        match = _TOKEN.match(statement, at)
        if match is None or match.end() == at:
            raise ValueError(statement[at : at + 20])
        kind, text = str(match.lastgroup), match[match.lastgroup or 0]
        if kind in ("text", "quoted"):
            text = text[1:-1].replace(text[0] * 2, text[0])
        yield kind, text
        at = match.end()
