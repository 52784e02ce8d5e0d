"""A command of the AWS CLI, as an operation with its parameters: `sqs get-queue-url --queue-name orders`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from replay_proxy.errors import UsageError
from replay_proxy.wire.models.cli_names import cli_name, cli_service
from replay_proxy.wire.models.models import operation_model, service_model, service_names

_HINT = "write it as for the AWS CLI, as in: sqs get-queue-url --queue-name orders"


def parse_command(text: str) -> tuple[str, str, dict[str, Any]]:
    """Return service (botocore's name), operation and parameters of a command.

    Raises:
        UsageError: it cannot be understood.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text!r}: {error}", hint=_HINT) from error
    words = words[1:] if words[:1] == ["aws"] else words
    if len(words) < 2:
        raise UsageError(f"{text!r} names no operation", hint=_HINT)
    service = _services().get(words[0])
    if service is None:
        raise UsageError(f"{words[0]!r} is no service of the AWS CLI", hint=_HINT)
    operation = next((each for each in service_model(service).operation_names if cli_name(each) == words[1]), None)
    if operation is None:
        raise UsageError(f"{words[0]} has no operation {words[1]!r}", hint=_HINT)
    return service, operation, _parameters(service, operation, words[2:])


@lru_cache(maxsize=1)
def _services() -> Mapping[str, str]:
    return {cli_service(name): name for name in service_names()}


def _parameters(service: str, operation: str, words: list[str]) -> dict[str, Any]:
    shape = operation_model(service, operation).input_shape
    members = {cli_name(member): member for member in shape.members} if shape is not None else {}
    found: dict[str, Any] = {}
    at = 0
    while at < len(words):
        option, equals, inline = words[at].partition("=")
        at += 1
        name = option.removeprefix("--")
        negated = name.removeprefix("no-")
        if shape is None or not option.startswith("--") or not {name, negated} & members.keys():
            raise UsageError(f"{cli_name(operation)} has no option {option!r}", hint=_HINT)
        member = members.get(name, members.get(negated, ""))
        part = shape.members[member]
        values = [inline] if equals else []
        while not equals and at < len(words) and not words[at].startswith("--"):
            values.append(words[at])
            at += 1
        if part.type_name == "boolean" and not values:
            found[member] = name in members
            continue
        if not values:
            raise UsageError(f"{option} has no value", hint=_HINT)
        found[member] = _value(part, values, option)
    return found


def _value(shape: Any, values: list[str], option: str) -> Any:
    text = values[0]
    if shape.type_name in ("list", "structure", "map"):
        if text.lstrip()[:1] in ("[", "{"):
            try:
                return orjson.loads(text)
            except orjson.JSONDecodeError as error:
                raise UsageError(f"{option}: this is not JSON: {error}", hint=_HINT) from error
        if shape.type_name == "list" and shape.member.type_name == "string":
            return values
        raise UsageError(f"{option}: write its value as JSON", hint=_HINT)
    if shape.type_name in ("integer", "long", "float", "double"):
        try:
            return float(text) if shape.type_name in ("float", "double") else int(text)
        except ValueError as error:
            raise UsageError(f"{option}: {text!r} is no number", hint=_HINT) from error
    if shape.type_name == "boolean":
        return text.lower() == "true"
    return text.encode() if shape.type_name == "blob" else text
