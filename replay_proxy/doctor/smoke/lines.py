"""YAML that a user wrote, as JSON values, and in which line of it each of them stands.

YAML allows more than a list of checks can be: a member that is written twice, values that refer to each other without end, texts
that are no text. Each such thing is told with its line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from replay_proxy.errors import UsageError

HINT: Final = "docs/doctor.md shows a whole file"
EXTRA_HINT: Final = "pip install 'replay-proxy[smoke]'"
DEPTH_MAX: Final = 48
"""Of lists and mappings in each other."""
NODES_MAX: Final = 100_000
"""Of values in all, each as often as it is referred to."""
_INTEGER_BITS_MAX: Final = 63
_TIME: Final = "tag:yaml.org,2002:timestamp"


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong. path: to the value, or the member, that is wrong. about: what it is told of, where that is another."""

    path: tuple[str | int, ...]
    said: str
    about: tuple[str | int, ...] | None = None


class Lines:
    """In which line each value stands. node: PyYAML's, of the whole."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def of(self, path: Sequence[str | int]) -> int:
        """Return the line, from 1, of the value at a path, for a member that of its name; where it is not there, of what it would
        be in.
        """
        node, line = self._node, 1
        for number, step in enumerate(path):
            below, at = next(_below(node, step), (None, None))
            if below is None:
                break
            # The last name stands where its member begins; a list's element where it stands itself.
            node, line = below, _line(at if number == len(path) - 1 else below)
        return line


def read_yaml(content: bytes, name: str) -> tuple[Any, Lines]:
    """Return what a YAML document says, as JSON values, and its lines. name: of the file, for messages.

    Raises:
        UsageError: it is no YAML, or more than JSON can say; with the line. PyYAML or jsonschema are not installed.
    """
    try:
        import jsonschema  # noqa: F401 - what reads the values needs it; said before anything else
        import yaml
    except ModuleNotFoundError as error:
        raise UsageError(f"smoke tests need {error.name}, which is not installed", hint=EXTRA_HINT) from error

    def wrong(line: int, said: str) -> UsageError:
        return UsageError(f"{name}, line {line}: {said}", hint=HINT)

    text = _text(content, wrong)
    try:
        _check_depth(yaml, text, wrong)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _check_nodes(yaml, node, wrong)
            loader = yaml.SafeLoader("")
            document = _constructed(yaml, loader, node, wrong)
        else:
            document = None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise wrong(line, "this is not YAML: there is a character in it that no text has") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or type(error).__name__
        raise wrong(mark.line + 1 if mark is not None else 1, f"this is not YAML: {problem}") from error
    return document, Lines(node)


def _text(content: bytes, wrong: Any) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise wrong(content.count(b"\n", 0, error.start) + 1, "this is not YAML: it is not text in UTF-8") from error


def _check_depth(yaml: Any, text: str, wrong: Any) -> None:
    """Raise where lists and mappings stand deeper in each other than what reads them can go."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_MAX:
                raise wrong(_line(event), f"lists and mappings stand more than {DEPTH_MAX} deep in each other")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_nodes(yaml: Any, node: Any, wrong: Any) -> None:
    """Raise where a mapping has a member twice, or where references make too much of it."""
    left, todo = NODES_MAX, [(node, 0)]
    while todo:
        each, depth = todo.pop()
        left -= 1
        if depth > DEPTH_MAX or not left:
            raise wrong(_line(each), "it refers to itself, or to too much: write it out, without `&` and `*`")
        if isinstance(each, yaml.SequenceNode):
            todo += [(below, depth + 1) for below in each.value]
        elif isinstance(each, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, below in each.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise wrong(_line(key), "a name is to be a text, and this is a list or a mapping")
                if key.value in seen:
                    raise wrong(_line(key), f"{key.value!r} stands here twice: first in line {seen[key.value]}")
                seen[key.value] = _line(key)
                todo.append((below, depth + 1))


def _constructed(yaml: Any, loader: Any, node: Any, wrong: Any) -> Any:
    """Return a node as JSON values. What looks like a time is a text: JSON has no times."""
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [_constructed(yaml, loader, each, wrong) for each in node.value]
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        loader.flatten_mapping(node)
        return {key.value: _constructed(yaml, loader, below, wrong) for key, below in node.value}
    try:
        value = node.value if node.tag == _TIME else loader.construct_object(node, deep=True)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:  # PyYAML's own, of a tag that its text does not fit
        raise wrong(_line(node), f"this is not of the kind {node.tag.rpartition(':')[2]}") from error
    if not isinstance(value, str | bool | int | float | None):
        raise wrong(_line(node), f"a value of the kind {node.tag.rpartition(':')[2]} cannot be written in JSON")
    if isinstance(value, float) and not math.isfinite(value):
        raise wrong(_line(node), f"{node.value} is no number of JSON")
    if isinstance(value, int) and value.bit_length() > _INTEGER_BITS_MAX:
        raise wrong(_line(node), "this number is too large")
    return value


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _below(node: Any, step: str | int) -> Iterator[tuple[Any, Any]]:
    """Return the node below at a step, and the one that says where it begins."""
    if isinstance(step, int) and isinstance(node.value, list) and step < len(node.value):
        yield node.value[step], node.value[step]
    elif isinstance(step, str) and isinstance(node.value, list):
        yield from ((value, key) for key, value in node.value if key.value == step)
