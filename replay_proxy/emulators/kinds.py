"""The emulators that the proxy can start itself, as data.

An emulator that is not listed here works as well: it is started by `-- COMMAND`, or by somebody else, and everything
that matters is learned from its traffic.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from replay_proxy.emulators import environment
from replay_proxy.errors import EmulatorError


@dataclass(frozen=True, slots=True)
class EmulatorKind:
    """How to start one emulator.

    module: the Python module whose presence means "installed".
    arguments: for the interpreter; `{port}` and `{scratch}` (a private directory) are filled in.
    environment: variables of the child, filled in the same way.
    withheld: variables that it does not get from the environment of the proxy, with the reason.
    install: what to type where it is missing.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    withheld: Mapping[str, str]
    install: str


_LOOPBACK = Path(__file__).parent / "loopback.py"
_SAME_ORDER = {"PYTHONHASHSEED": "0"}
"""Python draws at each start in which order it goes through sets, and so in which order an emulator lists what is in one."""

KINDS: Mapping[str, EmulatorKind] = {
    kind.name: kind
    for kind in (
        EmulatorKind(
            "moto",
            "moto.server",
            ("-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}"),
            {**_SAME_ORDER, "TMPDIR": "{scratch}"},
            environment.MOTO,
            "pip install 'replay-proxy[moto]'",
        ),
        EmulatorKind(
            "ministack",
            "ministack",
            ("-m", "ministack"),
            {
                **_SAME_ORDER,
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": "{port}",
                "PERSIST_STATE": "0",
                "STATE_DIR": "{scratch}/state",
                "S3_PERSIST": "0",
                "S3_DATA_DIR": "{scratch}/s3",
                "IOT_MTLS_ENABLED": "0",  # it knows no other address than all of them for that port
                "SFTP_HOST": "127.0.0.1",
                "TMPDIR": "{scratch}",
            },
            environment.MINISTACK,
            "pip install 'replay-proxy[ministack]'",
        ),
        EmulatorKind(
            "localstack",
            "localstack.runtime.main",
            (str(_LOOPBACK), "localstack.runtime.main"),  # its gateway does not heed the host in GATEWAY_LISTEN
            {
                **_SAME_ORDER,
                "GATEWAY_LISTEN": "127.0.0.1:{port}",
                "FILESYSTEM_ROOT": "{scratch}",
                "CONFIG_DIR": "{scratch}/config",
                "DNS_ADDRESS": "0",  # no name server
                "PERSISTENCE": "0",
                "KINESIS_PERSISTENCE": "0",
                "TMPDIR": "{scratch}",
                "SKIP_SSL_CERT_DOWNLOAD": "1",
                "DISABLE_EVENTS": "1",
            },
            environment.LOCALSTACK,
            "pip install 'localstack-core[runtime]==4.14.0' into a Python 3.13, and name it with --emulator-python",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Launch:
    """A process to start: its command line, what to call it, and what to add to its environment.

    withheld: what it does not get of the proxy's environment, with the reason.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    withheld: Mapping[str, str] = field(default_factory=dict)
    hint: str = ""


def launch_of(name: str, port: int, scratch: Path, python: Path | None = None) -> Launch:
    """Return how to start the emulator called `name` on 127.0.0.1:`port`, with `scratch` as its private directory.

    Raises:
        EmulatorError: it is not installed in this interpreter (or in `python`, where that does not exist).
    """
    kind = KINDS[name]
    if python is None:
        # A spec lookup would import the parent package, which for some emulators takes seconds.
        if not _installed(kind.module):
            raise EmulatorError(
                f"the emulator {name} is not installed beside the proxy",
                hint=f"{kind.install}, or --upstream URL (REPLAY_UPSTREAM) for one that runs elsewhere",
            )
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
        (interpreter, *(word.replace("{port}", str(port)) for word in kind.arguments)),
        {key: value.format(**places) for key, value in kind.environment.items()},
        kind.withheld,
        kind.install,
    )


def _installed(module: str) -> bool:
    relative = Path(*module.split("."))
    return any(
        (Path(entry) / relative.with_suffix(".py")).exists() or (Path(entry) / relative / "__init__.py").exists()
        for entry in sys.path
        if entry
    )
