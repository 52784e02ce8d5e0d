"""Have a running proxy look at what its emulator did by itself, and record it.

All data is looked at, whatever can reach it: queues, tables, buckets and streams, or those of the services that are named.
"""

from __future__ import annotations

import argparse
import sys

from replay_proxy.cli.control_client import ControlClient, add_endpoint
from replay_proxy.cli.interrupted import observation_counts, observed_so_far
from replay_proxy.cli.pod.running import going_on
from replay_proxy.cli.service_list import add_services
from replay_proxy.config import add_options, resolve
from replay_proxy.wording import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `observe`."""
    add_options(parser, "observe")
    add_endpoint(parser)
    add_services(parser, "the services to look at, as in sqs,s3; all of them")
    parser.add_argument("--json", action="store_true", help="print what the proxy answers as JSON")


def run(args: argparse.Namespace) -> int:
    """Ask the proxy, print what it found, and return the exit code.

    Raises:
        EmulatorError: no proxy answers, or it cannot look. UsageError: a service that is not looked at.
    """
    settings = resolve(args)
    import orjson

    client = ControlClient.named(args, settings)
    before = observation_counts(client)
    with going_on(lambda: observed_so_far(client, before)):
        found = client.post("/_replay/observe" + (f"/{client.quoted(args.services)}" if args.services else ""))
    if args.json:
        sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")
        return 0
    by_service: dict[str, int] = found["found"]
    for service, count in sorted(by_service.items()):
        print(f"{service}: {counted(count, 'difference')} recorded")
    if not by_service:
        print("nothing is other than recorded")
    for container, reason in sorted(found["not_readable"].items()):
        print(f"{container}: not looked at: {reason}")
    return 0
