"""The command `replay-proxy`: finds the verb, and turns every error into a message, a hint and an exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Iterator
from copy import copy
from typing import Any, NamedTuple, NoReturn

from replay_proxy.errors import INTERRUPTED, TERMINATED, UNEXPECTED, ReplayProxyError


class Verb(NamedTuple):
    """One command. module: in this package. summary: what it does. group: its heading in the list of commands.

    arguments: what may follow its name, as the usage line shows it.
    """

    module: str
    summary: str
    group: str
    arguments: str = "[OPTIONS]"


RUN, INSPECT, KEEP, SHARE = "run", "inspect", "keep recordings", "save and share states"

VERBS = {
    "serve": Verb(
        "serve",
        "record what clients do to an emulator, and restore it after a restart",
        RUN,
        "[OPTIONS] [-- COMMAND ARGUMENT ...]",
    ),
    "run": Verb(
        "run",
        "run one command against an emulator with a memory: start, restore, run it, stop",
        RUN,
        "[OPTIONS] -- COMMAND [ARGUMENT ...]",
    ),
    "env": Verb("env", "print the lines that point a shell's clients at the proxy", RUN),
    "ca": Verb("ca", "print the certificate authority of the interception door, and how clients trust it", RUN),
    "addon": Verb("addon", "print the addon that records and restores inside of your own mitmproxy", RUN, ""),
    "restore": Verb("restore", "replay a recording into a running emulator once, and exit", RUN),
    "completion": Verb("completion", "print the script that makes a shell complete replay-proxy", RUN, "bash|zsh|fish"),
    "observe": Verb("observe", "have a running proxy look at what its emulator did by itself, and record it", RUN),
    "doctor": Verb("doctor", "check that everything recorded is there, and that its links hold; mend what is not", RUN),
    "reset": Verb("reset", "have the emulator behind a running proxy forget everything, or some services", RUN),
    "inspect": Verb(
        "recordings.inspect",
        "show what is in a recording: resources, their links, the calls behind them",
        INSPECT,
        "[RECORDING] [OPTIONS]",
    ),
    "diff": Verb(
        "recordings.diff", "show what changed between two recordings, or two moments of one", INSPECT, "A B [OPTIONS]"
    ),
    "report": Verb(
        "recordings.report",
        "write a recording, and what a restore made of it, as a page, Markdown and JUnit XML",
        INSPECT,
        "[RECORDING] [OPTIONS]",
    ),
    "plan": Verb("recordings.plan", "say what a restore would replay, what it would leave out, and why", INSPECT),
    "explain": Verb(
        "explain.command", "say what the proxy makes of a request or an operation, and why", INSPECT, "[OPTIONS] WHAT"
    ),
    "aliases": Verb(
        "recordings.aliases", "list which emulator identifiers stand for which client identifiers", INSPECT
    ),
    "check": Verb("recordings.check", "verify a recording, and repair what can be repaired safely", KEEP),
    "compact": Verb(
        "recordings.compact", "rewrite a recording to its live part, without what no restore would repeat", KEEP
    ),
    "export": Verb(
        "recordings.export",
        "copy a recording so that it can leave the machine: redacted, or encrypted",
        KEEP,
        "--output PATH [OPTIONS]",
    ),
    "pod": Verb(
        "pod.command",
        "save states under names, version, load, merge and compare them",
        SHARE,
        "ACTION [ARGUMENTS] [OPTIONS]",
    ),
    "import": Verb("recordings.import_", "turn recordings of other tools into one of ours", KEEP, "[OPTIONS] FILE ..."),
}
"""Every command by its name. Only the module of the command that is typed is imported."""

PURPOSE = "Gives AWS emulators their memory back: records the calls that change state, replays them after a restart."


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports errors as all of this program does: a line that says what, a line that helps.

    Options may stand between arguments, also where the last of these may be left out (`pod push shop --encrypt REMOTE`).
    """

    _is_mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As `argparse` does, but for the place of options, and that each action complains itself, with its own help."""
        if self._is_mixing:
            return super().parse_known_args(args, namespace)
        words = sys.argv[1:] if args is None else list(args)
        has_actions = any(each.nargs == argparse.PARSER for each in self._actions)
        if not has_actions:
            self._refuse([*self._unknown_options(words)])
        found, left = self._parsed(words, namespace)
        if not has_actions:
            self._refuse(left)
        return found, left

    def _parsed(self, words: list[str], namespace: Any) -> Any:
        may_mix = any(each.nargs == "?" and not each.option_strings for each in self._actions)
        if not may_mix or "--" in words:  # mixing takes what follows `--` for options where nothing precedes it
            found, left = super().parse_known_args(words, copy(namespace))
            if not (may_mix and left):
                return found, left
        self._is_mixing = True
        try:
            return self.parse_known_intermixed_args(words, namespace)
        finally:
            self._is_mixing = False

    def _unknown_options(self, words: list[str]) -> Iterator[str]:
        """Yield what looks like an option and is none: argparse would complain first of the argument for which it was meant."""
        if any(each.nargs == argparse.REMAINDER for each in self._actions):
            return
        for word in words:
            if word == "--":
                return
            if word.startswith("--") and " " not in word and word.partition("=")[0] not in self._option_string_actions:
                yield word

    def _refuse(self, words: list[str]) -> None:
        if words:
            self.error(f"unrecognized arguments: {' '.join(words)}")

    def error(self, message: str) -> NoReturn:
        """Print what is wrong with the command line, and leave with exit code 2."""
        hint = f"`{self.prog} --help` lists what it takes"
        _complain(message, hint)
        sys.exit(2)


def _complain(message: str, hint: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def _unexpected(error: Exception) -> int:
    """Print an error that nobody foresaw, and return its exit code."""
    import traceback

    if os.environ.get("REPLAY_LOG_LEVEL", "").strip().lower() == "debug":
        traceback.print_exception(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    _complain(
        f"something unexpected: {type(error).__name__}: {error} ({last.filename.rpartition(os.sep)[2]}, line {last.lineno})",
        "this is a fault of replay-proxy; REPLAY_LOG_LEVEL=debug prints all that a report of it needs",
    )
    return UNEXPECTED


def _verb_parser(verb: str) -> _Parser:
    """Return the parser of a command. Its help lists the command's own options first, then the settings by group."""
    loaded = importlib.import_module(f"replay_proxy.cli.{VERBS[verb].module}")
    parser = _Parser(
        prog=f"replay-proxy {verb}",
        usage=f"replay-proxy {verb} {VERBS[verb].arguments}",
        description=(loaded.__doc__ or VERBS[verb].summary).strip(),
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
    )
    loaded.add_arguments(parser)
    parser.set_defaults(run=loaded.run)
    return parser


