"""Whether the texts of an answer name a resource: found by words, and the same as by looking through all of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.doctor.texts import Listing, Texts

ARN = "arn:aws:sqs:us-east-1:000000000000:orders"


@pytest.mark.parametrize(
    ("value", "name", "named"),
    [
        ({"QueueArn": ARN}, "orders", True),
        ({"QueueArn": ARN + "-dead"}, "orders", False),
        ({"Url": "http://127.0.0.1:4566/000000000000/orders"}, "orders", True),
        ({"Policy": f'{{"Resource": "{ARN}"}}'}, ARN, True),
        ({"Policy": f'{{"Resource": "{ARN}"}}'}, '"', False),
        ({"orders": 1}, "orders", True),
        ({"Version": 3}, "3", True),
        ({"Enabled": True}, "True", False),
        ({"Names": ["a", "b"]}, "a\0b", False),
        ({"Name": "a"}, "", False),
        ({"Name": "grün"}, "gr", True),
    ],
)
def test_a_name_is_a_whole_part_of_a_text(value: object, name: str, named: bool) -> None:
    assert Texts(value).mention([name]) is named


NAMES = st.text(alphabet="ab-/.é", max_size=5)


@given(things=st.lists(st.fixed_dictionaries({"Name": NAMES, "Other": NAMES}), max_size=8), name=NAMES)
def test_the_one_element_that_names_it_is_found_as_by_looking_through_all(
    things: list[dict[str, str]], name: str
) -> None:
    whole = re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(name)}(?![A-Za-z0-9_-])")
    expected = [each for each in things if name and any(whole.search(text) for text in (*each, *each.values()))]
    found = Listing({"Things": things}).element([name])
    assert found == (expected[0] if len(expected) == 1 else None)
