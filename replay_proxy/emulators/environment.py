"""What an emulator that the proxy starts does not get from the proxy's own environment, and why.

One of two persistences must be in charge, and it is the proxy's: an emulator that brings back state by itself makes
everything that is restored a second time. And who starts a proxy in front of an emulator means to reach the proxy alone, so an
emulator listens on loopback.

The tables were made by reading the sources of moto 5, MiniStack and LocalStack community 4.14 for every variable that stores
or loads state, or that says where to listen. What only changes how an emulator behaves (its account, its limits, its
latency) is the user's choice, and is passed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

OF_THE_PROXY = ("PERSISTENCE", "DATA_DIR", "AUTO_LOAD_POD", "SNAPSHOT_*", "REPLAY_*")
"""Variables that speak to the proxy alone; LocalStack has its own of the same names. A name may end in `*`."""

_STATE = "it would bring back state by itself, beside what the proxy restores"
_LOOP = "it may be the address of the proxy itself, which the emulator would then call"

FOR_ALL: Mapping[str, str] = MappingProxyType(
    {
        "AWS_ENDPOINT_URL": _LOOP,
        "AWS_ENDPOINT_URL_*": _LOOP,
    }
)
"""Withheld from every emulator and every command, with the reason."""

MOTO: Mapping[str, str] = MappingProxyType(
    {
        "MOTO_ENABLE_RECORDING": "it would write a recording of its own",
        "MOTO_RECORDER_FILEPATH": "it would write a recording of its own",
        "MOTO_PORT": "the proxy says on which port it listens",
    }
)

MINISTACK: Mapping[str, str] = MappingProxyType(
    {
        "PERSIST_STATE": _STATE,
        "STATE_DIR": _STATE,
        "S3_PERSIST": _STATE,
        "S3_DATA_DIR": _STATE,
        "LOCALSTACK_PERSISTENCE": _STATE,
        "RDS_PERSIST": _STATE,
        "DOCDB_PERSIST": _STATE,
        "DSQL_PERSIST": _STATE,
        "MWAA_PERSIST": _STATE,
        "BIND_HOST": "it listens on loopback",
        "GATEWAY_PORT": "the proxy says on which port it listens",
        "EDGE_PORT": "the proxy says on which port it listens",
        "IOT_MTLS_ENABLED": "its MQTT port would listen on every interface, and cannot be told otherwise",
        "SFTP_HOST": "it listens on loopback",
        "USE_SSL": "the proxy talks plain HTTP to it",
    }
)

LOCALSTACK: Mapping[str, str] = MappingProxyType(
    {
        "LOCALSTACK_PERSISTENCE": _STATE,
        "LOCALSTACK_DATA_DIR": _STATE,
        "LOCALSTACK_VOLUME_DIR": _STATE,
        "LOCALSTACK_SNAPSHOT_*": _STATE,
        "LOCALSTACK_AUTO_LOAD_POD": _STATE,
        "KINESIS_PERSISTENCE": _STATE,
        "FILESYSTEM_ROOT": "its files lie in a private directory that is removed with it",
        "CONFIG_PROFILE": "a profile may hold any of these settings",
        "CONFIG_DIR": "a profile may hold any of these settings",
        "GATEWAY_LISTEN": "it listens on loopback",
        "LOCALSTACK_GATEWAY_LISTEN": "it listens on loopback",
        "EDGE_BIND_HOST": "it listens on loopback",
        "EDGE_PORT": "the proxy says on which port it listens",
        "DNS_ADDRESS": "its name server would listen on every interface",
        "DEVELOP": "it would listen for a debugger",
        "WAIT_FOR_DEBUGGER": "it would wait for a debugger",
    }
)

FOR_COMMANDS: Mapping[str, str] = MappingProxyType(
    {name: why for table in (MOTO, MINISTACK, LOCALSTACK) for name, why in table.items() if why == _STATE}
)
"""What makes any emulator keep state: withheld from each of them, and from a command of the user's own, which may be any
of these; `-- env NAME=VALUE COMMAND` sets one all the same."""


def left_out(base: Mapping[str, str], withheld: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the variables of `base` that an emulator does not get, with the reason; not those that are the proxy's own."""
    for name in sorted(base):
        why = _reason(name, FOR_ALL) or _reason(name, withheld) or _reason(name, FOR_COMMANDS)
        if why:
            yield name, why


def child_environment(base: Mapping[str, str], extra: Mapping[str, str], withheld: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an emulator: `base`, less what is the proxy's or withheld, plus `extra`."""
    out = {name for name, _why in left_out(base, withheld)}
    ours = dict.fromkeys(OF_THE_PROXY, "ours")
    kept = {name: value for name, value in base.items() if name not in out and not _reason(name, ours)}
    return {**kept, **extra}


def _reason(name: str, table: Mapping[str, str]) -> str:
    if name in table:
        return table[name]
    families = (why for each, why in table.items() if each.endswith("*") and name.startswith(each[:-1]))
    return next(families, "")
