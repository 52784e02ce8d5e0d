"""Print the script that makes a shell complete the verbs, options and values of replay-proxy.

source <(replay-proxy completion bash)                                       bash, now; put the line into ~/.bashrc
source <(replay-proxy completion zsh)                                        zsh, after `compinit`; into ~/.zshrc
replay-proxy completion fish > ~/.config/fish/completions/replay-proxy.fish  fish
"""

from __future__ import annotations

import argparse
import sys

SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `completion`."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that reads the script")


def run(args: argparse.Namespace) -> int:
    """Print the script, and return the exit code."""
    from argcomplete.shell_integration import shellcode

    sys.stdout.write(shellcode(["replay-proxy"], shell=args.shell))
    return 0
