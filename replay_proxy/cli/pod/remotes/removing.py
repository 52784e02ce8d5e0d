"""Taking versions away from a remote: `pod remove NAME[:VERSION] --remote REMOTE`."""

from __future__ import annotations

import argparse

from replay_proxy.cli.pod.asking import require_consent
from replay_proxy.cli.pod.remotes.choosing import opened_remote
from replay_proxy.cli.pod.showing import print_json
from replay_proxy.config import Settings
from replay_proxy.wording import counted


def remove_from_remote(args: argparse.Namespace, settings: Settings) -> int:
    """Remove the version that `args.pod` names from `args.remote`, or all that are there now; return the exit code.

    One that somebody pushes meanwhile stays. Raises RemoteError, UsageError.
    """
    from replay_proxy.pods.names import parse_reference
    from replay_proxy.pods.remotes.remote import unknown_version
    from replay_proxy.pods.remotes.transfer import find_number

    reference = parse_reference(args.pod)
    name = reference.name
    with opened_remote(args, settings) as remote:
        there = remote.numbers(name)
        numbers = [find_number(remote, reference)] if reference.which else there
        if not set(numbers) <= set(there) or not numbers:
            raise unknown_version(remote.url, name, numbers[0] if numbers else None)
        tags = [f"{name}:{tag}" for tag, number in sorted(remote.tags(name).items()) if number in numbers]
        also = f", and with it {', '.join(tags)}," if tags else ""
        told = f"{name}:{numbers[0]}" if reference.which else f"{counted(len(numbers), 'version')} of {name}"
        require_consent(f"{told}{also} will be gone from {remote.url}, for everybody. Go on?", yes=args.yes)
        for number in numbers:
            remote.delete_version(name, number)
        document = {
            "remote": remote.url,
            "removed": [{"name": name, "version": each} for each in numbers],
            "tags": tags,
        }
    if args.json:
        print_json(document)
    else:
        print(f"removed {', '.join(f'{name}:{each}' for each in numbers)} from {remote.url}")
    return 0
