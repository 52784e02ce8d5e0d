"""Resources of a stack that are told by their name alone.

CloudFormation names what a template does not name: `STACK-LOGICALID-RANDOM`, in lower case where names have to be
(AWS CloudFormation User Guide, "Name type"). So a resource that no call made is a stack's where its name begins so, and the
stack's template has a resource of that logical id and of its type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from replay_proxy.resources.folding.templates import read_template
from replay_proxy.resources.resource import Resource

_PARTS_MAX = 12


def stack_names(name: str) -> Iterator[str]:
    """Return the names that a stack may have which made a resource of this name, the longest first."""
    parts = name.split("-")[:_PARTS_MAX]
    for count in range(len(parts) - 2, 0, -1):
        yield "-".join(parts[:count])


def made_under(stack: Resource, resource: Resource) -> str:
    """Return the logical id of a resource in a stack that may have made it; empty where it did not."""
    rest = resource.key.names[-1][len(stack.name) + 1 :].lower()
    for logical, kind in logical_ids(stack.attributes.get("TemplateBody")):
        if kind == resource.type and rest.startswith(f"{logical.lower()}-"):
            return logical
    return ""


def logical_ids(template: Any) -> tuple[tuple[str, str], ...]:
    """Return logical id and type of the resources of a template."""
    found = read_template(template).resources if isinstance(template, str) else {}
    return tuple((name, each.type) for name, each in found.items())
