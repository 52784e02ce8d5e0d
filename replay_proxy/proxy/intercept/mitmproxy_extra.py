"""mitmproxy comes with an extra: whether it is installed, and what to do where it is not."""

from __future__ import annotations

from importlib.util import find_spec

from replay_proxy.errors import UsageError


def need_mitmproxy() -> None:
    """Raise `UsageError` where mitmproxy is not installed, without importing it."""
    if find_spec("mitmproxy") is None:
        raise UsageError(
            "the interception door needs mitmproxy, which is not installed",
            hint="pip install 'replay-proxy[intercept]'",
        )
