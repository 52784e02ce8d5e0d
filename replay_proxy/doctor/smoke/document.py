"""The file of smoke tests: read, and held against its schema and what the schema cannot say. A mistake is told with its line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.doctor.smoke.lines import HINT, Mistake, read_yaml
from replay_proxy.doctor.smoke.meaning import mistakes_of
from replay_proxy.errors import UsageError

FILE_NAME: Final = "replay-smoke.yaml"
BYTES_MAX: Final = 1 << 20
_SCHEMA: Final = Path(__file__).parent / "data" / "smoke.schema.json"
_SAID_CHARACTERS_MAX: Final = 300


@lru_cache(maxsize=1)
def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of the file."""
    document: dict[str, Any] = orjson.loads(_SCHEMA.read_bytes())
    return document


def read_smoke_tests(path: Path) -> dict[str, Any]:
    """Return what a file of smoke tests says.

    Raises:
        UsageError: it cannot be read, or is not one; with the line of the mistake.
    """
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="does it exist?") from error
    if len(content) > BYTES_MAX:
        raise UsageError(f"{path} is longer than {BYTES_MAX >> 20} MiB", hint=HINT)
    return parse_smoke_tests(content, str(path))


def parse_smoke_tests(content: bytes, name: str) -> dict[str, Any]:
    """Return what the content of a file of smoke tests says. name: of the file, for messages. Raises as `read_smoke_tests`."""
    document, lines = read_yaml(content, name)
    mistakes = [*_against_schema(document)] or [*mistakes_of(document)]
    # A name that is not known says more than that another one is missing.
    mistake = min(mistakes, key=lambda each: (lines.of(each.path), each.about is None, each.said), default=None)
    if mistake is not None:
        where = ".".join(map(str, mistake.about if mistake.about is not None else mistake.path)) or "the file"
        said = mistake.said if len(mistake.said) <= _SAID_CHARACTERS_MAX else f"{mistake.said[:_SAID_CHARACTERS_MAX]}…"
        raise UsageError(f"{name}, line {lines.of(mistake.path)}: {where}: {said}", hint=HINT)
    checked: dict[str, Any] = document
    return checked


def _against_schema(document: Any) -> list[Mistake]:
    """Return what is not as the schema has it. A member that it does not know is told where it stands."""
    import jsonschema

    found = []
    for error in jsonschema.Draft202012Validator(schema()).iter_errors(document):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            known = error.schema["properties"]
            for member in error.instance.keys() - known.keys():
                said = f"{member!r} is not known here; known are {', '.join(known)}"
                found.append(Mistake((*path, member), said, about=path))
        elif error.validator == "oneOf":
            found.append(Mistake(path, "a check has exactly one of invoke, http, queue, stream and aws"))
        elif not path and error.validator == "type" and document is None:
            found.append(Mistake(path, "there is nothing in it, and it is to have `checks:`, a list"))
        else:
            found.append(Mistake(path, str(error.message)))
    return found
