"""Have the emulator behind the running proxy forget everything, or some services. What was recorded before is not restored.

The recording keeps what was recorded before until it is compacted; a pod that is saved before brings it back.
"""

from __future__ import annotations

import argparse

from replay_proxy.cli.pod.asking import require_consent
from replay_proxy.cli.pod.running import add_endpoint, running_proxy
from replay_proxy.cli.pod.showing import print_json
from replay_proxy.config import add_options, resolve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `reset`."""
    parser.add_argument(
        "--services", metavar="LIST", default="", help="these services alone, as in sqs,s3; all of them"
    )
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")
    add_endpoint(parser)
    add_options(parser, "reset")


def run(args: argparse.Namespace) -> int:
    """Reset, and return the exit code."""
    settings = resolve(args)
    proxy = running_proxy(args, settings)
    services = list(dict.fromkeys(each.strip() for each in args.services.split(",") if each.strip()))
    told = ", ".join(services) or "everything"
    require_consent(f"the emulator behind {proxy.url} forgets {told}. Go on?", yes=args.yes)
    for each in services or [""]:
        proxy.reset(each)
    if args.json:
        print_json({"status": "ok", "services": services})
    else:
        print(f"the emulator has forgotten {told}")
    return 0
