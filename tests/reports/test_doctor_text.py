"""What the tree of a diagnosis says beside a cross: whether its commands can be pasted, and what to do where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from replay_proxy.reports.doctor_text import WHOLE_RESTORE, doctor_markdown, tree_lines

ABOUT = {"resource": "a", "service": "sqs", "type": "AWS::SQS::Queue", "name": "orders"}


def finding(**other: Any) -> dict[str, Any]:
    usual = {
        "problem": "changed",
        "member": "Delay",
        "call": 1,
        "recorded": "5",
        "answer": "7",
        "cause": "it was changed",
    }
    return {**ABOUT, **usual, "repair": [1], "commands": [], "mendable": True, **other}


def shown(*findings: dict[str, Any], notes: tuple[dict[str, Any], ...] = ()) -> list[str]:
    check = {**ABOUT, "state": "there", "status": "", "reading": "", "answer": "", "links": []}
    document = {"findings": list(findings), "notes": list(notes), "pending": [], "tree": [check]}
    return list(tree_lines(document, everything=True))


@pytest.mark.parametrize(("value", "told"), [("<SECRET>", True), ("plain", False)])
def test_a_command_with_a_placeholder_says_so(value: str, told: bool) -> None:
    lines = shown(finding(commands=[f"aws ssm put-parameter --value '{value}'"]))
    assert any("stands for a value that is not shown" in line for line in lines) is told


@pytest.mark.parametrize("mendable", [True, False])
def test_what_no_call_mends_says_what_does(mendable: bool) -> None:
    lines = shown(finding(mendable=mendable, commands=["aws sqs set-queue-attributes"] if mendable else []))
    assert any(WHOLE_RESTORE in line for line in lines) is not mendable


def test_a_command_in_markdown_can_be_copied() -> None:
    command = "aws sqs create-queue --queue-name 'a|b`c``d' --tags '" + "x" * 400 + "'"
    document = {
        "resources": {"checked": 1, "there": 0},
        "links": {"checked": 0, "held": 0},
        "findings": [finding(member="", problem="missing", commands=[command])],
    }
    assert f"``` {command.replace('|', chr(92) + '|')} ```" in doctor_markdown(document)


def test_a_note_names_the_member() -> None:
    lines = shown(notes=(finding(member="VisibilityTimeout", cause="it may not keep it"),))
    assert lines[-1].strip() == "AWS::SQS::Queue orders VisibilityTimeout: it may not keep it (7)"