def whole_parser() -> argparse.ArgumentParser:
    """Return one parser of all commands, for what needs them together: completion, and the manual page."""
    parser = argparse.ArgumentParser(prog="replay-proxy", description=PURPOSE)
    parser.add_argument("-V", "--version", action="store_true", help="print the version")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    for name, verb in VERBS.items():
        loaded = importlib.import_module(f"replay_proxy.cli.{verb.module}")
        below = verbs.add_parser(
            name,
            help=verb.summary,
            usage=f"replay-proxy {name} {verb.arguments}",
            description=(loaded.__doc__ or verb.summary).strip(),
            formatter_class=_HelpFormatter,
        )
        loaded.add_arguments(below)
    return parser


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help whose option names have a column wide enough for most of them."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)


def _top_help() -> str:
    width = max(map(len, VERBS))
    lines = [
        "usage: replay-proxy VERB [OPTIONS]",
        "",
        PURPOSE,
    ]
    for group in dict.fromkeys(verb.group for verb in VERBS.values()):
        lines += ["", f"{group}:"]
        lines += [f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items() if verb.group == group]
    lines += [
        "",
        "To begin:  replay-proxy serve                               an emulator (moto) with a memory, on port 4566",
        "           export AWS_ENDPOINT_URL=http://127.0.0.1:4566    for your clients",
        "",
        "`replay-proxy VERB --help` shows the options of a verb, `replay-proxy --version` the version.",
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run one command, and return its exit code. argv: the words after the program's name; None for the process's."""
    words = sys.argv[1:] if argv is None else argv
    if "_ARGCOMPLETE" in os.environ:  # set by the script that `completion` prints, when somebody asks for completions
        import argcomplete

        argcomplete.autocomplete(whole_parser())
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
    except Exception as error:  # its place in the program is shown, and not a traceback
        return _unexpected(error)
    return code


def entry() -> NoReturn:
    """Run the command of this process, and leave with its exit code: the console script.

    SIGTERM ends it as an interrupt does. Without a handler, the kernel would not deliver it to process 1 of a container.
    """
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(main())


def _terminated(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(TERMINATED)
