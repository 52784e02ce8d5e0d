"""`replay-proxy report`: the page, the Markdown and the JUnit XML, as files."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_proxy.cli.main import main
from replay_proxy.journal.read.reader import Recording
from replay_proxy.replay.execution.reporting.report import CallResult, RestoreReport, Result
from replay_proxy.reports.junit import junit_xml
from replay_proxy.reports.page import write
from replay_proxy.reports.page.preview import Preview, page_json
from replay_proxy.reports.restore_report import read_restore_report
from tests.reports.shop import write_shop
from tests.resources.recordings import Tape, queue, table

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\u202eevil\u2066\x1b[2J\u2028\"'"
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
RESTORE: dict[str, Any] = {
    "restored": 10,
    "diverged": 1,
    "failed": 1,
    "lost": 1,
    "seconds": 1.25,
    "finished": True,
    "problems": [
        {
            "seq": 4,
            "call": "lambda:CreateFunction",
            "result": "diverged",
            "reason": "the answer differs",
            "differences": [{"member": "Timeout", "recorded": "3", "replayed": f"9{HOSTILE}"}],
        },
        {
            "seq": 9,
            "call": "sqs:TagQueue",
            "result": "failed",
            "reason": f"refused \x00 {HOSTILE}",
            "details": ["a\x0bb"],
        },
    ],
    "findings": [
        {"seq": 3, "call": "dynamodb:ListTables", "message": "TableNames[0] is gone", "loss": True},
        {"seq": 5, "call": "sqs:ListQueues", "message": "in another order"},
    ],
}


class Elements(html.parser.HTMLParser):
    """The elements of a page with their attributes and, of scripts and styles, their text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.closed = False
        self.found.append((tag, dict(attrs), []))

    def handle_data(self, data: str) -> None:
        if self.found and not self.closed:
            self.found[-1][2].append(data)

    def handle_endtag(self, tag: str) -> None:
        self.closed = True

    def all(self, tag: str) -> Iterator[tuple[dict[str, str | None], str]]:
        return ((attrs, "".join(text)) for each, attrs, text in self.found if each == tag)


def parts(page: str, kind: str) -> list[Any]:
    found: list[Any] = []
    for attrs, text in Elements(page).all("script"):
        if attrs.get("data-part") == kind:
            value = json.loads(text)
            if isinstance(value, str):
                value = json.loads(zlib.decompress(base64.b64decode(value), 31))
            found += value if isinstance(value, list) else [value]
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_shop(folder / "recording")
    (folder / "restore.json").write_text(json.dumps(RESTORE))
    words = [str(folder / "recording"), "-o", str(folder / "out"), "--restore-report", str(folder / "restore.json")]
    assert main(["report", *words]) == 0
    return folder / "out"


def test_a_folder_gets_the_page_the_markdown_and_the_junit_xml(written: Path) -> None:
    assert sorted(each.name for each in written.iterdir()) == ["junit.xml", "report.html", "report.md"]


def test_the_page_holds_every_call_and_resource_and_no_secret(written: Path) -> None:
    page = (written / "report.html").read_text()
    assert [row[0] for row in parts(page, "rows")] == list(range(1, 13))
    calls = {each["seq"]: each for each in parts(page, "calls")}
    assert calls[2]["aws"].startswith("aws sqs create-queue --queue-name orders")
    assert calls[10]["answer"]["error"] == "QueueDoesNotExist"
    resources = {each["name"]: each for each in parts(page, "resources")}
    assert resources["orders"]["links"][0][:2] == [
        "Attributes.RedrivePolicy.deadLetterTargetArn",
        resources["dead"]["number"],
    ]
    assert "hunter22" not in page


def test_the_page_needs_no_network_and_runs_its_own_script_alone(written: Path) -> None:
    page = (written / "report.html").read_text()
    elements = Elements(page)
    (policy,) = [attrs["content"] or "" for attrs, _ in elements.all("meta") if attrs.get("http-equiv")]
    assert policy.startswith("default-src 'none'; ")
    (script,) = [text for attrs, text in elements.all("script") if "type" not in attrs]
    ((_, style),) = elements.all("style")
    for kind, text in (("script", script), ("style", style)):
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert not [
        attrs
        for tag, attrs, _ in elements.found
        if tag != "link" and {"src", "href"} & attrs.keys() and attrs.get("href") != "#main"
    ]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|DOMParser", script)


