"""Whatever stands in a file that is to be imported: taken, or refused with its place and its exit code, within bounds."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from replay_proxy.cli.main import main
from replay_proxy.errors import ReplayProxyError
from replay_proxy.exchange import Headers, Request
from replay_proxy.journal.format.records import JOURNAL_NAME, Record
from replay_proxy.journal.interchange.foreign.foreign_calls import refuse_unsendable
from replay_proxy.journal.interchange.foreign.formats import ImportTally, records
from replay_proxy.journal.interchange.foreign.source_files import (
    ENTRY_BYTES_MAX,
    ENTRY_DEPTH_MAX,
    ENTRY_VALUES_MAX,
)
from replay_proxy.journal.read.reader import read
from tests.support.processes import left_out

FOREIGN = Path(__file__).parents[1] / "golden" / "foreign"
DOCUMENTED = frozenset({0, *(each.exit_code for each in ReplayProxyError.__subclasses__())})
MEMORY_BYTES_MAX = 300 << 20

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


def entry(
    *,
    method: Any = "PUT",
    url: Any = "http://127.0.0.1/b/k",
    headers: Any = None,
    request: dict[str, Any] | None = None,
    response: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    fields = [{"name": "Authorization", "value": SIGNED}] if headers is None else headers
    return {
        "startedDateTime": "2026-01-01T00:00:00Z",
        "time": 1,
        "request": {"method": method, "url": url, "headers": fields, **(request or {})},
        "response": {"status": 200, "headers": [], "content": {}, **(response or {})},
        **more,
    }


def har(*entries: Any) -> bytes:
    return json.dumps({"log": {"entries": list(entries)}}).encode()


def imported(path: Path) -> list[Record]:
    return list(records(path, ImportTally()))


def run(*words: Any) -> tuple[int, str]:
    """The command; its exit code and what it said. An error that nobody caught fails the test."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = main(["import", *map(str, words)])
    return code, said.getvalue()


