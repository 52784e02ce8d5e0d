"""A call as a command of the AWS CLI, which would make it once more.

What is sensitive stands as a placeholder in it. Bytes are named as files, because a command line has none.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.resources.resource import Hidden, Long, leaves
from replay_proxy.wire.models.cli_names import cli_name, cli_service
from replay_proxy.wire.models.models import operation_model

SECRET: Final = "<SECRET>"  # noqa: S105 - a placeholder
_FILE: Final = "fileb://FILE"
_LONG_MAX: Final = 4096


def aws_command(head: CallHead, parameters: Mapping[str, Any]) -> str:
    """Return the command of a call. parameters: as attributes hold them (`resources.properties.attributes.tree`)."""
    words = ["aws", cli_service(head.service), cli_name(head.operation)]
    try:
        shape = operation_model(head.service, head.operation).input_shape
    except LookupError:
        shape = None
    members = shape.members if shape is not None else {}
    for member, value in parameters.items():
        part = members.get(member)
        if part is not None and part.metadata.get("idempotencyToken"):
            continue
        option = f"--{cli_name(member)}"
        if isinstance(value, bool):
            words.append(option if value else f"--no-{cli_name(member)}")
        elif part is not None and part.type_name == "blob":
            words += [option, _file(head, part)]
        else:
            text = _text(value, part)
            # What begins like an option would be taken for one.
            words += [f"{option}={_quoted(text)}"] if text.startswith("-") else [option, _quoted(text)]
    if head.region:
        words += ["--region", head.region]
    if _has_body(head):
        words.append("OUTFILE")
    return " ".join(words)


def _file(head: CallHead, part: Any) -> str:
    return "FILE" if part.serialization.get("streaming") or head.service == "s3" else _FILE


def _has_body(head: CallHead) -> bool:
    """Does the CLI want the name of a file for what it gets?"""
    try:
        output = operation_model(head.service, head.operation)
    except LookupError:
        return False
    return bool(output.has_streaming_output)


def _text(value: Any, shape: Any) -> str:
    if isinstance(value, Hidden):
        return SECRET
    if isinstance(value, Long):
        return "file://FILE"
    if isinstance(value, str):
        return value if len(value) <= _LONG_MAX else "file://FILE"
    if isinstance(value, Mapping | list):
        if any(isinstance(below, Long) for _path, below in leaves(value)):
            return "file://FILE"
        return orjson.dumps(_plain(value, shape)).decode()
    return orjson.dumps(value).decode() if value is not None else ""


def _plain(value: Any, shape: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(below, None) for name, below in value.items()}
    if isinstance(value, list):
        return [_plain(below, None) for below in value]
    if isinstance(value, Hidden):
        return SECRET
    return value


def _quoted(text: str) -> str:
    """Quote a text for a POSIX shell; one with characters that control a terminal as `$'…'`, with escapes for these."""
    if text == SECRET or text.startswith(("file://", "fileb://")):
        return shlex.quote(text) if text == SECRET else text
    if text.isprintable():
        return shlex.quote(text)
    escaped = "".join(_escaped(char) for char in text)
    return f"$'{escaped}'"


def _escaped(char: str) -> str:
    if char in "\\'":
        return f"\\{char}"
    if char.isprintable():
        return char
    if char == "\n":
        return "\\n"
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
