"""What counts as SQL that only reads. A wrong `reads` loses state, so that every doubt must count as writing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.wire.mutability.sql import partiql_selects, sql_reads

READING = [
    "SELECT 1",
    "select a, b from t where c = 'DELETE FROM t'",
    'SELECT "update", `insert` FROM t',
    "/* INSERT */ SELECT 1 -- DELETE everything\n",
    "(SELECT 1) UNION ALL (SELECT 2);",
    "WITH x AS (SELECT 1) SELECT * FROM x",
    "SELECT count(*), max(a), coalesce(b, 0) FROM t WHERE a IN (1, 2) GROUP BY c HAVING sum(d) > 1",
    "SELECT a FROM t FOR UPDATE",
    "SELECT pg_catalog.now()",
    "SELECT max" + 20 * " " + "(a) FROM t WHERE b IN (1) LIMIT 5 (6)",
    "SELECT $$ DROP TABLE t $$",
    "SELECT $x$ a ; DELETE FROM t $x$",
    "SHOW TABLES",
    "DESCRIBE t",
    "EXPLAIN DELETE FROM t",
    "EXPLAIN ANALYZE SELECT 1",
    "VALUES (1), (2)",
    "SELECT 'it''s'",
    "SELECT * FROM t LIMIT :n; SELECT 2",
]

WRITING = [
    "",
    ";",
    "-- SELECT 1",
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "CREATE TABLE t (a int)",
    "CALL p()",
    "SET search_path TO x",
    "BEGIN",
    "SELECT 1; DELETE FROM t",
    "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
    "SELECT * INTO t2 FROM t",
    "SELECT a FROM t INTO OUTFILE '/tmp/x'",
    "SELECT nextval('s')",
    "SELECT nextval" + 20 * " " + "('s')",
    "SELECT 1st(a) FROM t",
    "SELECT my_function(a) FROM t",
    'SELECT "my_function"(a) FROM t',
    "SELECT app.count(a) FROM t",
    "EXPLAIN ANALYZE DELETE FROM t",
    "EXPLAIN (ANALYZE) INSERT INTO t VALUES (1)",
    "EXPLAIN ANALYZE EXECUTE p",
    r"SELECT 'a\'; DELETE FROM t; -- '",
    "SELECT /*! 1; DELETE FROM t */ 1",
    "SELECT /* /* */ ' */ ; DELETE FROM t --' \n",
    "SELECT 5--1 INTO OUTFILE 'x'",
    "SELECT 1 # '\n; DELETE FROM t -- '",
    "SELECT 'never closed",
    "SELECT /* never closed",
    "SELECT $$ never closed",
]


@pytest.mark.parametrize("sql", READING)
def test_reads(sql: str) -> None:
    assert sql_reads(sql, functions_may_write=True) == ""


@pytest.mark.parametrize("sql", WRITING)
def test_writes_or_may_write(sql: str) -> None:
    assert sql_reads(sql, functions_may_write=True)


def test_functions_matter_only_where_they_can_write() -> None:
    assert sql_reads("SELECT my_function(a) FROM t", functions_may_write=False) == ""
    assert sql_reads("DELETE FROM t", functions_may_write=False)


@given(
    st.lists(
        st.sampled_from(["'", '"', "`", "$$", "/*", "*/", "--", "\n", "#", "\\", ";", "(", " ", "a"]),
        max_size=20,
    )
)
def test_a_delete_behind_any_marks_is_never_taken_for_a_read_unless_it_is_quoted(marks: list[str]) -> None:
    before = "".join(marks)
    if not sql_reads(f"SELECT 1 {before}\n; DELETE FROM t", functions_may_write=True):
        # Then the statement ends inside a literal or a comment that `before` opened and never closes again: and a
        # text of which that is not certain is refused.
        pytest.fail(f"taken for a read: {before!r}")


@given(st.text(max_size=200))
def test_any_text_is_judged(text: str) -> None:
    sql_reads(text, functions_may_write=True)
    partiql_selects(text)


@pytest.mark.parametrize(
    "unit",
    ["/*", "'", '"', "$a$", "(", "a", "a1", "1", "$", " ", "a.", "a .", "a ", "--\n", "SELECT ", "for ", "for update "],
)
def test_a_long_hostile_text_is_judged_in_one_pass(unit: str) -> None:
    """What takes the square of its length meets the limit of every test."""
    text = "SELECT " + unit * (1_000_000 // len(unit))
    sql_reads(text, functions_may_write=True)
    partiql_selects(text)


@pytest.mark.parametrize(
    ("statement", "reads"),
    [
        ("SELECT * FROM t", True),
        ("\n  (select a FROM t)", True),
        ("EXISTS(SELECT * FROM t)", True),
        ("INSERT INTO t VALUE {}", False),
        ("SELECTED", False),
        ("", False),
        ("-- SELECT", False),
    ],
)
def test_partiql(statement: str, reads: bool) -> None:
    assert partiql_selects(statement) is reads
