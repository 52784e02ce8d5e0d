"""Whether attributes are as recorded, member by member, where a description has a member of the same path.

Emulators show many values in their own way: a default instead of what was sent, numbers as texts, a policy with other blanks. So
only plain values are compared, texts without regard to case and form, and documents by what they say. Of a secret value it is
said whether it is the same, and nothing of what it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from replay_proxy.resources.linking.documents import document
from replay_proxy.resources.resource import Hidden, Long

_DEPTH: Final = 4
HIDDEN_VALUE: Final = "a value that is not shown"
OTHER_HIDDEN: Final = "another value"
"""What is said of secret values."""


def differences(recorded: Mapping[str, Any], shown: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any, bool]]:
    """Return path, recorded and shown value, and whether they are equal, for every plain value that both have."""
    description = _description(shown, set(recorded))
    yield from _compare(recorded, description, "", 0)
    if description is not shown:
        # The structure may have members of its own beside those of the resource: settings that are one member of a call.
        inside = {str(member).lower() for member in description}
        outside = {member: value for member, value in recorded.items() if member.lower() not in inside}
        yield from _compare(outside, shown, "", 0)


def differences_apart(
    apart: Mapping[str, Any], nouns: Collection[str], reads: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[str, Any, Any, bool]]:
    """Compare what calls of their own had set with several reads: one that shows a value as recorded is believed.

    apart: such attributes. nouns: those that are called after their calls: no read has a member of that name, but what is in it.
    """
    found: dict[str, tuple[str, Any, Any, bool]] = {}
    for read in reads:
        below = (
            (f"{noun}.{path}", recorded, now, same)
            for noun, value in apart.items()
            if noun in nouns and isinstance(value, Mapping)
            for path, recorded, now, same in differences(value, read)
        )
        for each in (*differences(apart, read), *below):
            if each[3] or each[0] not in found:
                found[each[0]] = each
    yield from found.values()


def about_the_same(path: str, other: str) -> bool:
    """Are two paths about one setting? One is above the other, or both are in one structure, whose parts are set together.

    The members of `Attributes` are settings of their own. An empty path is about the whole resource.
    """
    (top, *below), (other_top, *other_below) = path.split("."), other.split(".")
    if not other or top != other_top:
        return not other
    return top != "Attributes" or below[:1] == other_below[:1]


def _description(shown: Mapping[str, Any], wanted: set[str]) -> Mapping[str, Any]:
    """Return the structure in an answer that describes the resource: the one that has most of the recorded members."""
    best, best_count = shown, _common(shown, wanted)
    for value in shown.values():
        inner = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(inner, Mapping) and _common(inner, wanted) > best_count:
            best, best_count = inner, _common(inner, wanted)
    return best


def _common(value: Mapping[str, Any], wanted: set[str]) -> int:
    folded = {member.lower() for member in wanted}
    return sum(str(member).lower() in folded for member in value)


def _compare(
    recorded: Mapping[str, Any], shown: Mapping[str, Any], path: str, depth: int
) -> Iterator[tuple[str, Any, Any, bool]]:
    folded = {str(member).lower(): value for member, value in shown.items()}
    for member, value in recorded.items():
        if member.lower() not in folded or isinstance(value, Long):
            continue
        now = folded[member.lower()]
        inner = f"{path}.{member}" if path else member
        if isinstance(value, Hidden):
            if isinstance(value.raw, str) and isinstance(now, str) and now.strip("*"):
                yield inner, HIDDEN_VALUE, OTHER_HIDDEN, value.raw == now
            continue
        # Calls send what may be true, false, or left as it is, as a structure.
        sent = value["Value"] if isinstance(value, Mapping) and value.keys() == {"Value"} and _is_plain(now) else value
        if isinstance(sent, Mapping) and isinstance(now, Mapping):
            if depth < _DEPTH:
                yield from _compare(sent, now, inner, depth + 1)
        elif _is_plain(sent) and _is_plain(now):
            yield inner, sent, now, _same(sent, now)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | bool | int | float)


def _same(one: Any, two: Any) -> bool:
    if one == two:
        return True
    texts = [str(each).strip() for each in (one, two)]
    inside = [document(each) for each in texts]
    if all(each is not None for each in inside):
        return bool(_loose(inside[0]) == _loose(inside[1]))
    folded = [each.casefold().strip("/") for each in texts]
    if folded[0] == folded[1]:
        return True
    try:
        return float(texts[0]) == float(texts[1])
    except ValueError:
        # A name, and the ARN or the address that ends in it.
        return any(a.endswith((f"/{b}", f":{b}")) for a, b in (folded, folded[::-1]))


def _loose(value: Any) -> Any:
    """Return a document with its numbers and truth values as texts: services keep them either way."""
    if isinstance(value, Mapping):
        return {str(member): _loose(below) for member, below in value.items()}
    if isinstance(value, list):
        return [_loose(below) for below in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
