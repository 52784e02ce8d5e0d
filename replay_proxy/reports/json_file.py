"""A JSON file of a user, read for a report: anybody may have made it, and it may be anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.errors import StorageError, UsageError

BYTES_MAX: Final = 256 << 20


def read_json_file(path: Path, noun: str, hint: str) -> Any:
    """Return what a JSON file holds.

    noun: what it should be, as messages say it ("diagnosis"). hint: how one is made.

    Raises:
        StorageError: the file cannot be read. UsageError: it is larger than `BYTES_MAX`, or no JSON.
    """
    try:
        if path.stat().st_size > BYTES_MAX:
            raise UsageError(f"{path} is larger than any {noun}", hint=hint)
        return orjson.loads(path.read_bytes())
    except OSError as error:
        raise StorageError(f"cannot read the {noun}: {path}: {error.strerror or error}", hint=hint) from error
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path} is no {noun}: it is not JSON ({error})", hint=hint) from None
