"""Each test here tells a story on one emulator, and with the long tests on every one that has the services of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.processes import Proxy, left_out, missing
from tests.support.stories import Story

ON_MINISTACK = ("test_state_items", "test_state_objects", "test_state_queues")
"""Files whose stories are told on MiniStack by default, the others on moto; on all of them with the long tests."""


def told(request: pytest.FixtureRequest, start_proxy: Callable[..., Proxy]) -> Story:
    name = str(request.param)
    reason = missing(name)
    usual = "ministack" if request.path.stem in ON_MINISTACK else "moto"
    if reason is None and name != usual and (why := left_out(0.1)):
        reason = f"the same on {name} as on {usual} {why}"
    if reason is not None:
        pytest.skip(reason)
    return Story(start_proxy, name)


@pytest.fixture(params=["moto", "ministack"])
def story(request: pytest.FixtureRequest, start_proxy: Callable[..., Proxy]) -> Story:
    return told(request, start_proxy)


@pytest.fixture(params=["moto", "ministack", "localstack"])
def any_story(request: pytest.FixtureRequest, start_proxy: Callable[..., Proxy]) -> Story:
    """For services that LocalStack community has without further downloads, too."""
    return told(request, start_proxy)
