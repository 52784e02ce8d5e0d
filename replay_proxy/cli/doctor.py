"""Check that everything recorded is there, and that its links hold: triggers, permissions, integrations, policies.

A running proxy (--endpoint, --listen, or AWS_ENDPOINT_URL) asks its emulator for each resource of the recording, and for each
link between them; with --upstream and --data-dir the emulator is asked without a proxy. What is missing is shown with the
recorded call, what the emulator answered, the likely cause, and the commands that mend it. Nothing is changed without --repair.

  replay-proxy doctor                            what is wrong, and what mends it
  replay-proxy doctor --repair                   mend it, after asking
  replay-proxy doctor --before-save --strict     may this state be saved?
  replay-proxy doctor --smoke                    carry out the checks of replay-smoke.yaml

Exit code 0: sound. 3: something is wrong, and is not mended, or a check did not pass. 2: a mistake in the command line. 6: no
proxy or no emulator answers.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replay_proxy.cli.control_client import ControlClient, add_endpoint
from replay_proxy.cli.interrupted import repair_so_far
from replay_proxy.cli.pod.running import going_on
from replay_proxy.cli.service_list import add_services
from replay_proxy.config import add_options, resolve
from replay_proxy.errors import DivergedError, UsageError
from replay_proxy.wording import counted

if TYPE_CHECKING:
    from replay_proxy.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `doctor`."""
    add_options(parser, "doctor")
    add_endpoint(parser)
    add_services(parser, "examine resources of these alone, as in sqs,s3")
    parser.add_argument("--all", action="store_true", help="show what is sound, too")
    parser.add_argument(
        "--repair", action="store_true", help="mend what is wrong by the recorded calls, and check again"
    )
    parser.add_argument("--yes", action="store_true", help="mend without asking")
    parser.add_argument(
        "--dry-run", action="store_true", help="with --repair: say which calls would be made, and make none"
    )
    parser.add_argument(
        "--before-save",
        action="store_true",
        help="the checklist before a save: also find what is under way (stacks, tables, uploads, messages in flight)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="with --before-save: exit with 3 where something is under way"
    )
    parser.add_argument(
        "--smoke",
        metavar="FILE",
        nargs="?",
        const="",
        help="carry out the checks of a YAML file instead; without FILE those of replay-smoke.yaml in the working directory, "
        "or in the data directory",
    )
    parser.add_argument("--json", action="store_true", help="print the diagnosis as JSON on standard output")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write the diagnosis as JUnit XML")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write the diagnosis as Markdown")


def run(args: argparse.Namespace) -> int:
    """Have the proxy examine its emulator, print what was found, and return the exit code.

    Raises:
        EmulatorError: no proxy answers, or its emulator does not. DivergedError: something is wrong.
    """
    settings = resolve(args)
    from replay_proxy.reports import doctor_text

    _consistent(args)
    client = ControlClient.named(args, settings)
    if args.smoke is not None:
        return _smoke(args, client, settings)
    asked = [f"endpoint={client.quoted([client.url])}"]
    asked += [f"services={client.quoted(args.services)}"] if args.services else []
    asked += ["before_save=1"] if args.before_save else []
    query = f"?{'&'.join(asked)}"
    document: dict[str, Any]
    with going_on(lambda: "nothing was changed: the emulator was only asked"):
        document = _examined(settings, args) if args.upstream is not None else client.post(f"/_replay/doctor{query}")
    whole: dict[str, Any] = document
    repaired = False
    if args.repair and any(finding["mendable"] for finding in document["findings"]):
        if args.dry_run:
            _print(document, args, everything=args.all)
            _would_repeat(document)
        elif _consents(document, yes=args.yes):
            with going_on(lambda: repair_so_far(client)):
                whole = client.post(f"/_replay/doctor{query}&repair=1")
            document, repaired = whole["after"], True
    if args.json:
        import orjson

        sys.stdout.write(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode() + "\n")
    elif repaired:
        print("before:")
        _print(whole["before"], args, everything=False)
        for each in whole["repeated"]:
            what = f"made again: call {each['seq']}" if each["seq"] else "set:"
            print(f"{what} {each['call']}" + (f": {each['problem']}" if each["problem"] else ""))
        print("after:")
        _print(document, args, everything=args.all)
    elif not (args.repair and args.dry_run and document["findings"]):
        _print(document, args, everything=args.all)
    if args.markdown is not None:
        _write(args.markdown, doctor_text.doctor_markdown(document).encode())
    if args.junit is not None:
        from replay_proxy.reports.junit import doctor_junit_xml

        _write(args.junit, doctor_junit_xml(document))
    if document["pending"] and args.strict and document["sound"]:
        raise DivergedError(
            f"{counted(len(document['pending']), 'thing')} under way would not be in a state that is saved now",
            hint="wait until it is done, or leave out --strict",
        )
    if not document["sound"]:
        count = counted(len(document["findings"]), "finding")
        mendable = sum(finding["mendable"] for finding in document["findings"])
        hint = "`replay-proxy doctor --repair` makes the recorded calls again that mend them" if mendable else ""
        raise DivergedError(f"{count}: the state is not as it was recorded", hint=hint)
    return 0


