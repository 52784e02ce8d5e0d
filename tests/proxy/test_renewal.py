"""A renewal ends once, and never leaves whoever ordered it waiting."""

from __future__ import annotations

import pytest

from replay_proxy.errors import EmulatorError, UsageError
from replay_proxy.proxy.lifecycle.restoring.requested_load import Renewal, RenewalState


async def nothing() -> None:
    pass


def renewal() -> Renewal:
    return Renewal("the emulator is being emptied", nothing, nothing)


async def test_one_that_succeeds_does_not_fail_afterwards() -> None:
    order = renewal()
    assert repr(order) == "<Renewal ordered: the emulator is being emptied>"
    order.begin()
    assert order.state is RenewalState.UNDER_WAY
    order.succeed()
    order.fail(EmulatorError("the proxy is being stopped"))
    assert order.state is RenewalState.DONE
    await order.over


@pytest.mark.parametrize("begun", [False, True])
async def test_one_that_fails_stays_failed_with_the_first_reason(begun: bool) -> None:
    order = renewal()
    if begun:
        order.begin()
    order.fail(UsageError("there is no way"))
    order.fail(EmulatorError("the proxy is being stopped"))
    order.succeed()
    assert order.state is RenewalState.FAILED
    with pytest.raises(UsageError, match="there is no way"):
        await order.over


async def test_an_unexpected_error_is_put_in_words() -> None:
    order = renewal()
    order.fail(RuntimeError("broken"))
    with pytest.raises(EmulatorError, match="the recorded state cannot be restored: RuntimeError: broken"):
        await order.over
