"""What a schema cannot say of smoke tests: commands of the AWS CLI, expressions, items, and what goes with which kind of check.

So that a mistake is told before anything is carried out, and with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

from replay_proxy.doctor.smoke.commands import parse_command
from replay_proxy.doctor.smoke.lines import Mistake
from replay_proxy.errors import UsageError
from replay_proxy.wire.models.models import service_model

_Path = tuple[str | int, ...]

_ONLY: Final = {"status": ("http",), "error": ("aws", "invoke")}
"""Members of `expect`, and the kinds of checks that have them."""
_REGION: Final = re.compile(r"[a-z0-9-]+")


def mistakes_of(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """Return what cannot be meant in a document that is as the schema has it."""
    names: dict[str, int] = {}
    if "region" in document and not _REGION.fullmatch(document["region"]):
        yield Mistake(("region",), f"{document['region']!r} is no region")
    for number, check in enumerate(document["checks"]):
        path: _Path = ("checks", number)
        kind = next(each for each in ("invoke", "http", "queue", "stream", "aws") if each in check)
        if check["name"] in names:
            yield Mistake((*path, "name"), f"check {names[check['name']] + 1} is called {check['name']!r}, too")
        names.setdefault(check["name"], number)
        if "region" in check and not _REGION.fullmatch(check["region"]):
            yield Mistake((*path, "region"), f"{check['region']!r} is no region")
        if kind == "aws":
            yield from _of_command(check["aws"], (*path, "aws"))
        elif kind == "stream":
            yield from _of_stream(check["stream"], (*path, "stream"))
        yield from _of_expectation(check.get("expect", {}), kind, (*path, "expect"))


def _of_command(text: str, path: _Path) -> Iterator[Mistake]:
    try:
        parse_command(text)
    except UsageError as error:
        yield Mistake(path, error.message)


def _of_stream(asked: Mapping[str, Any], path: _Path) -> Iterator[Mistake]:
    for member, item in (("put", asked["put"]), ("key", asked["key"])):
        yield from _of_item(item, (*path, member))
    yield from _of_item(asked["read"]["key"], (*path, "read", "key"))


def _of_item(item: Mapping[str, Any], path: _Path) -> Iterator[Mistake]:
    """Return the attributes that are not written as DynamoDB writes them."""
    if not item:
        yield Mistake(path, "it has no attributes")
    kinds = service_model("dynamodb").shape_for("AttributeValue").members
    for name, value in item.items():
        if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in kinds:
            yield Mistake((*path, name), f"{name!r} is to be written as DynamoDB writes it: {{S: text}}, {{N: '5'}}")
        elif next(iter(value)) in ("S", "N", "B") and not isinstance(next(iter(value.values())), str):
            yield Mistake((*path, name), f"the value of {name!r} is to be a text; put it in quotes")


def _of_expectation(expected: Mapping[str, Any], kind: str, path: _Path) -> Iterator[Mistake]:
    for member, kinds in _ONLY.items():
        if member in expected and kind not in kinds:
            yield Mistake(
                (*path, member), f"{member!r} belongs to {' and '.join(kinds)}, and this is a check by {kind}"
            )
    if "query" in expected:
        try:
            unknown = _unknown_function(jmespath.compile(expected["query"]).parsed)
            if unknown:
                yield Mistake((*path, "query"), f"JMESPath has no function {unknown}()")
            elif not expected.keys() & {"is", "has", "contains", "matches"}:
                yield Mistake((*path, "query"), "it says what is looked at, and not what is expected of it: add `is`")
        except JMESPathError as error:
            yield Mistake((*path, "query"), f"{expected['query']!r} is no JMESPath expression: {_first_line(error)}")
    if "matches" in expected:
        try:
            re.compile(expected["matches"])
        except re.error as error:
            yield Mistake((*path, "matches"), f"{expected['matches']!r} is no regular expression: {error}")


def _unknown_function(node: Mapping[str, Any]) -> str:
    """Return the name of a function in an expression that JMESPath does not have; empty where it has all."""
    if node["type"] == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
        return str(node["value"])
    return next(
        (found for each in node["children"] if isinstance(each, dict) and (found := _unknown_function(each))), ""
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
