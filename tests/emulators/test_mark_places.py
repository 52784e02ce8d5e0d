"""Where a mark is looked for in an answer: an emulator may say nothing there, or something else than the model."""

from __future__ import annotations

from typing import Any

import pytest

from replay_proxy.emulators.mark_places import PLACES, shown_at


@pytest.mark.parametrize("odd", [None, 7, "text", [], {}, [None], {"Tags": None}])
def test_what_is_not_there_shows_nothing(odd: Any) -> None:
    for place in PLACES:
        path = place.get.shows
        assert shown_at(odd, path) in ([], ["text"])
        if path:
            assert shown_at({path[0]: odd}, path) in ([], ["text"])
