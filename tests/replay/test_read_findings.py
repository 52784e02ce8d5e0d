"""What is missing and was never a client's own is counted in one note, and is no loss."""

from __future__ import annotations

from dataclasses import replace

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.learning.compare import Difference, compare_outcomes
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.execution.reporting.read_findings import ReadFindings
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.signing.sigv4 import Credential

SEEN = {"ImageId": "ami-seen", "OwnerId": "801119661308"}
USED = {"ImageId": "ami-used", "OwnerId": "801119661308"}
SHARED = {"ImageId": "ami-shared", "OwnerId": "222222222222"}
OWN = {"ImageId": "ami-own", "OwnerId": "123456789012"}


def record(seq: int, operation: str, body: bytes, kind: RecordKind = RecordKind.MUTATION) -> Record:
    head = CallHead("ec2", operation, "ec2", "", "us-east-1", "test")
    answer = Answer(200, Headers(), b"<r><ownerId>222222222222</ownerId></r>")
    request = Request("POST", "/", Headers(), body)
    credential = Credential("test", "us-east-1", "ec2", "header")
    return Record(seq, "2026-01-31T12:00:00.000000Z", 1.0, kind, head, request, answer, credential)


def told(default_account: str) -> RestoreReport:
    read = record(2, "DescribeImages", b"Action=DescribeImages", RecordKind.WITNESS)
    assert read.head is not None
    shown = Outcome(200, {"Images": [SEEN, USED, SHARED, OWN]})
    found: list[Difference] = [*compare_outcomes(read.head, shown, Outcome(200, {}), AliasTable()).differences]
    found += compare_outcomes(read.head, shown, Outcome(200, {"Images": []}), AliasTable()).differences
    findings, report = ReadFindings(), RestoreReport("x")
    findings.add(read, [each for each in found if each.is_loss])
    run = record(3, "RunInstances", b"Action=RunInstances&ImageId=ami-used&MinCount=1")
    findings.tell(report, lambda _services: [read, run], default_account)
    return report


def test_what_belongs_to_others_and_nobody_named_is_no_loss() -> None:
    report = told("123456789012")
    texts = [finding.message for finding in report.findings]
    for name, count in {"ami-seen": 0, "ami-used": 1, "ami-shared": 1, "ami-own": 1}.items():
        assert sum(name in text for text in texts) == count
    assert report.lost == 3
    (note,) = report.notes
    assert note.startswith("1 thing ")
    assert "ec2:DescribeImages 1" in note


def test_what_a_list_shows_of_a_later_call_is_no_finding() -> None:
    """A restore may make that call before it reads the list again."""

    def listed(seq: int, region: str = "us-east-1") -> Record:
        read = record(seq, "ListQueues", b"{}", RecordKind.WITNESS)
        return replace(read, head=CallHead("sqs", "ListQueues", "json", "", region, "test"))

    def made(seq: int, name: str) -> Record:
        call = record(seq, "CreateQueue", b'{"QueueName": "%s"}' % name.encode())
        return replace(call, head=CallHead("sqs", "CreateQueue", "json", "", "us-east-1", "test"))

    def urls(*names: str) -> Outcome:
        return Outcome(200, {"QueueUrls": [f"http://localhost:4566/000000000000/{name}" for name in names]})

    findings, report = ReadFindings(), RestoreReport("x")
    reads = [listed(2), listed(4, "eu-west-1"), listed(6)]
    for read in reads:
        assert read.head is not None
        findings.add(read, compare_outcomes(read.head, urls("q"), urls("q", "late", "odd"), AliasTable()).differences)
    findings.tell(report, lambda _services: [made(1, "q"), *reads, made(5, "late")], "")
    told = sorted((finding.seq, finding.message.rpartition("/")[2]) for finding in report.findings)
    # Of one read that was made twice, the latest is told.
    assert told == [(4, "late"), (4, "odd"), (6, "late"), (6, "odd")]
