"""The report of a restore, and a diagnosis, as JUnit XML, so that CI systems show what is wrong as failed tests.

What makes `restore` exit with 3 fails here, too: calls without an equivalent outcome, and reads that say that something is
lost. Other findings are passed tests with an output. Without a report of a restore, it is warnings of the recording that fail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from replay_proxy.journal.read.reader import Recording
from replay_proxy.reports.plain_text import plain
from replay_proxy.wording import counted

_TEXT_MAX: Final = 4000
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(
    recording: Recording, restore: Mapping[str, Any] | None, diagnosis: Mapping[str, Any] | None = None
) -> bytes:
    """Return the XML. restore: as `restore_report.read_restore_report` returns it; None where there is none.

    diagnosis: as `doctor_report.read_doctor_report` returns it, for a suite of its own.
    """
    suites = Element("testsuites", name="replay-proxy")
    suite = SubElement(suites, "testsuite", name="replay-proxy restore" if restore is not None else "recording")
    if restore is None:
        _case(suite, "recording", "the recording can be read")
    else:
        _restore_cases(suite, restore)
    for number, warning in enumerate(recording.warnings, 1):
        _fail(_case(suite, "recording", f"warning {number}"), "warning", warning, "")
    suite.set("time", f"{restore['seconds']:.3f}" if restore is not None else "0")
    if diagnosis is not None:
        _doctor_suite(suites, diagnosis)
    return _document(suites)


def doctor_junit_xml(document: Mapping[str, Any]) -> bytes:
    """Return a diagnosis (`doctor_document`) as XML: each resource and each link a test, each finding a failure."""
    suites = Element("testsuites", name="replay-proxy")
    _doctor_suite(suites, document)
    return _document(suites)


def _doctor_suite(suites: Element, document: Mapping[str, Any]) -> None:
    suite = SubElement(suites, "testsuite", name="replay-proxy doctor", time=f"{document['seconds']:.3f}")
    by_resource: dict[str, list[Mapping[str, Any]]] = {}
    for each in document["findings"]:
        by_resource.setdefault(each["resource"], []).append(each)
    for check in document["tree"]:
        found = by_resource.get(check["resource"], ())
        whole = _case(suite, check["type"], check["name"])
        if check["state"] == "unknown":
            SubElement(whole, "skipped", message=_xml(check["answer"]))
        for each in found:
            about = whole if not each["member"] else _case(suite, check["type"], f"{check['name']} {each['member']}")
            _fail(about, each["problem"], each["cause"], "\n".join([each["answer"], *each["commands"]]))


def smoke_junit_xml(results: Sequence[Mapping[str, Any]]) -> bytes:
    """Return what came of smoke tests as XML, a test each."""
    suites = Element("testsuites", name="replay-proxy")
    suite = SubElement(suites, "testsuite", name="replay-proxy smoke tests")
    for each in results:
        case = _case(suite, "smoke", each["name"])
        if each["failure"]:
            _fail(case, "failed", each["failure"], "")
    suite.set("time", f"{sum(each['seconds'] for each in results):.3f}")
    return _document(suites)


def _document(suites: Element) -> bytes:
    """Return the document; each suite has its time already."""
    each_suite = suites.findall("testsuite")
    suites.set("time", f"{sum(float(suite.get('time', '0')) for suite in each_suite):.3f}")
    for element, prefix in ((suites, "testsuite/"), *((suite, "") for suite in each_suite)):
        element.set("tests", str(len(element.findall(f"{prefix}testcase"))))
        element.set("failures", str(len(element.findall(f"{prefix}testcase/failure"))))
        element.set("errors", "0")
    indent(suites)
    text: str = tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _restore_cases(suite: Element, restore: Mapping[str, Any]) -> None:
    _case(suite, "restore", f"{counted(restore['restored'], 'call')} with an equivalent outcome")
    if not restore["finished"]:
        _fail(_case(suite, "restore", "the restore came to its end"), "unfinished", "it did not come to its end", "")
    for each in restore["problems"]:
        lines = [
            f"{diff['member']}\n  recorded: {diff['recorded']}\n  replayed: {diff['replayed']}"
            for diff in each["differences"]
        ]
        case = _case(suite, each["call"], f"call {each['seq']}")
        _fail(case, each["result"], each["reason"], "\n".join(lines or each["details"]))
    for each in restore["findings"]:
        case = _case(suite, each["call"], f"finding at call {each['seq']}")
        if each["loss"]:
            _fail(case, "lost", each["message"], "")
        else:
            SubElement(case, "system-out").text = _xml(each["message"])
    if restore["unlisted"]:
        said = f"{counted(restore['unlisted'], 'more problem')} or findings than the report lists"
        _fail(_case(suite, "restore", "everything is listed"), "unlisted", said, "")


def _case(suite: Element, classname: str, name: str) -> Element:
    # CI systems make folders of the parts between full stops.
    return SubElement(suite, "testcase", classname=_xml(classname.replace(":", ".")), name=_xml(name), time="0")


def _fail(case: Element, kind: str, message: str, text: str) -> None:
    failure = SubElement(case, "failure", type=_xml(kind), message=_xml(plain(message, _TEXT_MAX)))
    failure.text = _xml(text or message)


def _xml(text: str) -> str:
    """Return a text in which everything is a character of XML 1.0, and nothing turns the direction of writing."""
    lines = "\n".join(plain(line, _TEXT_MAX) for line in text[: 10 * _TEXT_MAX].split("\n"))
    return _NOT_XML.sub("\ufffd", lines)
