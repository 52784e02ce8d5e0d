"""The file of smoke tests: read, and held against its schema. A mistake is told with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.errors import UsageError

FILE_NAME: Final = "replay-smoke.yaml"
BYTES_MAX: Final = 1 << 20
_SCHEMA: Final = Path(__file__).parent / "data" / "smoke.schema.json"
HINT: Final = "docs/doctor.md shows a whole file"
EXTRA_HINT: Final = "pip install 'replay-proxy[smoke]'"


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
        content = path.read_bytes()[: BYTES_MAX + 1]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="does it exist?") from error
    if len(content) > BYTES_MAX:
        raise UsageError(f"{path} is longer than {BYTES_MAX >> 20} MiB", hint=HINT)
    return parse_smoke_tests(content, str(path))


def parse_smoke_tests(content: bytes, name: str) -> dict[str, Any]:
    """Return what the content of a file of smoke tests says. name: of the file, for messages. Raises as `read_smoke_tests`."""
    try:
        import jsonschema
        import yaml
    except ModuleNotFoundError as error:
        raise UsageError(f"smoke tests need {error.name}, which is not installed", hint=EXTRA_HINT) from error
    try:
        node = yaml.compose(content, Loader=yaml.SafeLoader)
        document = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise UsageError(f"{name}{at}: this is not YAML: {problem}", hint=HINT) from error
    mistakes = jsonschema.Draft202012Validator(schema()).iter_errors(document)
    mistake = min(mistakes, key=lambda each: (_line(node, each.absolute_path), str(each.message)), default=None)
    if mistake is not None:
        line = _line(node, mistake.absolute_path)
        where = ".".join(map(str, mistake.absolute_path)) or "the file"
        raise UsageError(f"{name}, line {line}: {where}: {_said(mistake)}", hint=HINT)
    checked: dict[str, Any] = document
    return checked


def _said(mistake: Any) -> str:
    """Return a mistake in words."""
    if mistake.validator == "oneOf":
        return "a check has exactly one of invoke, http, queue, stream and aws"
    return str(mistake.message)[:300]


def _line(node: Any, path: Sequence[str | int]) -> int:
    """Return the line, from 1, of the node at a path; of the nearest one above it where there is none."""
    for step in path:
        below = next(_below(node, step), None)
        if below is None:
            break
        node = below
    return 1 if node is None else int(node.start_mark.line) + 1


def _below(node: Any, step: str | int) -> Iterator[Any]:
    if isinstance(step, int):
        if step < len(node.value):
            yield node.value[step]
    else:
        yield from (value for key, value in node.value if key.value == step)