class TestPlaces:
    """A call that cannot be sent is refused where it is taken in: its entry or line is named."""

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (entry(url="http://[x/b"), "is no URL"),
            (entry(url="http://x/b/k\r\nX: y"), "has the character '\\\\r'"),
            (entry(url="http://x/b/k\ny"), "has the character '\\\\n'"),
            (entry(url="http://x/b/k\ty"), "has the character '\\\\t'"),
            (entry(url="http://x/b/\0"), "no URL may have"),
            (entry(url="http://x/b/\ud800"), "surrogate"),
            (entry(url="http://x/" + "k" * 70_000), "more than 65536 bytes"),
            (entry(url=5), "its url is not text"),
            (entry(url=None), "its url is not text"),
            (entry(method="PU T"), "is no HTTP method"),
            (entry(method="PUT\r\n"), "is no HTTP method"),
            (entry(method=""), "is no HTTP method"),
            (entry(method=["PUT"]), "its method is not text"),
            (entry(headers=[{"name": "X", "value": "a\r\nY: b"}]), "has the character '\\\\r'"),
            (entry(headers=[{"name": "X", "value": "a\0"}]), "no field may have"),
            (entry(headers=[{"name": "X Y", "value": "a"}]), "has a name that no field may have"),
            (entry(headers=[{"name": "X:\n", "value": "a"}]), "has a name that no field may have"),
            (entry(headers=[{"name": "", "value": "a"}]), "has a name that no field may have"),
            (entry(headers=[{"name": "X", "value": 1}]), "its value is not text"),
            (entry(headers=[{"name": "X", "value": "\ud800"}]), "surrogate"),
            (entry(headers=[["X", "1"]]), "its field is no object"),
            (entry(headers={"X": "1"}), "its headers are no list"),
            (entry(request={"postData": "text"}), "its postData is no object"),
            (entry(request={"postData": {"text": 5}}), "the text of its postData is not text"),
            (entry(request={"postData": {"text": "%", "encoding": "base64"}}), "is not base64"),
            (entry(request={"postData": {"text": "é", "encoding": "base64"}}), "is not base64"),
            (entry(request={"postData": {"params": 5}}), "params"),
            (entry(request={"postData": {"params": [{"name": "a", "value": 5}]}}), "params"),
            (entry(response={"status": None}), "its status"),
            (entry(response={"status": 200.5}), "its status"),
            (entry(response={"status": 99_999}), "its status"),
            (entry(response={"status": True}), "its status"),
            (entry(response={"content": {"text": ["x"]}}), "the text of its response"),
            (entry(response={"statusText": "a\r\nb"}), "its statusText"),
            (entry(response={"headers": [{"name": "X", "value": "a\r"}]}), "answer's field"),
            ({}, "its request is no object"),
            (1, "its entry is no object"),
            (None, "its entry is no object"),
            ([], "its entry is no object"),
        ],
    )
    def test_of_a_har_file(self, tmp_path: Path, wrong: Any, told: str) -> None:
        (tmp_path / "x.har").write_bytes(har(entry(), entry(), wrong))
        code, text = run(tmp_path / "x.har", "--data-dir", tmp_path / "r")
        assert code == 4
        # The parser is a step ahead where a text is wrong.
        assert ("log.entries[2]" if told != "surrogate" else "before byte ") in text
        assert told.replace("\\\\", "\\") in text
        assert "hint: " in text
        assert not (tmp_path / "r" / JOURNAL_NAME).exists()

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"m": "PU T"}, "no HTTP method"),
            ({"p": "/b k"}, None),
            ({"p": "/b\tk"}, "no target may have"),
            ({"p": "/b\r\nX: y"}, "no target may have"),
            ({"p": "b"}, "does not begin with a slash"),
            ({"p": 5}, "must be text"),
            ({"h": {"X": "a\r\nb"}}, "no field may have"),
            ({"h": {"X\n": "a"}}, "no field may have"),
            ({"h": []}, None),
            ({"h": [1]}, "its h is not an object"),
            ({"p": "/\ud800"}, "not JSON"),
            ({"d": "%"}, "not base64"),
            ({"d": 5}, "is not text"),
        ],
    )
    def test_of_a_file_of_localstack(self, tmp_path: Path, change: dict[str, Any], told: str | None) -> None:
        right = {"a": "s3", "m": "PUT", "p": "/b", "d": "", "h": {}}
        lines = [json.dumps(each) + "\n" for each in (right, right | change)]
        (tmp_path / "f").write_text("".join(lines))
        code, text = run(tmp_path / "f", "--data-dir", tmp_path / "r")
        assert (code, told is None) in ((0, True), (4, False))
        assert told is None or (f"line 2, at byte {len(lines[0])}, cannot be read" in text and told in text)

    def test_a_last_line_without_its_end_that_is_whole_is_no_torn_one(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text(json.dumps({"a": "s3", "m": "PUT", "p": "/b\nc"}))
        code, text = run(tmp_path / "f", "--data-dir", tmp_path / "r")
        assert code == 4
        assert "line 1, at byte 0" in text

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"url": "http://[x/b"}, "is no URL"),
            ({"url": "http://x/b\r\nX: y"}, "no URL may have"),
            ({"method": "A B"}, "no HTTP method"),
            ({"headers": {"X": "\r\n"}}, "no field may have"),
            ({"body": "%", "body_encoded": True}, "not base64"),
            ({"body": 5}, "not text"),
        ],
    )
    def test_of_a_file_of_motos_recorder(self, tmp_path: Path, change: dict[str, Any], told: str) -> None:
        right = {"method": "PUT", "url": "http://x/b", "headers": {}, "body": "", "body_encoded": False}
        (tmp_path / "f").write_text("".join(json.dumps(each) + "\n" for each in (right, right | change)))
        code, text = run(tmp_path / "f", "--data-dir", tmp_path / "r")
        assert code == 4
        assert "line 2, at byte " in text
        assert told in text

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"method": b"P UT"}, "no HTTP method"),
            ({"path": b"/b\r\nX: y"}, "no target may have"),
            ({"headers": [[b"Host", b"x"], [b"X", b"a\r\nb"]]}, "no field may have"),
            ({"headers": [[b"X"]]}, "cannot be read"),
            ({"headers": 5}, "cannot be read"),
            ({"path": None}, "cannot be read"),
            ({"content": "text"}, "cannot be read"),
        ],
    )
    def test_of_a_flow_file(self, tmp_path: Path, change: dict[str, Any], told: str) -> None:
        right = flow()
        (tmp_path / "f").write_bytes(right + flow(**change))
        code, text = run(tmp_path / "f", "--data-dir", tmp_path / "r")
        assert code == 4
        assert f"the flow at byte {len(right)}" in text
        assert told in text


