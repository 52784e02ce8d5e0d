"""What the doctor says of a running proxy's recording and emulator."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Collection
from typing import Any

from tests.support.processes import Proxy


def examined(proxy: Proxy, query: str = "") -> dict[str, Any]:
    """The whole diagnosis, as `replay-proxy doctor --json` prints it."""
    request = urllib.request.Request(f"{proxy.url}/_replay/doctor{query}", method="POST")
    with urllib.request.urlopen(request, timeout=600) as answer:
        document: dict[str, Any] = json.load(answer)
        return document


def wrong_in(proxy: Proxy, but_of: Collection[str] = ()) -> list[dict[str, Any]]:
    """Findings, crosses and what is absent: nothing, where a state is sound. but_of: services whose findings are left out."""
    document = examined(proxy)
    lost = [
        {"resource": each["resource"], **link}
        for each in document["tree"]
        for link in each["links"]
        if link["holds"] is False
    ]
    gone = [each for each in document["tree"] if each["state"] == "absent"]
    assert document["resources"]["there"]
    findings = [each for each in document["findings"] if each["service"] not in but_of]
    return [*findings, *lost, *gone]
