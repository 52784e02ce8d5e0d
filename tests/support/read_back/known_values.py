"""The values that answers and calls showed, by the members that hold them, and sets of parameters made of them.

A member is asked for by role: `FunctionName` is a `FunctionName` that was seen, or the `Name` of something that stands
in `Functions`; never by what a value looks like.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import Shape

from tests.support.read_back.catalogue import ENUM_MAX, Read

ENDINGS = ("identifier", "name", "arn", "url", "id", "key")
NOUN_ENDINGS = ("summarylist", "summaries", "summary", "listentry", "description", "configuration", "metadata", "list",
                "info", "details", "detail", "type", "entry", "items", "item", "set")  # fmt: skip
TEXT_MAX = 1024
PAGE = 60
"""What a listing that needs a size of its pages is asked for. What is first of several is the emulator's choice."""
Context = dict[str, list[Any]]


class KnownValues:
    """What one service showed, in one account and region."""

    def __init__(self) -> None:
        self.by_member: dict[str, dict[str, None]] = defaultdict(dict)
        self.contexts: dict[str, Context] = {}

    def add_call(self, params: Mapping[str, Any], result: Any) -> None:
        """Learn from what a call named and what it showed."""
        context: Context = {}
        for member, value in params.items():
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, str | int) and not isinstance(each, bool) and len(str(each)) <= TEXT_MAX:
                    for name in _spellings(member, ""):
                        context.setdefault(name, []).append(each)
            if isinstance(value, dict | list):
                self._walk(value, _singular(member), {})
        self._note(context)
        self._walk(result, "", context)

    def _note(self, context: Context) -> None:
        if context:
            self.contexts.setdefault(repr(sorted(context.items())), context)
            for name, values in context.items():
                for value in values:
                    self.by_member[name].setdefault(value)

    def _walk(self, value: Any, noun: str, above: Context) -> None:
        if isinstance(value, list):
            for each in value:
                if isinstance(each, str):
                    self._note({**above, **{name: [each] for name in _spellings(noun, "")}})
                else:
                    self._walk(each, noun, above)
        elif isinstance(value, dict):
            own: Context = {}
            for member, each in value.items():
                if isinstance(each, str) and 0 < len(each) <= TEXT_MAX:
                    for name in _spellings(member, noun):
                        own.setdefault(name, []).append(each)
            context = {**above, **own}
            self._note(context)
            for member, each in value.items():
                if isinstance(each, dict | list):
                    self._walk(each, _singular(member), context)

    def parameters(self, read: Read, bound: int) -> Iterator[dict[str, Any]]:
        """Sets of parameters with which `read` can be asked, at most about `bound`."""
        if not read.required:
            yield dict(read.fixed)
        for members in self._member_sets(read):
            yield from itertools.islice(self._filled(read, members), bound)

    def _member_sets(self, read: Read) -> Iterator[tuple[str, ...]]:
        if read.required:
            yield read.required
        for member in read.optional:
            if any(name in self.by_member for name in _wanted(member)):
                yield (*read.required, member)

    def _filled(self, read: Read, members: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        free: dict[str, list[Any]] = {}
        named = []
        for member in members:
            values = _of_shape(read.shape(member))
            if values is None:
                named.append(member)
            else:
                free[member] = values
        seen = set()
        for filled in self._named(read, named):
            for chosen in itertools.product(*free.values()):
                params = {**filled, **dict(zip(free, chosen, strict=True))}
                key = repr(sorted(params.items()))
                if key not in seen:
                    seen.add(key)
                    yield {**params, **dict(read.fixed)}

    def _named(self, read: Read, members: list[str]) -> Iterator[dict[str, Any]]:
        if not members:
            yield {}
            return
        if len(members) > 1:
            for context in list(self.contexts.values()):
                filled = {}
                for member in members:
                    value = next((context[name][0] for name in _wanted(member) if name in context), None)
                    if value is None:
                        break
                    filled[member] = value
                else:
                    yield {member: _as(read.shape(member), value) for member, value in filled.items()}
            return
        (member,) = members
        done = set()
        for name in _wanted(member):
            for value in list(self.by_member.get(name, ())):
                if value not in done:
                    done.add(value)
                    yield {member: _as(read.shape(member), value)}


def _as(shape: Shape, value: Any) -> Any:
    if shape.type_name == "list":
        return [value]
    return str(value) if shape.type_name == "string" else value


def _of_shape(shape: Shape) -> list[Any] | None:
    """The values that the model itself gives; None where a known value is needed."""
    if shape.type_name == "list" and shape.member.type_name == "string":
        enum = getattr(shape.member, "enum", None)
        return [[each] for each in enum] if enum and len(enum) <= ENUM_MAX else None
    if shape.type_name == "string":
        enum = getattr(shape, "enum", None)
        if enum and len(enum) <= ENUM_MAX:
            return list(enum)
        return None
    if shape.type_name in ("integer", "long"):
        return [min(shape.metadata.get("max", 1), PAGE)]
    return [True] if shape.type_name == "boolean" else []


def _singular(member: str) -> str:
    name = member.lower()
    for ending in NOUN_ENDINGS:
        if name.endswith(ending) and len(name) > len(ending):
            name = name.removesuffix(ending)
            break
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    if name.endswith(("sses", "xes", "ches")):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _spellings(member: str, noun: str) -> list[str]:
    """Under which names a value is found that stands in `member` of something called `noun`."""
    name = member.lower()
    single = _singular(name) if name.endswith("s") else name
    found = [name, single]
    if noun and name in ENDINGS:
        found += [f"{noun}{name}", noun]
    if noun.endswith("address") and name in ENDINGS:
        found.append(noun)
    for ending in ENDINGS:
        if single.endswith(ending) and single != ending:
            found.append(f":{ending}")
    if name.endswith(("arn", "arns")):
        found.append(":arn")
    return list(dict.fromkeys(found))


def _wanted(member: str) -> list[str]:
    """The names under which a value for `member` of a request may be known, the likeliest first."""
    name = member.lower()
    single = _singular(name) if name.endswith("s") else name
    found = [name, single]
    stem = next((single.removesuffix(each) for each in ENDINGS if single.endswith(each) and single != each), single)
    if stem != single:
        found.append(stem)
    found += [f"{stem}{each}" for each in ("name", "id", "arn")]
    if single in ("resourcearn", "arn", "resource", "resourceid", "resourcename", "resourceidentifier"):
        found.append(":arn")
    return list(dict.fromkeys(found))
