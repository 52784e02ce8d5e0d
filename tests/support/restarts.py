"""Terraform across restarts of proxy and emulator: what it made is planned without changes, can be changed, and destroyed."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.diagnoses import wrong_in
from tests.support.processes import Proxy, localstack_python
from tests.support.terraform import Terraform

RESTARTS = 3
RESTORE_LIMIT = 600.0
"""Seconds until a stack is restored on a machine that has much else to do."""


def options(emulator: str) -> list[str]:
    """What `replay-proxy serve` is told of its emulator."""
    more = ["--emulator-python", str(localstack_python())] if emulator == "localstack" else []
    return ["--emulator", emulator, *more]


def restarts_change_nothing(
    start: Callable[..., Proxy],
    emulator: str,
    write: Callable[[str], Terraform],
) -> None:
    """Apply; three times end both by SIGKILL, start again, plan, diagnose, and change the variable `owner`; destroy.

    write: the stack for the proxy's address.

    After a plan without changes nothing has to be read again, so what follows it does not. The outputs need no look of
    their own after a restart: a plan says so where one would become another.
    """
    proxy = start(*options(emulator))
    terraform = write(proxy.url)
    terraform.apply()
    assert wrong_in(proxy) == []
    resources = terraform.resources()
    for turn in range(RESTARTS):
        proxy.kill_all()
        proxy = start(*options(emulator), port=proxy.port, wait=False)
        proxy.wait_until("/_localstack/health", [200], RESTORE_LIMIT)
        restore = proxy.status()["last_restore"]
        changes = terraform.changes()
        assert changes == "", f"restart {turn + 1}: {changes}\nrestore: {restore}"
        assert restore["problems"] == []
        assert wrong_in(proxy) == []
        terraform.variables(owner=f"owner {turn}")
        terraform.apply(refresh=False)
        assert terraform.resources() == resources
    terraform.destroy(refresh=False)
    assert terraform.resources() == []
