"""Runs a module as `python -m` does, with every server that it starts on loopback alone: `python loopback.py MODULE`.

For an emulator that does not heed its own setting: LocalStack's gateway takes every IPv4 interface whatever
`GATEWAY_LISTEN` says. The interpreter may be another one than the proxy's, so this file imports the standard library only.
"""

import runpy
import socket
import sys
from typing import Any

_EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104  # what is replaced; nothing is bound to it
_LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
_bind = socket.socket.bind


def _bind_to_loopback(self: socket.socket, address: Any) -> None:
    """As `socket.bind`. A datagram socket without a port of its own is a client's, and stays as it is."""
    host = _LOOPBACK.get(self.family)
    if host is not None and address[0] in _EVERYWHERE and (self.type == socket.SOCK_STREAM or address[1]):
        address = (host, *address[1:])
    _bind(self, address)


if __name__ == "__main__":
    del sys.path[0]  # this directory, whose modules are none of the emulator's
    sys.argv = sys.argv[1:]
    setattr(socket.socket, "bind", _bind_to_loopback)  # noqa: B010  # a checker takes the plain form for a mistake
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
