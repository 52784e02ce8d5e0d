"""The option `--services LIST`, which limits a command to the services that it names."""

from __future__ import annotations

import argparse


def add_services(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Give `parser` the option. Its value is a tuple of names; left out, an empty one: all of them.

    meaning: what the command does with the services, for its help.
    """
    parser.add_argument("--services", metavar="LIST", type=_service_list, default=(), help=meaning)


def _service_list(text: str) -> tuple[str, ...]:
    """Return the names in a list, each once.

    Raises:
        ArgumentTypeError: there is none. A script's variable was not set, perhaps: that must not mean all of them.
    """
    names = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    if not names:
        raise argparse.ArgumentTypeError("it names no service; leave the option out for all of them")
    return names
