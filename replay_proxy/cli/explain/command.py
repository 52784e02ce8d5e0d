"""Say what the proxy makes of a request or of an operation: which call it is, whether it changes state, and why.

replay-proxy explain sqs:CreateQueue       one operation
replay-proxy explain sqs                   all operations of a service
replay-proxy explain "curl -X POST ..."    a request: a curl command line, a HAR entry, a line of a recording
                                           (ours or LocalStack's), the text of an HTTP request
replay-proxy explain -                     the same from standard input
replay-proxy explain @FILE                 the same from a file
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from replay_proxy.errors import UsageError

_INPUT_BYTES_MAX = 64 * 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `explain`."""
    parser.add_argument(
        "what",
        metavar="WHAT",
        nargs="+",
        help="SERVICE, SERVICE:OPERATION, a request, `-` (standard input) or @FILE",
    )
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the explanation, and return the exit code."""
    from replay_proxy.cli.explain.views import View, as_json, operation_view, request_view, service_view

    words: list[str] = args.what
    if len(words) > 1 and words[0] in ("curl", "$"):
        raise UsageError(
            "the shell has already taken this command line apart",
            hint="put the whole line into quotes, or pass it through standard input: `replay-proxy explain -`",
        )
    if len(words) == 2 and ":" not in words[0]:
        words = [":".join(words)]
    if len(words) > 1:
        raise UsageError(f"{len(words)} arguments, and one is expected", hint="`replay-proxy explain --help`")
    text = _text(words[0])
    service, _, operation = text.partition(":")
    view: View
    if not _is_name(service) or (operation and not _is_name(operation)):
        view = request_view(text, _read_file)
    elif operation:
        view = operation_view(service, operation)
    else:
        view = service_view(service)
    if args.json:
        sys.stdout.write(as_json(view))
    else:
        view.print()
    return 0


def _is_name(word: str) -> bool:
    return bool(word) and word.isascii() and word.replace("-", "").replace("_", "").isalnum()


def _text(word: str) -> str:
    if word == "-":
        content = sys.stdin.buffer.read(_INPUT_BYTES_MAX + 1)
        if len(content) > _INPUT_BYTES_MAX:
            raise UsageError("more than 64 MiB on standard input", hint="paste one request at a time")
        text = content.decode("utf-8", "surrogateescape")
    elif word.startswith("@"):
        text = _read_file(word[1:]).decode("utf-8", "surrogateescape")
    else:
        text = word
    if not text.strip():
        raise UsageError("nothing was given to explain", hint="`replay-proxy explain --help` shows what it takes")
    return text.strip()


def _read_file(name: str) -> bytes:
    try:
        with Path(name).expanduser().open("rb") as file:
            content = file.read(_INPUT_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"cannot read {name!r}: {error.strerror}", hint="check the path after `@`") from None
    if len(content) > _INPUT_BYTES_MAX:
        raise UsageError(
            f"{name!r} is larger than 64 MiB", hint="shorten the body: what matters stands at its beginning"
        )
    return content