def tagged(value: Any) -> bytes:
    """A tagged netstring."""
    match value:
        case None:
            content, tag = b"", b"~"
        case bool():
            content, tag = str(value).lower().encode(), b"!"
        case int():
            content, tag = str(value).encode(), b"#"
        case float():
            content, tag = repr(value).encode(), b"^"
        case bytes():
            content, tag = value, b","
        case str():
            content, tag = value.encode(), b";"
        case list():
            content, tag = b"".join(map(tagged, value)), b"]"
        case _:
            content, tag = b"".join(tagged(key) + tagged(each) for key, each in value.items()), b"}"
    return b"%d:%s%s" % (len(content), content, tag)


def flow(*, start: Any = 1.0, end: Any = 2.0, **change: Any) -> bytes:
    headers = [[b"Authorization", SIGNED.encode()], [b"Host", b"x"]]
    request = {"method": b"PUT", "path": b"/b/k", "headers": headers, "content": b"", "timestamp_start": start}
    response = {"status_code": 200, "reason": b"OK", "headers": [], "content": b"", "timestamp_end": end}
    return tagged({"type": "http", "request": {**request, **change}, "response": response})


class TestMended:
    @pytest.mark.parametrize(
        "text",
        [
            "9999-12-31T23:59:59-23:59",
            "0001-01-01T00:00:00+23:59",
            "yesterday",
            "",
            "2026-13-45T99:99:99Z",
            "1" * 10_000,
            5,
            -1e300,
            None,
            [],
            {},
        ],
    )
    def test_a_date_that_is_none_is_left_out(self, tmp_path: Path, text: Any) -> None:
        (tmp_path / "x.har").write_bytes(har(entry(startedDateTime=text)))
        [record] = imported(tmp_path / "x.har")
        assert record.time == "1970-01-01T00:00:00.000000Z"

    @pytest.mark.parametrize("time", ["-5", "1e308", "null", '"1"', "[]", "true"])
    def test_a_duration_that_is_none_is_left_out(self, tmp_path: Path, time: str) -> None:
        (tmp_path / "x.har").write_bytes(har(entry(time="TIME")).replace(b'"TIME"', time.encode()))
        [record] = imported(tmp_path / "x.har")
        assert record.duration_ms == 0.0

    @pytest.mark.parametrize("number", ["1e999", "9" * 400])
    def test_a_number_that_no_computer_has_is_refused(self, tmp_path: Path, number: str) -> None:
        (tmp_path / "x.har").write_bytes(har(entry(), entry(time="TIME")).replace(b'"TIME"', number.encode()))
        code, text = run(tmp_path / "x.har", "--data-dir", tmp_path / "r")
        assert code == 4
        assert "in what follows log.entries[0]" in text

    @pytest.mark.parametrize("start", [1e17, -1e17, float("inf"), float("nan"), 10**40, "1", None, True])
    @pytest.mark.parametrize("end", [2.0, 1e300, float("nan"), float("-inf"), None])
    def test_times_of_flows_that_are_none_are_left_out(self, tmp_path: Path, start: Any, end: Any) -> None:
        (tmp_path / "f").write_bytes(flow(start=start, end=end))
        [record] = imported(tmp_path / "f")
        assert record.time == "1970-01-01T00:00:00.000000Z"
        assert record.duration_ms == 0.0

    def test_what_a_browser_mends_is_mended(self, tmp_path: Path) -> None:
        (tmp_path / "x.har").write_bytes(har(entry(url="http://user:word@h:1/b/a b/é%20?x=ü y#fragment")))
        [record] = imported(tmp_path / "x.har")
        assert record.request.target == "/b/a%20b/%C3%A9%20?x=%C3%BC%20y"
        assert record.request.headers.get("host") == "h:1"

    def test_cookies_that_browsers_write_as_lines_are_fields_of_their_own(self, tmp_path: Path) -> None:
        fields = [{"name": "X-Two", "value": "a\nb"}]
        (tmp_path / "x.har").write_bytes(har(entry(response={"headers": fields})))
        [record] = imported(tmp_path / "x.har")
        assert record.answer.headers.pairs == (("X-Two", "a"), ("X-Two", "b"))

    def test_a_byte_order_mark_is_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "x.har").write_bytes(b"\xef\xbb\xbf" + har(entry()))
        assert len(imported(tmp_path / "x.har")) == 1

    @pytest.mark.parametrize("pad", range(20))
    def test_pairs_of_surrogates_are_whole_wherever_they_are_read_apart(self, tmp_path: Path, pad: int) -> None:
        text = "x" * pad + "\N{GRINNING FACE}\\" * 100_000
        (tmp_path / "x.har").write_bytes(har(entry(request={"postData": {"text": text}})))
        assert imported(tmp_path / "x.har")[0].request.body == text.encode()

    def test_of_a_member_that_stands_twice_the_last_counts(self, tmp_path: Path) -> None:
        content = har(entry()).replace(b'"time": 1', b'"time": 1, "time": 7')
        (tmp_path / "x.har").write_bytes(content)
        assert imported(tmp_path / "x.har")[0].duration_ms == 7.0


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


