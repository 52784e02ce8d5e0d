"""The command `replay-proxy`: finds the verb, and turns every error into a message, a hint and an exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import NoReturn

from replay_proxy.errors import ReplayProxyError

VERBS = {
    "serve": ("serve", "record what clients do to an emulator, and restore it after a restart"),
    "restore": ("restore", "replay a recording into a running emulator once, and exit"),
    "plan": ("plan", "say what a restore would replay, what it would leave out, and why"),
    "aliases": ("aliases", "list which emulator identifiers stand for which client identifiers"),
    "explain": ("explain", "say what the proxy makes of a request or an operation, and why"),
    "compact": ("compact", "rewrite a recording to its live part, without what no restore would repeat"),
    "check": ("check", "verify a recording, and repair what can be repaired safely"),
    "export": ("export", "copy a recording so that it can leave the machine: redacted, or encrypted"),
    "import": ("import_", "turn recordings of other tools into one of ours"),
}
"""Verb: (module in this package, what it does). Only the module of the verb that is typed is imported."""

INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """argparse, with our form of message."""

    def error(self, message: str) -> NoReturn:
        hint = f"`{self.prog} --help` lists what it takes"
        _complain(message, hint)
        sys.exit(2)


def _complain(message: str, hint: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def _verb_parser(verb: str) -> _Parser:
    module, summary = VERBS[verb]
    loaded = importlib.import_module(f"replay_proxy.cli.{module}")
    parser = _Parser(
        prog=f"replay-proxy {verb}",
        description=(loaded.__doc__ or summary).strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    loaded.add_arguments(parser)
    parser.set_defaults(run=loaded.run)
    return parser


def _top_help() -> str:
    width = max(map(len, VERBS))
    lines = [
        "usage: replay-proxy VERB [OPTIONS]",
        "",
        "Gives AWS emulators their memory back: records the calls that change state, replays them after a restart.",
        "",
        "verbs:",
        *(f"  {verb:<{width}}  {summary}" for verb, (_module, summary) in VERBS.items()),
        "",
        "`replay-proxy VERB --help` shows the options of a verb, `replay-proxy --version` the version.",
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    words = sys.argv[1:] if argv is None else argv
    if not words or words[0] in ("-h", "--help", "help"):
        print(_top_help())
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"replay-proxy {version('replay-proxy')}")
        return 0
    if words[0] not in VERBS:
        _complain(f"{words[0]!r} is not a verb of replay-proxy", f"verbs: {', '.join(VERBS)}")
        return 2
    try:
        args = _verb_parser(words[0]).parse_args(words[1:])
        code: int = args.run(args)
    except ReplayProxyError as error:
        _complain(error.message, error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Who read our output has left (`| head`). Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def entry() -> NoReturn:
    """The console script."""
    sys.exit(main())
