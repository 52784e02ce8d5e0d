"""The emulators that the proxy can start itself, as data.

An emulator that is not listed here works as well: it is started by `-- COMMAND`, or by somebody else, and everything
that matters is learned from its traffic.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from replay_proxy.errors import EmulatorError


@dataclass(frozen=True, slots=True)
class Kind:
    """How to start one emulator.

    module: the Python module whose presence means "installed".
    arguments: for the interpreter; `{port}` and `{scratch}` (a private directory) are filled in.
    environment: variables of the child, filled in the same way.
    install: what to type where it is missing.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    install: str


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "moto",
            "moto.server",
            ("-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}"),
            {},
            "pip install 'replay-proxy[moto]'",
        ),
        Kind(
            "ministack",
            "ministack",
            ("-m", "ministack"),
            {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": "{port}"},
            "pip install 'replay-proxy[ministack]'",
        ),
        Kind(
            "localstack",
            "localstack.runtime.main",
            ("-m", "localstack.runtime.main"),
            {
                "GATEWAY_LISTEN": "127.0.0.1:{port}",
                "FILESYSTEM_ROOT": "{scratch}",
                "SKIP_SSL_CERT_DOWNLOAD": "1",
                "DISABLE_EVENTS": "1",
            },
            "pip install 'localstack-core[runtime]==4.14.0' into a Python 3.13, and name it with --emulator-python",
        ),
    )
}

OURS = frozenset({"PERSISTENCE", "DATA_DIR", "AUTO_LOAD_POD"})
"""Variables that are the proxy's when it starts an emulator: passed on, they would switch on a second persistence."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A process to start: its command line, what to add to its environment, and what to call it."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    hint: str = ""


def child_environment(base: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child process: ours, less the settings that speak to the proxy alone, plus `extra`."""
    kept = {
        name: value
        for name, value in base.items()
        if name not in OURS and not name.startswith(("SNAPSHOT_", "REPLAY_"))
    }
    return {**kept, **extra}


def launch_of(name: str, port: int, scratch: Path, python: Path | None = None) -> Launch:
    """How to start the emulator called `name` on 127.0.0.1:`port`, with `scratch` as its private directory.

    Raises:
        EmulatorError: it is not installed in this interpreter (or in `python`, where that does not exist).
    """
    kind = KINDS[name]
    if python is None:
        # A spec lookup would import the parent package, which for some emulators takes seconds.
        if not _installed(kind.module):
            raise EmulatorError(f"the emulator {name} is not installed beside the proxy", hint=kind.install)
        interpreter = sys.executable
    else:
        if not python.exists():
            raise EmulatorError(
                f"the interpreter {python} does not exist", hint="--emulator-python names a Python executable"
            )
        interpreter = str(python)
    places = {"port": str(port), "scratch": str(scratch)}
    return Launch(
        name,
        (interpreter, *(word.format(**places) for word in kind.arguments)),
        {key: value.format(**places) for key, value in kind.environment.items()},
        kind.install,
    )


def _installed(module: str) -> bool:
    relative = Path(*module.split("."))
    return any(
        (Path(entry) / relative.with_suffix(".py")).exists() or (Path(entry) / relative / "__init__.py").exists()
        for entry in sys.path
        if entry
    )