class TestFiles:
    @pytest.mark.parametrize(
        ("make", "code", "told"),
        [
            (lambda folder: folder / "missing", 5, "check the name"),
            (lambda folder: folder / ("x" * 300), 5, "File name too long"),
            (lambda folder: Path("/dev/zero"), 4, "is not a file"),
            (lambda folder: Path("/dev/stdin"), 4, "is not a file"),
            (lambda folder: fifo(folder / "pipe"), 4, "is not a file"),
            (lambda folder: folder, 4, "holds no recorded_api_calls.json"),
            (lambda folder: written(folder, b""), 4, "no recording that can be imported"),
            (lambda folder: written(folder, b"\0" * 1000), 4, "no recording that can be imported"),
            (lambda folder: written(folder, b"\xff" * 1000), 4, "no recording that can be imported"),
            (lambda folder: written(folder, b"{" * 1000), 4, "no recording that can be imported"),
            (lambda folder: written(folder, gzip.compress(har(entry()))), 4, "compressed with gzip"),
            (lambda folder: written(folder, har(entry()).decode().encode("utf-16")), 4, "in UTF-16"),
            (lambda folder: written(folder, har(entry()).decode().encode("utf-16-be")), 4, "in UTF-16"),
            (lambda folder: written(folder, har(entry()).decode().encode("utf-16-le")), 4, "in UTF-16"),
            (lambda folder: written(folder, har(entry()).replace(b"/b/k", b"/b/\xff")), 4, "invalid bytes in UTF8"),
            (lambda folder: written(folder, har(entry())[:-3]), 4, "cannot be taken"),
            (lambda folder: written(folder, har(entry()) + b"{}"), 4, "trailing garbage"),
            (lambda folder: written(folder, b'{"log":{"entries":[],"entries":[]}}'), 4, "there twice"),
            (lambda folder: written(folder, b'{"log":{"entries":{}}}'), 4, "log.entries is no list"),
            (lambda folder: written(folder, b'{"log":{"entries":null}}'), 4, "log.entries is no list"),
            (lambda folder: written(folder, b'{"log":[{"entries":[]}]}'), 4, "has no log.entries"),
            (lambda folder: written(folder, b'{"log":NaN}'), 4, "cannot be taken"),
        ],
    )
    def test_they_are_refused_and_why(self, tmp_path: Path, make: Callable[[Path], Path], code: int, told: str) -> None:
        done, text = run(make(tmp_path), "--data-dir", tmp_path / "r")
        assert (done, told in text) == (code, True), text
        assert "while it was in use" not in text
        assert "hint: " in text

    def test_a_file_that_may_not_be_read(self, tmp_path: Path) -> None:
        file = written(tmp_path, har(entry()))
        file.chmod(0)
        if os.access(file, os.R_OK):
            pytest.skip("this user may read everything")
        code, text = run(file, "--data-dir", tmp_path / "r")
        assert code == 5
        assert "choose a file that can be read" in text


def written(folder: Path, content: bytes) -> Path:
    (folder / "file").write_bytes(content)
    return folder / "file"


