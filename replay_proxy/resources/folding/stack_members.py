"""What the template of a stack says of the resources that the stack made: their properties, and what these refer to.

No call tells of such a resource; a read shows that it is there, under which logical id. The rest stands in the template that was
sent: the properties become attributes, a reference becomes the name of what it means, and a link. A stack that is updated
changes those resources whose properties are other than before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from replay_proxy.replay.recorded_call import Call
from replay_proxy.resources import kinds
from replay_proxy.resources.folding.inventory import Inventory
from replay_proxy.resources.folding.templates import Template, read_template
from replay_proxy.resources.properties.attributes import tree
from replay_proxy.resources.properties.tags import tags_in, without_tags
from replay_proxy.resources.resource import Hidden, Resource
from replay_proxy.resources.resource_types import arn_of
from replay_proxy.wire.models.models import operation_model
from replay_proxy.wire.sensitive.masking import HIDDEN
from replay_proxy.wire.sensitive.secret_names import names_secret

_APPLYING: Final = ("CreateStack", "UpdateStack")
_SUBSTITUTE: Final = re.compile(r"\$\{(!?)([^${}]+)\}")
_DEPTH: Final = 48
_NOTHING: Final = object()


@dataclass(slots=True)
class _Applied:
    """The template that a stack was made or changed by. values: of its parameters."""

    template: Template
    values: Mapping[str, str]


@dataclass(slots=True)
class StackMembers:
    """Describes the resources of stacks in an inventory."""

    inventory: Inventory
    _proposed: dict[tuple[int, str], _Applied] = field(default_factory=dict)
    _applied: dict[int, _Applied] = field(default_factory=dict)
    _given: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def see(self, call: Call, touched: Iterable[int]) -> list[int]:
        """Take in a call that was folded already, and the resources that it touched. Returns what it changes besides."""
        known = [self.inventory.resources[each] for each in touched if each in self.inventory.resources]
        makers = {each.maker for each in known if each.maker and (call.witness or each.number not in self._given)}
        changed = [each for number in makers if number in self._applied for each in self._describe(number, 0)]
        if call.service != "cloudformation" or call.witness:
            return changed
        for number in touched:
            stack = self.inventory.resources.get(number)
            if stack is not None and stack.key.noun == "Stack":
                changed += self._take_template(call, number)
        return changed

    def _take_template(self, call: Call, stack: int) -> list[int]:
        change_set = str(call.params.get("ChangeSetName", "")).rpartition("changeSet/")[2].partition("/")[0]
        if call.operation == "CreateChangeSet":
            self._proposed[stack, change_set] = self._template_of(call, stack)
            return []
        if call.operation == "ExecuteChangeSet":
            applied = self._proposed.pop((stack, change_set), None)
        elif call.operation in _APPLYING:
            applied = self._template_of(call, stack)
        else:
            return []
        if applied is None:
            return []
        self._applied[stack] = applied
        return self._describe(stack, call.seq)

    def _template_of(self, call: Call, stack: int) -> _Applied:
        before = self._applied.get(stack)
        body = call.params.get("TemplateBody")
        # Where it lies elsewhere, or is the one of before, what is known stays.
        template = read_template(body) if isinstance(body, str) else before.template if before else Template()
        values = dict(template.defaults)
        for each in call.params.get("Parameters") or ():
            name = str(each.get("ParameterKey", ""))
            if each.get("UsePreviousValue") and before is not None and name in before.values:
                values[name] = before.values[name]
            elif isinstance(each.get("ParameterValue"), str):
                values[name] = each["ParameterValue"]
        return _Applied(template, values | dict.fromkeys(template.secret, HIDDEN))

    def _describe(self, stack: int, seq: int) -> list[int]:
        """Describe the resources of a stack by its template. seq: the call that changed it; 0 for a read."""
        applied, resources = self._applied[stack], self.inventory.resources
        members = {
            str(each.attributes["LogicalResourceId"]): each
            for each in map(resources.get, self.inventory.parts_of(stack))
            if each is not None and each.maker == stack and "LogicalResourceId" in each.attributes
        }
        changed: list[int] = []
        for logical, resource in members.items():
            declared = applied.template.resources.get(logical)
            if declared is None:
                continue
            resolver = _Resolver(self.inventory, resources[stack], applied.values, members, resource)
            properties = resolver.resolve(declared.properties, "", 0)
            if not isinstance(properties, dict):
                continue
            attributes = _attributes(resource, without_tags(properties))
            before = self._given.get(resource.number)
            resource.template_links = resolver.links
            if attributes == before:
                continue
            for gone in (before or {}).keys() - attributes.keys():
                resource.attributes.pop(gone, None)
            resource.attributes |= attributes
            resource.tags |= tags_in(properties)
            self._given[resource.number] = attributes
            changed.append(resource.number)
            if seq and before is not None:
                resource.changed_by.append(seq)
        return changed


@dataclass(slots=True)
class _Resolver:
    """Puts values into the properties of one resource. members: of its stack, by logical id. links: what it found."""

    inventory: Inventory
    stack: Resource
    values: Mapping[str, str]
    members: Mapping[str, Resource]
    resource: Resource
    links: list[tuple[str, int, str]] = field(default_factory=list)

    def resolve(self, value: Any, path: str, depth: int) -> Any:
        """Return a value with what is known put in; what is not stays as the template has it."""
        if depth > _DEPTH:
            return str(type(value).__name__)
        if isinstance(value, list):
            found = [self.resolve(each, path, depth + 1) for each in value]
            return [each for each in found if each is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, given),) = value.items()
            if function == "Ref" and isinstance(given, str):
                return self._ref(given, path)
            if function.startswith("Fn::"):
                return self._function(function, given, path, depth)
        pairs = (
            (str(name), self.resolve(each, f"{path}.{name}" if path else str(name), depth + 1))
            for name, each in value.items()
        )
        return {name: each for name, each in pairs if each is not _NOTHING}

    def _function(self, function: str, given: Any, path: str, depth: int) -> Any:
        if function == "Fn::GetAtt" and isinstance(given, list) and len(given) == 2:
            return self._attribute(str(given[0]), str(given[1]), path)
        if function == "Fn::Sub":
            return self._substituted(given, path, depth)
        resolved = self.resolve(given, path, depth + 1)
        match resolved:
            case [str() as between, [*texts]] if function == "Fn::Join" and all(
                isinstance(each, str | int) for each in texts
            ):
                return between.join(map(str, texts))
        return {function: resolved}

    def _substituted(self, given: Any, path: str, depth: int) -> Any:
        text, own = (given[0], given[1]) if isinstance(given, list) and len(given) == 2 else (given, {})
        if not isinstance(text, str) or not isinstance(own, dict):
            return {"Fn::Sub": given}

        def put(match: re.Match[str]) -> str:
            name = match[2].strip()
            if match[1]:
                return f"${{{name}}}"
            if name in own:
                return str(self.resolve(own[name], path, depth + 1))
            logical, dot, attribute = name.partition(".")
            return str(self._attribute(logical, attribute, path) if dot else self._ref(name, path))

        return _SUBSTITUTE.sub(put, text)

    def _ref(self, name: str, path: str) -> Any:
        if name in self.values:
            return self.values[name]
        known = self.members.get(name)
        if known is not None:
            text = known.identifiers.get("PhysicalResourceId") or known.key.names[-1]
            self._link(path, known, text)
            return text
        stack = self.stack
        pseudo = {
            "AWS::Region": stack.key.region,
            "AWS::AccountId": self._account,
            "AWS::Partition": "aws",
            "AWS::StackName": stack.name,
            "AWS::StackId": stack.arn,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": _NOTHING,
        }
        return pseudo.get(name) or f"${{{name}}}"

    def _attribute(self, logical: str, attribute: str, path: str) -> str:
        known = self.members.get(logical)
        if known is None:
            return f"${{{logical}.{attribute}}}"
        text = ""
        if attribute == "Arn":
            text = known.arn or arn_of(
                known.service, known.key.noun, self._account, known.key.region, known.key.names[-1]
            )
            text = text or known.key.names[-1]
        text = text or known.identifiers.get(attribute) or f"${{{logical}.{attribute}}}"
        self._link(path, known, text)
        return text

    @property
    def _account(self) -> str:
        return self.stack.key.account or self.inventory.references.default_account

    def _link(self, path: str, other: Resource, text: str) -> None:
        if other is not self.resource:
            self.links.append((path, other.number, text))


def _attributes(resource: Resource, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties as attributes: hidden is what the model of the creation hides, and what a name says is secret."""
    kind = kinds.kind_named(resource.service, resource.key.noun)
    shape = None
    for operation in kind.made_by[:1] if kind is not None else ():
        shape = operation_model(resource.service, operation).input_shape
    hidden: dict[str, Any] = _without_secrets(tree(shape, dict(properties)))
    return hidden


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        named = value.get("Name", value.get("Key", ""))
        pair = isinstance(named, str) and names_secret(named)
        return {
            name: Hidden(each)
            if (names_secret(name) and not _refers(each)) or (pair and name == "Value")
            else _without_secrets(each)
            for name, each in value.items()
        }
    return [_without_secrets(each) for each in value] if isinstance(value, list) else value


def _refers(value: Any) -> bool:
    """Is it no value but a reference to one, as `{{resolve:secretsmanager:…}}`?"""
    return isinstance(value, str) and value.startswith(("{{resolve:", "arn:", "${"))
