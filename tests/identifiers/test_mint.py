from __future__ import annotations

import re

import pytest
from hypothesis import given

from replay_proxy.identifiers.table import mint

from .messages import identifiers


@pytest.mark.parametrize(
    ("taken", "shape"),
    [
        ("vpc-0a1b2c3d", r"vpc-0[0-9a-f]{7}"),
        ("0bc2fe78-ea04-4d73-88ba-c9b3ed0552e8", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ("AKIARZPUZDIKNYD3IFLX", r"A[0-9A-Z]{19}"),
        ("miqd7dlv2b", r"m[0-9a-z]{9}"),
        ("us-east-1_Ab3dEf", r"us-east-1_A[0-9a-zA-Z]{5}"),
        ("10.1.2.3", r"10\.1\.2\.\d{1,3}"),
        ("02:00:00:c4:22:c3", r"02:00:00:c4:[0-9a-f]{2}:[0-9a-f]{2}"),
        ("abcdefgh", r"a[a-z0-9]{7}"),
    ],
)
def test_a_fresh_identifier_has_the_shape_of_the_taken_one(taken: str, shape: str) -> None:
    fresh = mint.fresh(taken, lambda _: False)
    assert re.fullmatch(shape, fresh) and fresh != taken


@given(identifiers)
def test_the_same_question_has_the_same_answer(taken: str) -> None:
    first = mint.fresh(taken, lambda _: False)
    assert mint.fresh(taken, lambda _: False) == first
    assert mint.fresh(taken, lambda candidate: candidate == first) not in (first, taken)
    assert len(first) == len(taken) or len(taken) < 12


def test_a_shape_without_room_is_an_error() -> None:
    with pytest.raises(ValueError, match="no free identifier"):
        mint.fresh("vpc-0001", lambda _: True)
