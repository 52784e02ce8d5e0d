"""Each test here tells a story on every emulator that has the services of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.processes import Proxy, left_out, missing
from tests.support.stories import Story


@pytest.fixture(params=["moto", "ministack"])
def story(request: pytest.FixtureRequest, start_proxy: Callable[..., Proxy]) -> Story:
    return Story(start_proxy, str(request.param))


@pytest.fixture(params=["moto", "ministack", "localstack"])
def any_story(request: pytest.FixtureRequest, start_proxy: Callable[..., Proxy]) -> Story:
    """For services that LocalStack community has without further downloads, too."""
    reason = missing(str(request.param))
    if reason is None and request.param == "localstack" and (why := left_out(0.2)):
        reason = f"on LocalStack {why}"
    if reason is not None:
        pytest.skip(reason)
    return Story(start_proxy, str(request.param))
