"""Print what a shell needs so that its clients reach the proxy: the address that `serve` listens on, and credentials.

  eval "$(replay-proxy env)"                       sh, bash, zsh
  replay-proxy env --format fish | source          fish
  replay-proxy env --format dotenv >> .env         NAME=VALUE lines, for Docker, Compose and CI systems
  eval "$(replay-proxy env --intercept)"           for clients that know no endpoint setting

The address is that of --listen (REPLAY_LISTEN), as for `serve`; nothing is started, and nothing needs to listen there yet.
Credentials and a region are printed where the environment has none. With --intercept the lines are those for the interception
door: the proxy, and the certificate authority that clients must trust, which is made where there is none.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from replay_proxy.config import Settings, add_options, resolve
from replay_proxy.errors import UsageError

if TYPE_CHECKING:
    from replay_proxy.client_environment import ClientEnvironment
    from replay_proxy.values import Address

FORMATS = ("sh", "fish", "dotenv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `env`."""
    parser.add_argument(
        "--format", choices=FORMATS, default="sh", help="the language of the lines (default: sh, for bash and zsh, too)"
    )
    add_options(parser, "env")


def run(args: argparse.Namespace) -> int:
    """Print the lines, and return the exit code."""
    from replay_proxy.client_environment import aws_cli_of_version_1, client_environment, client_url

    settings = resolve(args)
    intercepted = args.intercept is not None or args.intercept_socks is not None
    if intercepted:
        clients = _intercepted(args, settings)
    else:
        _check_port(settings.listen, "--listen")
        clients = client_environment(client_url(settings.listen.host, settings.listen.port), os.environ)
    lines = _LINES[args.format](clients.variables, clients.removed)
    if not intercepted and args.format != "dotenv" and aws_cli_of_version_1(os.environ) is not None:
        lines += _AWS_FUNCTION[args.format]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _intercepted(args: argparse.Namespace, settings: Settings) -> ClientEnvironment:
    from replay_proxy.proxy.intercept.clients import environment_for_door

    addresses: list[tuple[str, int] | None] = []
    for name, address in (("intercept", settings.intercept), ("intercept_socks", settings.intercept_socks)):
        if getattr(args, name) is None or address is None:
            addresses.append(None)
            continue
        _check_port(address, "--" + name.replace("_", "-"))
        addresses.append((address.host, address.port))
    return environment_for_door(addresses[0], addresses[1], os.environ, settings.ca_directory)


def _check_port(address: Address, option: str) -> None:
    if address.port == 0:
        raise UsageError(
            "port 0 means any free port, so nobody can know it before the proxy listens",
            hint=f"name a port in {option} HOST:PORT, or use `replay-proxy run -- COMMAND`",
        )


def _sh(variables: Mapping[str, str], removed: tuple[str, ...]) -> list[str]:
    return [f"unset {name}" for name in removed] + [
        f"export {name}={shlex.quote(value)}" for name, value in variables.items()
    ]


def _fish(variables: Mapping[str, str], removed: tuple[str, ...]) -> list[str]:
    return [f"set -e {name}" for name in removed] + [
        f"set -gx {name} {shlex.quote(value)}" for name, value in variables.items()
    ]


def _dotenv(variables: Mapping[str, str], removed: tuple[str, ...]) -> list[str]:
    return [f"{name}={value}" for name, value in variables.items()]


_LINES = {"sh": _sh, "fish": _fish, "dotenv": _dotenv}

_WHY = "# The AWS CLI of version 1 takes no endpoint for sqs, rds and others from the environment."
_AWS_FUNCTION = {
    "sh": [_WHY, 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }'],
    "fish": [_WHY, 'function aws; command aws --endpoint-url "$AWS_ENDPOINT_URL" $argv; end'],
}