def test_a_hostile_recording_is_data_in_every_form(tmp_path: Path) -> None:
    tape = Tape()
    table(tape, "items")
    queue(tape, HOSTILE, Policy=HOSTILE)
    tape.call("sqs", "TagQueue", {"QueueUrl": HOSTILE, "Tags": {HOSTILE: HOSTILE}})
    tape.call(
        "dynamodb", "PutItem", {"TableName": "items", "Item": {"id": {"S": HOSTILE}, "long": {"S": "x" * 10_000_000}}}
    )
    folder = tape.write(tmp_path / HOSTILE.replace("/", "_")[:40])
    (tmp_path / "restore.json").write_text(json.dumps(RESTORE))
    assert (
        main(["report", str(folder), "-o", str(tmp_path / "out"), "--restore-report", str(tmp_path / "restore.json")])
        == 0
    )
    page = (tmp_path / "out" / "report.html").read_text()
    assert len(page) < 1 << 20
    elements = Elements(page)
    assert {tag for tag, _, _ in elements.found} <= {
        *(
            "html",
            "head",
            "meta",
            "title",
            "link",
            "style",
            "body",
            "a",
            "header",
            "div",
            "h1",
            "p",
            "form",
            "label",
            "input",
        ),
        *("nav", "main", "footer", "span", "kbd", "noscript", "code", "script"),
    }
    assert sum("type" not in attrs for attrs, _ in elements.all("script")) == 1
    assert not INVISIBLE.search(page)
    assert any(
        HOSTILE in json.dumps(each, ensure_ascii=False).replace('\\"', '"') or each["name"]
        for each in parts(page, "resources")
    )
    for name in ("report.md", "junit.xml"):
        text = (tmp_path / "out" / name).read_text()
        assert not INVISIBLE.search(text)
        assert "<script" not in text
        assert "<img" not in text


def test_what_did_not_come_back_is_a_failed_test(written: Path) -> None:
    suites = ElementTree.fromstring((written / "junit.xml").read_bytes())
    failed = {
        case.get("classname"): case.find("failure")
        for case in suites.iter("testcase")
        if case.find("failure") is not None
    }
    assert set(failed) == {"lambda.CreateFunction", "sqs.TagQueue", "dynamodb.ListTables"}
    found = failed["lambda.CreateFunction"]
    assert found is not None
    assert found.get("type") == "diverged"
    assert "recorded: 3" in (found.text or "")
    assert (suites.get("tests"), suites.get("failures")) == ("5", "3")


def test_a_library_reads_the_junit_xml_as_ci_systems_do(written: Path) -> None:
    junitparser = pytest.importorskip("junitparser")
    (suite,) = junitparser.JUnitXml.fromfile(str(written / "junit.xml"))
    results = {case.classname: [type(each).__name__ for each in case.result] for case in suite}
    assert results["sqs.TagQueue"] == ["Failure"]
    assert results["restore"] == []
    assert (suite.tests, suite.failures) == (5, 3)


def test_the_recording_may_be_named_by_its_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_shop(tmp_path / "shop")
    assert main(["report", str(folder), "--markdown", "-"]) == 0
    named = capsys.readouterr().out
    assert main(["report", "--data-dir", str(folder), "--markdown", "-"]) == 0
    assert capsys.readouterr().out == named


def test_the_report_of_a_restore_tells_members_and_both_values_apart(tmp_path: Path) -> None:
    report = RestoreReport("recording")
    differences = (("Timeout", "3", "900"), ("Text", "x" * 5000, ""))
    details = tuple(f"{member}: expected {recorded}, got {replayed}" for member, recorded, replayed in differences)
    report.add(CallResult(4, "lambda", "CreateFunction", Result.DIVERGED, "the answer differs", details, differences))
    path = tmp_path / "restore.json"
    path.write_bytes(orjson.dumps(report.as_json()))
    found = read_restore_report(path)
    (problem,) = found["problems"]
    assert problem["differences"][0] == {"member": "Timeout", "recorded": "3", "replayed": "900"}
    assert len(problem["differences"][1]["recorded"]) < 2100
    assert (found["diverged"], found["finished"]) == (1, False)
    path.write_bytes(orjson.dumps({"state": "open", "last_restore": report.as_json()}))
    assert read_restore_report(path) == found


def test_the_markdown_shows_recorded_and_replayed_values_side_by_side(written: Path) -> None:
    lines = (written / "report.md").read_text().splitlines()
    assert any(line.startswith("❌ **Restore:** 10 calls restored, 2 without") for line in lines)
    assert any(line.startswith("| 4 | lambda:CreateFunction | diverged | Timeout | 3 | 9&lt;/script") for line in lines)
    assert "| sqs | 2 | 6 | 1 |" in lines