def _consistent(args: argparse.Namespace) -> None:
    """Raise UsageError where options do not go together."""
    for given, option, needed in (
        (args.strict and not args.before_save, "--strict", "--before-save"),
        (args.dry_run and not args.repair, "--dry-run", "--repair"),
        (args.yes and not args.repair, "--yes", "--repair"),
    ):
        if given:
            raise UsageError(f"{option} belongs to {needed}", hint=f"say {needed}, too")
    if args.upstream is not None and args.repair:
        raise UsageError("a repair needs a running proxy", hint="leave out --upstream, and say --endpoint")


def _examined(settings: Settings, args: argparse.Namespace) -> dict[str, Any]:
    """Return the diagnosis of an emulator in front of which no proxy runs."""
    from replay_proxy.cli.loop import run_loop
    from replay_proxy.control.doctor.without_proxy import examine_emulator

    return run_loop(examine_emulator(settings, args.services, before_save=args.before_save))


def _smoke(args: argparse.Namespace, client: ControlClient, settings: Settings) -> int:
    """Carry out smoke tests, print what came of each, and return the exit code.

    Raises:
        UsageError: the file is not there, or is not one of smoke tests. DivergedError: a check has not passed.
    """
    import orjson

    from replay_proxy.doctor.smoke.document import FILE_NAME, read_smoke_tests
    from replay_proxy.reports import doctor_text

    places = [Path(args.smoke)] if args.smoke else [Path(FILE_NAME), settings.data_dir / FILE_NAME]
    tests = read_smoke_tests(next((each for each in places if each.exists()), places[0]))
    document: dict[str, Any]
    if args.upstream is not None:
        from replay_proxy.cli.loop import run_loop
        from replay_proxy.control.doctor.without_proxy import smoke_emulator

        document = {"smoke": run_loop(smoke_emulator(settings, tests))}
    else:
        document = client.post("/_replay/smoke", orjson.dumps(tests))
    failed = [each for each in document["smoke"] if each["failure"]]
    if args.json:
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        for line in doctor_text.smoke_lines(document["smoke"]):
            print(line)
    if args.junit is not None:
        from replay_proxy.reports.junit import smoke_junit_xml

        _write(args.junit, smoke_junit_xml(document["smoke"]))
    if args.markdown is not None:
        _write(args.markdown, doctor_text.smoke_markdown(document["smoke"]).encode())
    if failed:
        raise DivergedError(f"{len(failed)} of {counted(len(document['smoke']), 'check')} did not pass")
    return 0


def _print(document: dict[str, Any], args: argparse.Namespace, *, everything: bool) -> None:
    from replay_proxy.reports import doctor_text

    if args.json:
        return
    for line in doctor_text.tree_lines(document, everything=everything):
        print(line)
    print(doctor_text.summary_line(document))


def _would_repeat(document: dict[str, Any]) -> None:
    for finding in document["findings"]:
        for command in finding["commands"]:
            print(f"would be made: {command}", file=sys.stderr)


def _consents(document: dict[str, Any], *, yes: bool) -> bool:
    """Return whether the calls may be made again.

    Raises:
        UsageError: nobody can be asked.
    """
    if yes:
        return True
    count = counted(sum(len(finding["commands"]) for finding in document["findings"]), "call")
    if not sys.stdin.isatty():
        raise UsageError(f"{count} would be made, and nobody can be asked", hint="add --yes, or --dry-run")
    print(f"{count} would be made in the emulator. Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _write(path: Path, content: bytes) -> None:
    from replay_proxy.errors import StorageError

    try:
        path.write_bytes(content)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}", hint="does its directory exist, and is it yours?"
        ) from error
