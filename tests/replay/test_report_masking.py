"""What a report says of a call holds no secret of it."""

from __future__ import annotations

import pytest

from replay_proxy.exchange import CallHead, Headers, Request
from replay_proxy.identifiers.learning.compare import compare_outcomes
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.replay.execution.reporting.report_masking import ReportMasking
from replay_proxy.wire.codecs.answers import Outcome


@pytest.mark.parametrize("length", [20, 199, 200, 201, 2000])
def test_a_secret_of_any_length_is_hidden(length: int) -> None:
    """A difference shows the beginning of a long value alone."""
    head = CallHead("sts", "AssumeRole", "query", "", "us-east-1", "test")
    request = Request("POST", "/", Headers(), b"Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A222222222222%3Arole%2Fr")
    tokens = ["".join(chr(97 + (at * step) % 26) for at in range(length)) for step in (3, 5)]
    answers = [Outcome(200, {"Credentials": {"SessionToken": each}, "PackedPolicySize": 1}) for each in tokens]
    verdict = compare_outcomes(head, *answers, AliasTable(), request)
    (difference,) = ReportMasking(head, request, *answers).of_verdict(verdict).differences
    for token in tokens:
        assert token[:20] not in str(difference)