def test_many_calls_are_packed_and_none_is_left_out(tmp_path: Path) -> None:
    tape = Tape()
    table(tape, "items")
    for at in range(2100):
        tape.call("dynamodb", "PutItem", {"TableName": "items", "Item": {"id": {"S": f"item-{at}"}}})
    assert main(["report", str(tape.write(tmp_path / "r")), "-o", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "item-2099" not in page
    assert parts(page, "left_out") == [{"rows": 0, "resources": 0, "calls": 0}]
    calls = parts(page, "calls")
    assert len(calls) == 2101
    assert calls[-1]["request"]["parameters"]["Item"] == {"id": {"S": "item-2099"}}
    assert [row[0] for row in parts(page, "rows")] == [each["seq"] for each in calls]


def test_all_calls_are_shown_shorter_where_they_would_have_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "_SHARES", {"rows": 1 << 20, "resources": 1 << 20, "calls": 1_300_000})
    tape = Tape()
    table(tape, "items")
    for at in range(1200):
        text = "".join(hashlib.sha512(b"%d %d" % (at, part)).hexdigest() for part in range(5))
        tape.call("dynamodb", "PutItem", {"TableName": "items", "Item": {"id": {"S": f"{at}"}, "text": {"S": text}}})
    assert main(["report", str(tape.write(tmp_path / "r")), "-o", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert parts(page, "left_out") == [{"rows": 0, "resources": 0, "calls": 0}]
    first, last = (parts(page, "calls")[at]["request"]["parameters"]["Item"]["text"]["S"] for at in (1, -1))
    assert len(first) == 640
    assert last.endswith("… (640 characters)")


def test_what_has_no_room_is_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "_SHARES", {"rows": 1 << 20, "resources": 1 << 20, "calls": 40_000})
    tape = Tape()
    table(tape, "items")
    for at in range(1200):
        item = {"id": {"S": f"{at}"}, "text": {"S": hashlib.sha512(b"%d" % at).hexdigest() * 40}}
        tape.call("dynamodb", "PutItem", {"TableName": "items", "Item": item})
    assert main(["report", str(tape.write(tmp_path / "r")), "-o", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    (left_out,) = parts(page, "left_out")
    assert left_out == {"rows": 0, "resources": 0, "calls": 1201 - len(parts(page, "calls"))}
    assert left_out["calls"] > 0
    assert len(page) < 400_000


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "add -o report.html"),
        (["-o", "x.html", "--restore-report", "none.json"], 5, "read the report of a restore"),
        (["-o", "x.html", "--restore-report", "list.json"], 2, "no list `problems`"),
        (["-o", "x.html", "--restore-report", "text.json"], 2, "it is not JSON"),
        (["-o", "list.json/x.html"], 5, "write the report"),
    ],
)
def test_what_cannot_be_read_or_written_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_shop(tmp_path / "r")
    Path("list.json").write_text("[]")
    Path("text.json").write_text("no")
    assert main(["report", "r", *words]) == code
    assert said in capsys.readouterr().err


def test_standard_output_and_a_moment(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write_shop(tmp_path / "r")
    assert main(["report", f"{tmp_path / 'r'}@3", "--markdown", "-"]) == 0
    out = capsysbinary.readouterr().out
    assert b"3 resources, 3 calls" in out


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([HOSTILE, "\ud800"]),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=5), below, max_size=4),
    max_leaves=20,
)


@given(VALUES)
@settings(max_examples=150, deadline=None)
def test_json_in_the_page_is_the_value_and_never_markup(value: Any) -> None:
    text = page_json(value)
    assert json.loads(text) == value
    assert not re.search("[<>&]", text)
    assert not INVISIBLE.search(text)


@given(VALUES, st.integers(20, 400))
@settings(max_examples=150, deadline=None)
def test_a_preview_has_a_bound(value: Any, total: int) -> None:
    assert len(json.dumps(Preview(50, total).of([value, "x" * 10_000]), ensure_ascii=False)) < 40 * total + 4000


@given(st.text(), st.text())
@settings(max_examples=150, deadline=None)
def test_any_text_is_well_formed_in_junit_xml(name: str, text: str) -> None:
    problem = {"seq": 1, "call": name, "result": "failed", "reason": text, "details": [text], "differences": []}
    finding = {"seq": 2, "call": text, "message": f"{text}\x00\ufffe\ud800", "loss": False}
    restore = {
        "restored": 0,
        "unlisted": 3,
        "finished": False,
        "seconds": 1,
        "problems": [problem],
        "findings": [finding],
    }
    recording = SimpleNamespace(warnings=[text])
    suites = ElementTree.fromstring(junit_xml(cast(Recording, recording), restore))
    assert (suites.get("failures"), len(list(suites.iter("failure")))) == ("4", 4)
