"""Have the emulator behind the running proxy forget everything, or some services. What was recorded before is not restored.

The recording keeps what was recorded before until it is compacted; a pod that is saved before brings it back. An emulator that
cannot forget, and that the proxy has not started, is emptied by deleting what was recorded, and what is left is told.
"""

from __future__ import annotations

import argparse

from replay_proxy.cli.control_client import add_endpoint
from replay_proxy.cli.pod.asking import require_consent
from replay_proxy.cli.pod.running import going_on, running_proxy
from replay_proxy.cli.pod.showing import print_json
from replay_proxy.cli.service_list import add_services
from replay_proxy.config import add_options, resolve
from replay_proxy.wording import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `reset`."""
    add_services(parser, "these services alone, as in sqs,s3; all of them")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")
    add_endpoint(parser)
    add_options(parser, "reset")


def run(args: argparse.Namespace) -> int:
    """Reset, and return the exit code. Raises UsageError, before anything is reset, where a service is not known."""
    from replay_proxy.wire.models.service_names import services_of

    settings = resolve(args)
    services: tuple[str, ...] = args.services
    for each in services:
        services_of(each)
    proxy = running_proxy(args, settings)
    told = ", ".join(services) or "everything"
    require_consent(f"the emulator behind {proxy.url} forgets {told}. Go on?", yes=args.yes)
    with going_on(lambda: f"the proxy at {proxy.url} ends the reset that it has begun; its log tells how"):
        answers = [proxy.reset(each) for each in services or [""]]
    left = [each for answer in answers for each in answer.get("left", ())]
    by_deletion = [answer["deleted"] for answer in answers if "deleted" in answer]
    if args.json:
        deleted = {"deleted": sum(by_deletion), "left": left} if by_deletion else {}
        print_json({"status": "ok", "services": services, **deleted})
        return 0
    if by_deletion:
        print(
            f"the emulator cannot be reset; {counted(sum(by_deletion), 'recorded resource')} deleted, {len(left)} left"
        )
    else:
        print(f"the emulator has forgotten {told}")
    for each in left:
        print(f"left: {each['resource']}: {each['reason']}")
    return 0
