"""Takes out of the installed service models what `mutability` needs, so that judging a call loads no model.

Run by `scripts/build-mutability`; a test compares its result with the file that is checked in.
"""

from __future__ import annotations

import json
from typing import Any

import botocore

from replay_proxy.wire.models.models import load_description, service_names
from replay_proxy.wire.mutability.tables import leading_verb, verbs
from replay_proxy.wire.signing.issued_keys import holds_issued_key

_SAFE_METHODS = ("GET", "HEAD")


def build() -> dict[str, Any]:
    """Return the content of `data/mutability_models.json`."""
    readonly: dict[str, list[str]] = {}
    safe_method: dict[str, list[str]] = {}
    gives_credentials: dict[str, list[str]] = {}
    dry_run = []
    for service in service_names():
        model = load_description(service)
        operations = model["operations"]
        marked = sorted(name for name, operation in operations.items() if operation.get("readonly") is True)
        if marked:
            readonly[service] = marked
        giving = sorted(name for name, operation in operations.items() if _gives_credentials(model, operation))
        if giving:
            gives_credentials[service] = giving
        undecided = sorted(
            name
            for name, operation in operations.items()
            if leading_verb(name) not in verbs()
            and operation.get("http", {}).get("method") in _SAFE_METHODS
            and name not in marked
        )
        if undecided:
            safe_method[service] = undecided
        if any(_has_dry_run(model, operation) for operation in operations.values()):
            dry_run.append(service)
    return {
        "about": "Written by scripts/build-mutability from the service models; do not edit. readonly: operations with "
        "Smithy's trait. safe_method: operations sent with GET or HEAD about which neither trait nor verb says "
        "anything. dry_run: services in which some operation has a member DryRun. gives_credentials: operations whose "
        "answer is an access key with its secret.",
        "botocore": botocore.__version__,
        "dry_run": dry_run,
        "gives_credentials": gives_credentials,
        "safe_method": safe_method,
        "readonly": readonly,
    }


def as_text(content: dict[str, Any]) -> str:
    """Return `content` as it is checked in: one service a line, so that a difference reads well."""
    lines = []
    for key, value in content.items():
        if isinstance(value, dict):
            inner = ",\n".join(f"    {json.dumps(name)}: {json.dumps(names)}" for name, names in value.items())
            lines.append(f"  {json.dumps(key)}: {{\n{inner}\n  }}")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _gives_credentials(model: dict[str, Any], operation: dict[str, Any], depth: int = 3) -> bool:
    """Return whether the answer is, or has near its top, one access key with its secret. (In lists, stored keys are shown.)"""

    def gives(shape_name: str, levels: int) -> bool:
        shape = model["shapes"][shape_name]
        if levels <= 0 or shape["type"] != "structure":
            return False
        members = shape.get("members", {})
        return holds_issued_key(members) or any(gives(member["shape"], levels - 1) for member in members.values())

    return "output" in operation and gives(operation["output"]["shape"], depth)


def _has_dry_run(model: dict[str, Any], operation: dict[str, Any]) -> bool:
    shape = operation.get("input", {}).get("shape")
    members = model["shapes"][shape].get("members", {}) if shape else {}
    return any(
        name in members and model["shapes"][members[name]["shape"]]["type"] == "boolean"
        for name in ("DryRun", "dryRun")
    )
