"""Names of resources, in whichever form they are written."""

from __future__ import annotations

import re


def short(value: str) -> str:
    """What a name, an ARN and a URL of the same resource have in common."""
    if value.startswith("arn:"):
        resource = value.split(":", 5)[-1]
        return re.split(r"[:/]", resource, maxsplit=1)[-1].strip("/") if re.search(r"[:/]", resource) else resource
    if value.startswith(("http://", "https://")):
        return value.rstrip("/").rpartition("/")[2]
    return value.removeprefix("/hostedzone/").strip("/")
