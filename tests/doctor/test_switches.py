"""What is found switched off, where a call had switched it on."""

from __future__ import annotations

from typing import Any

import pytest

from replay_proxy.doctor.conclusions import Conclusions
from replay_proxy.doctor.diagnosis import Check, Diagnosis, Problem, State
from replay_proxy.doctor.links import Description
from replay_proxy.doctor.readings import Names
from replay_proxy.doctor.repair import Repairs
from replay_proxy.doctor.seen_right import SeenRight
from replay_proxy.doctor.switches import switched_off
from tests.resources.recordings import Tape

KEY = "6b0f7c34-90b5-4b0c-8a52-0c8d2f7a3f10"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:turn"
RULES = {"AutomaticallyAfterDays": 3}


@pytest.mark.parametrize(
    ("service", "made", "turned", "off"),
    [
        (
            "kms",
            ("CreateKey", {}, {"KeyMetadata": {"KeyId": KEY}}),
            ("EnableKeyRotation", {"KeyId": KEY, "RotationPeriodInDays": 180}),
            "KeyRotationEnabled",
        ),
        (
            "secretsmanager",
            ("CreateSecret", {"Name": "s"}, {"Name": "s"}),
            ("RotateSecret", {"SecretId": "s", "RotationLambdaARN": FUNCTION, "RotationRules": RULES}),
            "RotationEnabled",
        ),
        (
            "secretsmanager",
            ("CreateSecret", {"Name": "s"}, {"Name": "s"}),
            ("RotateSecret", {"SecretId": "s", "RotationRules": RULES}),
            "RotationEnabled",
        ),
    ],
)
def test_a_rotation_that_a_call_switched_on_with_its_period_is_found_off(
    service: str, made: tuple[str, dict[str, Any], dict[str, Any]], turned: tuple[str, dict[str, Any]], off: str
) -> None:
    tape = Tape()
    tape.call(service, *made)
    turning = tape.call(service, *turned)
    model = tape.model()
    (resource,) = (each for each in model.resources.values() if each.made_by)
    found = list(switched_off(Names(model, resource), Description(shown={off: False})))
    assert found == [(off, f"{off} is False", None)]
    assert Repairs(model).of(resource, Problem.SWITCHED_OFF, off) == (turning,)
    assert list(switched_off(Names(model, resource), Description(shown={off: True}))) == []


def test_a_rotation_that_no_read_showed_was_not_seen_on() -> None:
    tape = Tape()
    tape.call("secretsmanager", "CreateSecret", {"Name": "s"}, {"Name": "s"})
    tape.call("secretsmanager", "RotateSecret", {"SecretId": "s", "RotationRules": RULES})
    model = tape.model()
    (secret,) = model.resources.values()
    seen: dict[str, list[Any]] = {}

    def found(shown: dict[str, Any]) -> tuple[list[Problem], list[str]]:
        """What a diagnosis finds and what it notes, after those before it."""
        nonlocal seen
        diagnosis, notes = Diagnosis([Check(secret, State.THERE)]), SeenRight(model, seen)
        Conclusions(model, {secret.number: Description(shown=shown)}, lambda seq: None, diagnosis, notes).draw()
        seen = notes.as_json()
        return [each.problem for each in diagnosis.findings], [each.member for each in diagnosis.notes]

    assert found({}) == ([], [])
    assert found({"RotationEnabled": False}) == ([], ["RotationEnabled"])
    assert found({"RotationEnabled": True}) == ([], [])
    assert found({"RotationEnabled": False}) == ([Problem.SWITCHED_OFF], [])
