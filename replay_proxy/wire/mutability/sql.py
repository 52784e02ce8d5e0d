"""Does a statement only read? A careful look at SQL and PartiQL, not a parser.

Literals and comments are cut out first, then every statement of the text is judged by its first word and by the words
that make a reading statement write (`INTO`, a data-modifying `WITH`, a function that is not known to be harmless).
Dialects differ (Aurora PostgreSQL and MySQL behind rds-data, Redshift, Athena's Trino and Hive): where they disagree
about what is literal, what is comment and what is code, the text counts as writing. Running a reading statement again
is harmless; not running a writing one loses state.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import orjson

_HARMLESS = Path(__file__).parent / "data" / "sql_harmless.json"

_OPENER = re.compile(r"/\*|--|['\"`]|\$(?:[A-Za-z_]\w*)?\$")
_WORD = re.compile(r"[A-Za-z_][\w$]*")
# Whole words, and nothing given back: with words that may begin anywhere, a long one takes the square of its length.
_CALL = re.compile(r"(?<![\w$])((?:[\w$]++\s*+\.\s*+){0,4}+(?=[\w$]*[A-Za-z_])[\w$]++)\s*+\(")
_LOCKING = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b", re.IGNORECASE)

_ONLY_SHOW = {"SHOW", "DESCRIBE", "DESC"}
_SELECTING = {"SELECT", "WITH", "VALUES", "TABLE"}
_WRITING_INSIDE = {"INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "CALL"}


class _Uncertain(Exception):
    """Dialects disagree about where a literal or a comment of this text ends; the message says why."""


def sql_reads(sql: str, *, functions_may_write: bool) -> str:
    """Return an empty text where every statement in `sql` only reads, else what speaks against it, in words.

    `functions_may_write`: whether the dialect has functions with side effects that a SELECT can call (a PostgreSQL
    sequence's nextval, a stored function).
    """
    try:
        bare = _without_literals(sql)
    except _Uncertain as why:
        return str(why)
    statements = [part.strip() for part in bare.split(";") if part.strip()]
    if not statements:
        return "no statement"
    return next(filter(None, (_doubt(statement, functions_may_write) for statement in statements)), "")


def partiql_selects(statement: str) -> bool:
    """Return whether a DynamoDB PartiQL statement only reads: SELECT, or the condition check EXISTS of a transaction.

    DynamoDB's PartiQL takes one statement at a time and has no function that writes, so that its first word decides.
    """
    first = _WORD.match(statement.lstrip(" \t\r\n("))
    return first is not None and first.group().upper() in ("SELECT", "EXISTS")


def _without_literals(sql: str) -> str:
    """Return `sql` less its comments, each literal as `0`, each quoted name as one plain name. One pass."""
    if "\\" in sql:
        raise _Uncertain("a backslash, which ends a literal in some dialects only")
    kept, at = [], 0
    while opener := _OPENER.search(sql, at):
        kept.append(sql[at : opener.start()])
        mark, inside = opener.group(), opener.end()
        if mark == "--":
            if sql[inside : inside + 1].strip():
                raise _Uncertain("`--` without a space, which is a comment in some dialects only")
            end = sql.find("\n", inside)
            end = len(sql) if end < 0 else end
            kept.append(" ")
            at = end
            continue
        closer = "*/" if mark == "/*" else mark
        end = sql.find(closer, inside)
        if end < 0:
            raise _Uncertain(f"`{mark}` is never closed")
        if mark == "/*":
            content = sql[inside:end]
            if content.startswith("!"):
                raise _Uncertain("a comment that MySQL executes")
            if "/*" in content:
                raise _Uncertain("nested comments, which some dialects do not have")
            kept.append(" ")
        else:
            kept.append(" quoted_name " if mark in '"`' else " 0 ")
        at = end + len(closer)
    kept.append(sql[at:])
    bare = "".join(kept)
    if "#" in bare:
        raise _Uncertain("`#`, which begins a comment in some dialects only")
    return bare


def _doubt(statement: str, functions_may_write: bool) -> str:
    words = [word.upper() for word in _WORD.findall(_LOCKING.sub(" ", statement))]
    if not words:
        return "no statement"
    first = words[0]
    if first in _ONLY_SHOW:
        return ""
    if first == "EXPLAIN":
        if "ANALYZE" not in words and "ANALYSE" not in words:
            return ""
        if not _SELECTING.intersection(words):
            return "EXPLAIN ANALYZE runs a statement that may write"
    elif first not in _SELECTING:
        return f"{first} writes, or may write"
    for word in words:
        if word in _WRITING_INSIDE:
            return f"{first} with {word} in it writes, or may write"
    if functions_may_write:
        for called in _CALL.findall(statement):
            name = re.sub(r"\s", "", called).lower().removeprefix("pg_catalog.")
            if name not in _harmless():
                return f"calls {name}(), which may write"
    return ""


@lru_cache(maxsize=1)
def _harmless() -> frozenset[str]:
    """Return what may stand before a parenthesis in a reading statement: keywords, types, functions that only compute."""
    content = orjson.loads(_HARMLESS.read_bytes())
    return frozenset(content["keywords"]) | frozenset(content["functions"])
