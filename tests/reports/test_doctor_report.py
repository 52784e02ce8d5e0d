"""A diagnosis in the report: on the page, in the Markdown and as JUnit XML, from the file that `doctor --json` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from replay_proxy.cli.main import main
from tests.reports.shop import shop
from tests.reports.test_report import HOSTILE
from tests.support.chromium import MISSING, browser, chromium

QUEUE = {"resource": "000000000000/us-east-1/AWS::SQS::Queue/orders", "type": "AWS::SQS::Queue", "name": "orders"}
TOPIC = {"resource": "000000000000/us-east-1/AWS::SNS::Topic/news", "type": "AWS::SNS::Topic", "name": HOSTILE}
LINK = {"member": "Endpoint", "target": QUEUE["resource"], "target_type": QUEUE["type"], "target_name": "orders"}
SEEN = {"status": "", "reading": "GetTopicAttributes", "answer": ""}
DIAGNOSIS: dict[str, Any] = {
    "sound": False,
    "seconds": 1.5,
    "reads": 2,
    "resources": {"checked": 2, "there": 1, "absent": 1, "not_ready": 0, "unknown": 0},
    "links": {"checked": 1, "held": 0},
    "findings": [
        {
            **QUEUE,
            "service": "sqs",
            "problem": "missing",
            "member": "",
            "call": 2,
            "recorded": "",
            "answer": "GetQueueAttributes: NonExistentQueue",
            "cause": "Queue not found",
            "repair": [2],
            "commands": ["aws sqs create-queue --queue-name orders"],
            "mendable": True,
        }
    ],
    "notes": [],
    "pending": [],
    "tree": [
        {**TOPIC, **SEEN, "state": "there", "links": [{**LINK, "holds": False, "consequence": True}]},
        {**QUEUE, **SEEN, "state": "absent", "links": []},
    ],
}


def written(folder: Path, diagnosis: Any) -> Path:
    shop().write(folder / "recording")
    (folder / "doctor.json").write_text(json.dumps(diagnosis))
    words = [str(folder / "recording"), "-o", str(folder / "out"), "--doctor-report", str(folder / "doctor.json")]
    assert main(["report", *words]) == 0
    return folder / "out"


def test_the_junit_xml_has_a_suite_of_it_and_the_markdown_a_table(tmp_path: Path) -> None:
    out = written(tmp_path, {"before": {}, "repeated": [], "after": DIAGNOSIS})
    suites = ElementTree.fromstring((out / "junit.xml").read_bytes())
    assert [(each.get("name"), each.get("tests"), each.get("failures")) for each in suites] == [
        ("recording", "1", "0"),
        ("replay-proxy doctor", "2", "1"),
    ]
    assert (suites.get("tests"), suites.get("failures"), suites.get("time")) == ("3", "1", "1.500")
    assert "| AWS::SQS::Queue orders | missing | Queue not found |" in (out / "report.md").read_text()


@pytest.mark.parametrize("content", ["[]", "{", '{"findings": []}'])
def test_what_is_no_diagnosis_is_refused(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "doctor.json").write_text(content)
    assert main(["report", "-o", str(tmp_path / "x.html"), "--doctor-report", str(tmp_path / "doctor.json")]) == 2
    assert "is no diagnosis" in capsys.readouterr().err


def test_a_diagnosis_of_nonsense_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    nonsense = {"tree": [{"links": [{"holds": 3}, 4], "state": []}, 5], "findings": "x", "seconds": "y", "links": 1}
    assert (written(tmp_path, nonsense) / "report.html").exists()


@pytest.mark.skipif(chromium() is None, reason=MISSING)
async def test_the_page_shows_what_is_wrong_first_with_what_mends_it(tmp_path: Path) -> None:
    out = written(tmp_path, DIAGNOSIS)
    async with browser(tmp_path / "profile") as page:
        await page.look()
        await page.open((out / "report.html").as_uri() + "#/doctor")
        await page.until("document.documentElement?.dataset.ready && document.querySelector('.list .row')")
        text = await page.run("document.getElementById('main').innerText")
        assert "1 finding" in text
        assert "1 of 2 resources there, wired 0 of 1 link" in text
        await page.run("document.querySelectorAll('.list .row')[0].click()")
        await page.until("document.querySelector('.detail h2')?.textContent.includes('orders')")
        text = await page.run("document.querySelector('.detail').innerText")
        assert "Queue not found (GetQueueAttributes: NonExistentQueue)" in text
        assert "aws sqs create-queue --queue-name orders" in text
        await page.run("document.querySelectorAll('.list .row')[1].click()")
        await page.until("document.querySelector('.detail h2')?.textContent.includes('AWS::SNS::Topic')")
        assert "✗ Endpoint → AWS::SQS::Queue orders, which is missing" in await page.run(
            "document.querySelector('.detail').innerText"
        )
        assert await page.run("document.querySelectorAll('main img, main iframe, main script').length") == 0


@pytest.mark.parametrize("option", ["--doctor-report", "--restore-report"])
def test_a_file_that_is_not_there_is_told_with_what_writes_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """Such a file is the user's own: nothing has removed it from a data directory."""
    missing = tmp_path / "nothing.json"
    assert main(["report", "-o", str(tmp_path / "r.html"), option, str(missing)]) == 5
    said = capsys.readouterr().err
    assert f": {missing}: No such file or directory" in said
    assert "--json > FILE" in said