def many(piece: bytes, size: int) -> Iterable[bytes]:
    block = piece * (1 + (1 << 20) // len(piece))
    while size > 0:
        yield block
        size -= len(block)


def made(path: Path, *parts: bytes | Iterable[bytes]) -> Path:
    with path.open("wb") as out:
        for part in parts:
            out.writelines([part] if isinstance(part, bytes) else part)
    return path


LARGE = 200 << 20
ONE = json.dumps(entry(request={"postData": {"text": "x" * 3000}})).encode() + b","
BIG = json.dumps(entry(request={"postData": {"text": "A" * (8 << 20), "encoding": "base64"}})).encode() + b","
LINE = (
    json.dumps({"a": "s3", "m": "PUT", "p": "/b/k", "d": "QUFB" * 700, "h": {"Authorization": SIGNED}}).encode() + b"\n"
)
START, END = b'{"log":{"version":"1.2","pages":[],"entries":[', json.dumps(entry()).encode() + b"]}}"

BOMBS: dict[str, tuple[int, Callable[[Path], Path]]] = {
    "200 MB of entries": (0, lambda path: made(path, START, many(ONE, LARGE), END)),
    "200 MB of entries of 8 MB": (0, lambda path: made(path, START, *[BIG] * 25, END)),
    "200 MB of flows": (0, lambda path: made(path, many(flow(content=b"x" * 3000), LARGE))),
    "200 MB of flows of 8 MB": (0, lambda path: made(path, *[flow(content=b"x" * (8 << 20))] * 25)),
    "200 MB of lines": (0, lambda path: made(path, many(LINE, LARGE))),
    "a text of 200 MB": (4, lambda path: made(path, b'{"log":{"comment":"', many(b"x", LARGE), b'","entries":[]}}')),
    "white space of 200 MB": (4, lambda path: made(path, b'{"log":', many(b" ", LARGE), b'{"entries":[]}}')),
    "a text of 200 MB in an entry": (4, lambda path: made(path, START, b'{"x":"', many(b"x", LARGE), b'"}]}}')),
    "a number of 200 MB": (4, lambda path: made(path, START, many(b"9", LARGE), b"]}}")),
    "an entry of empty lists": (4, lambda path: made(path, START, b"[", many(b"[],", LARGE), b"[]]]}}")),
    "brackets beside the entries": (
        0,
        lambda path: made(path, b'{"log":{"a":', b"[" * 100_000, b"]" * 100_000, b',"entries":[]}}'),
    ),
    "brackets in the place of the log": (4, lambda path: made(path, b'{"log":', b"[" * 100_000, b"]" * 100_000, b"}")),
    "brackets in an entry": (4, lambda path: made(path, START, b"[" * 100_000, b"]" * 100_000, b"]}}")),
    "200 MB of brackets": (4, lambda path: made(path, START, many(b"[", LARGE))),
    "200 MB of objects": (4, lambda path: made(path, b'{"log":', many(b'{"a":', LARGE))),
    "a line of 200 MB": (
        4,
        lambda path: made(path, LINE, b'{"a":"s3","m":"PUT","p":"/","d":"', many(b"A", LARGE), b'"}\n'),
    ),
    "a line of 60 MB of empty lists": (
        4,
        lambda path: made(path, LINE, b'{"a":"","m":"","p":"","h":[', many(b"[],", 60 << 20), b"[]]}\n"),
    ),
    "a line of brackets": (4, lambda path: made(path, LINE, b"[" * 2_000_000, b"]" * 2_000_000, b"\n")),
    "a first line of 200 MB": (4, lambda path: made(path, b'{"x":"', many(b"x", LARGE), b'","a":1,"m":1,"p":1}\n')),
    "a netstring that promises more than there is": (4, lambda path: made(path, b"60000000:3:abc,")),
    "a netstring of a gigabyte": (4, lambda path: made(path, b"1000000000:1:a,", many(b"x", 1 << 20))),
    "a length of many digits": (4, lambda path: made(path, b"1:a,", b"9" * 100_000, b":")),
    "netstrings of nothing": (4, lambda path: made(path, b"60000000:", many(b"0:]", 60_000_000), b"]")),
    "nested netstrings": (4, lambda path: made(path, nested(3000))),
}


def nested(depth: int) -> bytes:
    value = b"0:]"
    for _level in range(depth):
        value = b"%d:%s]" % (len(value), value)
    return value


MEASURED = """
import pathlib, sys
from replay_proxy.cli.main import main
code = main(sys.argv[1:])
# Not getrusage: its peak is that of the process that began this one, too.
[peak] = [line for line in pathlib.Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print("peak", int(peak.split()[1]) * 1024)
sys.exit(code)
"""


# These read 200 MB to their end, call by call or value by value.
LONG = {"200 MB of entries", "200 MB of flows", "200 MB of lines", "200 MB of objects", "a number of 200 MB"}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read as Linux shows it")
@pytest.mark.parametrize("name", BOMBS)
def test_memory_is_bounded(tmp_path: Path, name: str) -> None:
    """docs/security.md states the bound. A limit on the address space would count what is only reserved; so, the peak."""
    if name in LONG and (reason := left_out(1)):
        pytest.skip(f"{name} {reason}")
    code, make = BOMBS[name]
    path = make(tmp_path / "file")
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "import", str(path), "--data-dir", str(tmp_path / "r")],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    assert done.returncode == code, done.stderr[-2000:]
    assert len(done.stderr) < 2000
    peak = int(done.stdout.split()[-1])
    print(f"{name}: {peak >> 20} MiB")
    assert peak < MEMORY_BYTES_MAX
    path.unlink()


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ("[" * (ENTRY_DEPTH_MAX + 1) + "]" * (ENTRY_DEPTH_MAX + 1), f"nested more than {ENTRY_DEPTH_MAX} deep"),
        ("[" + "1," * ENTRY_VALUES_MAX * 2 + "1]", f"more than {ENTRY_VALUES_MAX} values"),
        ('"' + "x" * (ENTRY_BYTES_MAX + (1 << 20)) + '"', f"more than {ENTRY_BYTES_MAX} bytes"),
    ],
)
def test_bounds_are_told(tmp_path: Path, inside: str, told: str) -> None:
    file = written(tmp_path, har(entry(extra="HERE")).replace(b'"HERE"', inside.encode()))
    code, text = run(file, "--data-dir", tmp_path / "r")
    assert code == 4
    assert told in text


