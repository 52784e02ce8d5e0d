"""Lines with the right checksum that say anything at all: every reader ends with a documented exit code and no traceback."""

from __future__ import annotations

import io
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from replay_proxy.cli.main import main
from replay_proxy.errors import ReplayProxyError
from replay_proxy.exchange import BlobRef
from replay_proxy.journal.check import check
from replay_proxy.journal.format.encode import encode_control, encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, ControlKind, ControlRecord, Record
from replay_proxy.journal.read.index import call_type_of
from replay_proxy.journal.read.reader import read
from tests.journal import samples

TIME = "2026-01-31T12:00:00.000000Z"
HEADER = samples.HEADER
DOCUMENTED = frozenset({0, *(each.exit_code for each in ReplayProxyError.__subclasses__())})

Path_ = tuple[Any, ...]
Change = tuple[int, Path_, Any]


def lines() -> list[bytes]:
    """A header, calls and control records, as the program writes them."""
    stored = samples.create_queue("stored")
    stored = replace(stored, request=replace(stored.request, body=BlobRef("0" * 64, 5)))
    return [
        encode_header(HEADER),
        encode_control(ControlRecord(1, TIME, ControlKind.SESSION, manual=True), 1),
        encode_record(samples.create_queue("jobs"), 2),
        encode_record(samples.of_service("s3"), 3),
        encode_control(ControlRecord(4, TIME, ControlKind.SAVE, service="sqs"), 4),
        encode_record(stored, 5),
        encode_control(ControlRecord(6, TIME, ControlKind.GAP, reason="the disk was full"), 6),
        encode_record(samples.create_queue("last", after=2), 7),
    ]


def with_checksum(line: dict[str, Any]) -> bytes:
    """The line, with the checksum that fits whatever it says."""
    text = orjson.dumps({name: value for name, value in line.items() if name != "crc"})[:-1]
    return b'%s%s"crc":"%08x"}\n' % (text, b"," if len(text) > 1 else b"", zlib.crc32(text))


def changed(whole: list[bytes], changes: list[Change]) -> bytes:
    """The journal with some members put into anything; lines that are not changed stay byte for byte."""
    out = list(whole)
    for number, path, value in changes:
        line = orjson.loads(out[number])
        place: Any = line
        try:
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
        except (LookupError, TypeError):
            continue  # an earlier change took its place away
        out[number] = with_checksum(line)
    return b"".join(out)


@contextmanager
def recording(content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        data_dir.mkdir()
        (data_dir / JOURNAL_NAME).write_bytes(content)
        yield data_dir


def run(*words: str) -> tuple[int, str]:
    """Exit code and output of a command. What nobody caught would be exit code 1."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = main(list(words))
    return code, said.getvalue()


TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", " ", "\r\n", "\x00", '","operation":"X', "\\", "../x", "é" * 99, TIME, "mutation", "witness"]),
)
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(TEXTS, max_size=3),
    st.dictionaries(TEXTS, TEXTS, max_size=3),
)
WHOLE = lines()


def _paths(value: Any, path: Path_ = ()) -> list[Path_]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [each for step, below in inner for each in _paths(below, (*path, step))]
    return [*found, path] if path else found


PATHS = [
    [each for each in _paths(orjson.loads(line)) if each != ("crc",)]
    # Members that no line of its kind has, and those that another kind has.
    + [(name,) for name in ("of tomorrow", "mark", "kind", "service", "manual", "compacted", "notes")]
    for line in WHOLE
]
changes = st.lists(
    st.integers(0, len(WHOLE) - 1).flatmap(
        lambda number: st.tuples(st.just(number), st.sampled_from(PATHS[number]), VALUES)
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes)
@example([(2, ("seq",), 2**64 - 1)])
@example([(2, ("seq",), 2**63)])
@example([(7, ("seq",), 2**63)])
@example([(2, ("mark",), "save")])
@example([(4, ("kind",), "mutation")])
@example([(2, ("service",), 'a","operation":"X')])
@example([(2, ("service",), "a\\"), (3, ("operation",), "\\")])
@example([(0, ("version",), 2), (0, ("compacted",), {"through": 2**64 - 1, "removed": 0, "time": ""})])
@example([(0, ("emulator",), {"name": ["moto"]})])
def test_reading_indexing_and_checking_agree(changes: list[Change]) -> None:
    """`read` takes a journal or refuses it with a place; what it indexes is what decoding finds; `check` never stops."""
    with recording(changed(WHOLE, changes)) as data_dir:
        try:
            found = check(data_dir)
        except ReplayProxyError as error:
            assert error.exit_code == 4, error
            found = None
        try:
            recorded = read(data_dir)
            items = [entry.decoded.item for entry in recorded.entries()]
        except ReplayProxyError as error:
            assert error.exit_code == 4, error
            assert error.hint
            assert found is None or not found.ok or not found.version
            return
        assert found is not None
        assert not found.damaged_lines
        calls = [item for item in items if isinstance(item, Record)]
        assert list(recorded.index.seqs) == [each.seq for each in calls]
        for position, call in enumerate(calls):
            assert recorded.at(position) == call
            if call.is_readable:
                assert recorded.index.call_type(position) == call_type_of(call)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes)
@example([(5, ("request", "body_blob", "size"), 2**64 - 1)])
@example([(7, ("notes", "after"), -1)])
@example([(7, ("notes", "after"), 2**64 - 1)])
@example([(0, ("version",), 2), (0, ("compacted",), {"through": 2**64 - 1, "removed": 0, "time": ""})])
@example([(0, ("version",), 2), (0, ("compacted",), {"through": 9, "removed": 2**64 - 1, "time": ""})])
@example([(2, ("time",), "9999-12-31T23:59:59Z"), (3, ("ms",), 1e308)])
def test_every_verb_ends_with_a_documented_code(changes: list[Change]) -> None:
    with recording(changed(WHOLE, changes)) as data_dir:
        copies = data_dir.parent
        for words in (
            ("check", "--data-dir", str(data_dir)),
            ("plan", "--data-dir", str(data_dir)),
            ("export", "--data-dir", str(data_dir), "--output", str(copies / "plain")),
            ("export", "--data-dir", str(data_dir), "--output", str(copies / "redacted"), "--redact"),
            ("compact", "--data-dir", str(data_dir), "--dry-run"),
            ("compact", "--data-dir", str(data_dir)),
            ("check", "--data-dir", str(data_dir), "--repair", "--drop-damaged"),
        ):
            code, said = run(*words)
            assert code in DOCUMENTED, (words, said)
            assert "Traceback" not in said
            assert code in (0, 3) or "error: " in said
            assert code in (0, 3) or "hint: " in said or words[0] == "check", said


def test_the_journal_that_is_changed_is_one() -> None:
    """What is refused above is refused for what was changed in it."""
    with recording(b"".join(WHOLE)) as data_dir:
        assert len(list(read(data_dir).entries())) == 7
        assert run("plan", "--data-dir", str(data_dir))[0] == 0
