"""What the installed botocore says of each of its services, read fast: its own loader looks through all of them each time."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import orjson
from botocore.loaders import Loader


@cache
def metadata() -> dict[str, dict[str, Any]]:
    """By service, of its latest API version."""
    loader = Loader()
    found = {}
    for name in loader.list_available_services("service-2"):
        version = loader.determine_latest_version(name, "service-2")
        file = Path(botocore.__file__).parent / "data" / name / version / "service-2.json.gz"
        found[name] = orjson.loads(gzip.decompress(file.read_bytes()))["metadata"]
    return found