# -- fuzzing -----------------------------------------------------------------------------------------------------------

SEEDS = [
    (FOREIGN / "calls.har").read_bytes(),
    (FOREIGN / "flows.mitm").read_bytes(),
    (FOREIGN / "localstack_single_file.json").read_bytes(),
    (FOREIGN / "moto_recording").read_bytes(),
    har(entry(), entry()),
    flow() + flow(),
]
PIECES = [
    b"\r\n",
    b"\0",
    b"\xff",
    b"[",
    b"{",
    b"}",
    b'"',
    b"\\ud800",
    b"null",
    b"-1",
    b"1e999",
    b"9" * 400,
    b":",
    b"0:~",
    b",",
    b"\xef\xbb\xbf",
]


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(SEEDS)))
    for _turn in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["put", "replace", "remove", "repeat", "cut", "flip"])):
            case "put":
                content[at:at] = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)))
            case "replace":
                content[at : at + draw(st.integers(1, 40))] = draw(
                    st.one_of(st.sampled_from(PIECES), st.binary(max_size=8))
                )
            case "remove":
                del content[at : at + draw(st.integers(1, 200))]
            case "repeat":
                content[at:at] = content[at : at + draw(st.integers(1, 200))]
            case "cut":
                del content[at:]
            case _ if content:
                content[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def wrong_somewhere(draw: st.DrawFn) -> bytes:
    """A call of one of the JSON formats, with another value of any type at any place."""
    form = draw(st.sampled_from(["har", "moto", "localstack"]))
    value: Any = {
        "har": entry(request={"postData": {"text": "x", "params": []}}, response={"statusText": "OK"}),
        "moto": {"method": "PUT", "url": "http://x/b", "headers": {"X": "y"}, "body": "", "body_encoded": False},
        "localstack": {"a": "s3", "m": "PUT", "p": "/b", "d": "", "h": {"X": "y"}, "rd": ""},
    }[form]
    holder = value
    while True:
        key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        if isinstance(holder[key], dict | list) and holder[key] and draw(st.booleans()):
            holder = holder[key]
            continue
        holder[key] = draw(JSON)
        break
    return har(value) if form == "har" else json.dumps(value).encode() + b"\n"


@settings(
    max_examples=int(os.environ.get("REPLAY_FUZZ", "300")), deadline=None, suppress_health_check=list(HealthCheck)
)
@given(st.one_of(changed(), wrong_somewhere()))
@example(b"")
@example(har(entry(url="http://[x/b")))
@example(har(entry(startedDateTime="9999-12-31T23:59:59-23:59")))
def test_any_file_is_imported_or_refused_as_documented(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "file").write_bytes(content)
    code = main(["import", str(folder / "file"), "--data-dir", str(folder / "r")])
    assert code in DOCUMENTED
    if code == 0:
        # What was taken in is a recording, and each of its calls can be sent.
        for record in read(folder / "r"):
            refuse_unsendable(record.request)
        assert main(["check", "--data-dir", str(folder / "r")]) == 0


def test_what_is_imported_can_be_sent() -> None:
    """The judge of the test above can say no."""
    with pytest.raises(ValueError, match="no target may have"):
        refuse_unsendable(Request("GET", "/a b", Headers()))
