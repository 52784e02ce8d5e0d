"""Print where the certificate authority of the interception door lies, and how clients are made to trust it.

The path of its certificate in PEM is all that goes to standard output; how each kind of client is made to trust it goes to
standard error.
The authority is made where there is none, for which mitmproxy is needed: pip install 'replay-proxy[intercept]'.
"""

from __future__ import annotations

import argparse
import sys

from replay_proxy.config import add_options, resolve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `ca`."""
    add_options(parser, "ca")


def run(args: argparse.Namespace) -> int:
    """Print the path, and return the exit code."""
    from replay_proxy.proxy.intercept.authority import bundle_of, certificate_of
    from replay_proxy.proxy.intercept.clients import trust_instructions

    directory = resolve(args).ca_directory
    certificate, bundle = certificate_of(directory), bundle_of(directory)
    command = "replay-proxy env --intercept"
    if args.ca_dir is not None:
        import shlex

        command += f" --ca-dir {shlex.quote(args.ca_dir)}"
    sys.stdout.write(f"{certificate}\n")
    sys.stdout.flush()
    sys.stderr.write(trust_instructions(certificate, bundle, command))
    return 0
