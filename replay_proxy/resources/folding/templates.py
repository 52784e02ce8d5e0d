"""Templates of stacks: which resources they declare, with their properties.

JSON, and YAML with CloudFormation's short forms (`!Ref Queue`). YAML's aliases are refused, as CloudFormation does: with them a
small text can mean a very large document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import orjson

BYTES_MAX: Final = 1 << 20
"""What CloudFormation takes."""
_RESOURCES_MAX: Final = 2000
_DEPTH_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource in a template."""

    type: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Template:
    """resources: by logical id. defaults: of parameters. secret: the parameters that are not to be shown (`NoEcho`)."""

    resources: Mapping[str, Declared] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()


@lru_cache(maxsize=64)
def read_template(text: str) -> Template:
    """Return what a template declares; nothing where it cannot be read."""
    if len(text) > BYTES_MAX:
        return Template()
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        document = _of_yaml(text)
    if not isinstance(document, dict):
        return Template()
    resources = {
        str(name): Declared(each["Type"], _mapping(each.get("Properties")))
        for name, each in list(_mapping(document.get("Resources")).items())[:_RESOURCES_MAX]
        if isinstance(each, dict) and isinstance(each.get("Type"), str)
    }
    parameters = {str(name): _mapping(each) for name, each in _mapping(document.get("Parameters")).items()}
    secret = {name for name, each in parameters.items() if str(each.get("NoEcho", "")).lower() in ("true", "yes", "1")}
    defaults = {name: str(each["Default"]) for name, each in parameters.items() if "Default" in each}
    return Template(resources, defaults, frozenset(secret))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _of_yaml(text: str) -> Any:
    import yaml  # of few recordings, and not quick to import

    try:
        return yaml.load(text, _loader())  # noqa: S506  a safe loader with the short forms added
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None


@lru_cache(maxsize=1)
def _loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # with libyaml, where it is there
        """Reads the short forms as what they stand for. Times stay text."""

        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("a template has no aliases")
            self.depth += 1
            if self.depth > _DEPTH_MAX:
                raise yaml.YAMLError("too many levels")
            try:
                return super().compose_node(parent, index)
            finally:
                self.depth -= 1

    def short_form(loader: Any, suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            value: Any = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        if suffix == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}

    Loader.add_multi_constructor("!", short_form)
    Loader.add_constructor("tag:yaml.org,2002:timestamp", Loader.construct_yaml_str)
    return Loader
