"""Show what is in a recording: which resources there are, what they hang on, which calls made and changed them.

On a terminal this is a browser (with the extra `inspect`): a tree of resources, their links to follow, their calls.
Elsewhere it is text, and with --json a document whose schema is docs/schemas/inspect.schema.json.

replay-proxy inspect                        the recording of --data-dir
replay-proxy inspect artifact.zip           a directory, a journal, a ZIP or tar archive, `-` for standard input
replay-proxy inspect --resource orders      all that is known of one resource
replay-proxy inspect --calls --failed       the journal as a table: here the calls that were refused
replay-proxy inspect --call 42              one call: request, answer, the `aws` command
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from replay_proxy.cli.recordings.source import add_recording, named_recording
from replay_proxy.config import add_options, resolve
from replay_proxy.errors import UsageError

if TYPE_CHECKING:
    from replay_proxy.journal.read.reader import Recording
    from replay_proxy.reports.selection import Selection
    from replay_proxy.resources.folding.model import ResourceModel

BROWSER_HINT = "for the browser: pip install 'replay-proxy[inspect]'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `inspect`."""
    add_recording(parser)
    parser.add_argument(
        "--service", metavar="NAME", action="append", default=[], help="only this service; may be repeated"
    )
    parser.add_argument(
        "--type", metavar="TYPE", action="append", default=[], help="only this type (`AWS::SQS::Queue`, or `Queue`)"
    )
    parser.add_argument(
        "--resource", metavar="TEXT", default="", help="only what has this name, id, ARN or URL, or a part of it"
    )
    parser.add_argument("--operation", metavar="NAME", action="append", default=[], help="only calls of this operation")
    parser.add_argument("--since", metavar="MOMENT", default="", help="only calls from this number or time on")
    parser.add_argument("--until", metavar="MOMENT", default="", help="only calls up to this number or time")
    parser.add_argument("--failed", action="store_true", help="only calls that were refused")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--calls", action="store_true", help="the journal as a table")
    shape.add_argument("--call", metavar="NUMBER", type=int, help="one call, with its request and its answer")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the same as JSON")
    form.add_argument("--plain", action="store_true", help="print text on a terminal, too")
    parser.add_argument("--attributes", action="store_true", help="in the tree, show the attributes of each resource")
    add_options(parser, "inspect")


def run(args: argparse.Namespace) -> int:
    """Show the recording, and return the exit code."""
    settings = resolve(args)
    from replay_proxy.cli.recordings.opening import open_named
    from replay_proxy.reports.moments import model_at, split_moment
    from replay_proxy.reports.selection import Selection, parse_moment

    selection = Selection(
        tuple(_listed(args.service)),
        tuple(_listed(args.type)),
        args.resource,
        tuple(_listed(args.operation)),
        parse_moment(args.since) if args.since else "",
        parse_moment(args.until) if args.until else "",
        args.failed,
    )
    where, at = split_moment(named_recording(args, settings))
    with open_named(where, settings) as recording:
        if args.call is not None:
            return _show_call(recording, args.call, args.json)
        model = model_at(recording, at)
        if not args.json and not args.plain and not args.calls and _is_interactive():
            return _browse(recording, model, selection)
        if args.json:
            _show_json(recording, model, selection)
        else:
            _print(_lines(model, selection, calls=args.calls, attributes=args.attributes))
        _warn(recording)
    return 0


def _listed(values: list[str]) -> list[str]:
    return [each.strip() for value in values for each in value.split(",") if each.strip()]


def _is_interactive() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _browse(recording: Recording, model: ResourceModel, selection: Selection) -> int:
    try:
        from replay_proxy.reports.browser.app import Browser
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "textual":
            raise
        _print(_lines(model, selection))
        print(f"hint: {BROWSER_HINT}", file=sys.stderr)
        return 0
    Browser(recording, model, selection).run()
    return 0


def _show_call(recording: Recording, seq: int, as_json: bool) -> int:
    from replay_proxy.reports.call_document import call_document
    from replay_proxy.reports.inspect_text import call_text_lines
    from replay_proxy.reports.json_text import json_text

    try:
        record = recording.fetch(seq)
    except KeyError:
        numbers = recording.index.seqs
        there = f"they are numbered from {numbers[0]} to {numbers[-1]}" if len(numbers) else "it has no calls"
        raise UsageError(f"the recording has no call {seq}", hint=f"{there}; `--calls` lists them") from None
    document = call_document(record, lambda ref: b"".join(recording.blobs.read(ref)))
    if as_json:
        sys.stdout.write(json_text(document))
    else:
        _print(call_text_lines(document))
    return 0


def _show_json(recording: Recording, model: ResourceModel, selection: Selection) -> None:
    from replay_proxy.reports.inspect_document import inspect_document
    from replay_proxy.reports.json_text import json_pieces

    sys.stdout.writelines(json_pieces(inspect_document(recording, model, selection)))


def _lines(
    model: ResourceModel, selection: Selection, *, calls: bool = False, attributes: bool = False
) -> Iterator[str]:
    from replay_proxy.reports import inspect_text

    if calls:
        yield from inspect_text.call_lines(model, selection.calls(model))
        return
    found = selection.resources(model)
    if selection.resource and len(found) <= _IN_FULL_MAX:
        for resource in found:
            yield from inspect_text.resource_lines(model, resource)
        if not found:
            yield "nothing in the recording is called so; `--calls` lists its calls"
        return
    yield inspect_text.summary_line(model)
    yield from inspect_text.tree_lines(model, found, attributes=attributes)


_IN_FULL_MAX = 3
"""So many resources are shown in full where one is asked for by name; more are listed."""


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        print(line)


def _warn(recording: Recording) -> None:
    from replay_proxy.reports.plain_text import plain

    for warning in recording.warnings:
        print(f"warning: {plain(warning, 1000)}", file=sys.stderr)
