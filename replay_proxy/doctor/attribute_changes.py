"""Which attributes of a resource are other than recorded, or are shown no more, and how sure that is.

An emulator may show an attribute in its own way, or not keep it at all. It is known to keep one where another resource of
the same type shows it as recorded, where the recorded answer to a call did, where an earlier diagnosis saw it so, or where any
emulator does (`kept` in data/readings.json). There a difference is a change; elsewhere it may be nobody's fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from replay_proxy.doctor.answers import table
from replay_proxy.doctor.attributes import about_the_same, differences, differences_apart
from replay_proxy.doctor.diagnosis import Check, Finding, State
from replay_proxy.doctor.links import Description
from replay_proxy.doctor.repair import members_of
from replay_proxy.doctor.seen_right import SeenRight, missing_texts
from replay_proxy.observing.exposure import runs_code
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.properties.record_sets import is_record_set
from replay_proxy.resources.resource import Resource, leaves

_VERSIONING: Final = re.compile("(Create|SetDefault).*Version")
"""Operations that can choose which version of a resource counts."""

KeptMembers = set[tuple[str, str]]
"""Types and members that the emulator is known to keep."""


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """An attribute that is other than recorded. answer: what the emulator says. is_sure: it is known to keep this attribute."""

    resource: Resource
    member: str
    answer: str
    recorded: str
    is_sure: bool = True


class AttributeChanges:
    """Compares the attributes of all resources that are there.

    descriptions: of these resources. recorded_answers: to the calls that changed a resource last, and to the one that made it.
    seen: what earlier diagnoses saw right; what is right now is noted there.
    """

    def __init__(
        self,
        model: ResourceModel,
        checks: Iterable[Check],
        descriptions: Mapping[int, Description],
        recorded_answers: Callable[[Resource], list[Mapping[str, Any]]],
        seen: SeenRight,
    ) -> None:
        self._checks = [check for check in checks if check.state is State.THERE]
        self._descriptions = descriptions
        self._recorded_answers = recorded_answers
        self._seen = seen
        self._operations = {entry.seq: entry.operation for entry in model.calls}
        self._acts = runs_code((entry.service, entry.operation) for entry in model.calls)
        self._gone: list[tuple[Resource, str, Any]] = []
        """Attributes that earlier diagnoses saw right, and no read has any more."""

    def other(self, kept: KeptMembers) -> Iterator[AttributeChange]:
        """Yield the attributes that a read shows otherwise, and note which it does not show.

        kept: members that the emulator is known to keep; the others that turn out to be are added.
        """
        differing: list[tuple[Resource, str, Any, Any]] = []
        for check in self._checks:
            resource = check.resource
            linked = {each.link.member for each in check.links}
            lost = [each.link.member for each in check.links if each.holds is False]
            given = self._given(resource)
            told: set[str] = set()
            for path, recorded, now, same in self._differences(resource, given):
                told.add(path)
                if same:
                    kept.add((resource.type, path))
                    self._seen.note(resource, path)
                elif (
                    path not in linked
                    and not any(member.startswith(f"{path}.") for member in lost)
                    and not (self._acts and self._is_kept(resource, path))
                ):
                    differing.append((resource, path, recorded, now))
            unshown = ((path, value) for path, value in leaves(given) if path not in told and path not in linked)
            self._gone += [(resource, *each) for each in unshown if self._seen.was(resource, each[0])]
        for resource, path, recorded, now in differing:
            is_sure = (
                (resource.type, path) in kept
                or self._is_kept(resource, path)
                or self._kept_in_answer(resource, path, recorded)
                or self._seen.was(resource, path)
            )
            yield AttributeChange(resource, path, f"it is {now!s}", f"{recorded!s}", is_sure)

    def unshown_texts(self, findings: Iterable[Finding]) -> Iterator[AttributeChange]:
        """Yield attributes that no read shows any more, in whatever form: where earlier diagnoses saw them, they were changed.

        findings: what is known to be wrong, which is not said again.
        """
        found = _members(findings)
        for check in self._checks:
            resource = check.resource
            description = self._descriptions[resource.number]
            given = self._given(resource)
            for path, text in missing_texts(given, iter((description.shown, *description.parts))):
                mark = f"{path} in words"
                members = found.setdefault(resource.number, [])
                if not text:
                    self._seen.note(resource, mark)
                elif self._seen.was(resource, mark) and not any(about_the_same(path, each) for each in members):
                    yield AttributeChange(resource, path, f"no read shows {text}", text)
                    members.append(path)

    def gone(self, findings: Iterable[Finding]) -> Iterator[AttributeChange]:
        """Yield attributes that are not there any more, where nothing else says so: a truth value has no text of its own.

        findings: as of `unshown_texts`. To be called after `other`.
        """
        found = _members(findings)
        for resource, path, recorded in self._gone:
            members = found.setdefault(resource.number, [])
            if not any(about_the_same(path, each) for each in members):
                yield AttributeChange(resource, path, "no read shows it", f"{recorded!s}")
                members.append(path)

    def _differences(self, resource: Resource, given: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any, bool]]:
        """Compare what was given with the main read, and what that does not show with the reads of what was set apart."""
        description = self._descriptions[resource.number]
        told = list(differences(given, description.shown))
        yield from told
        apart = {member: value for member, value in given.items() if member.lower() in description.set_apart}
        paths = {each[0] for each in told}
        reads = (*description.parts, description.shown)
        yield from (each for each in differences_apart(apart, resource.set_by, reads) if each[0] not in paths)

    @staticmethod
    def _is_kept(resource: Resource, path: str) -> bool:
        """Is this data that any emulator keeps? Where something runs code, that may change it, and the proxy observes it."""
        return f"{resource.service}:{resource.key.noun} {path}" in table()["kept"]["members"]

    def _given(self, resource: Resource) -> dict[str, Any]:
        """Return the attributes that calls set, and of which they tell what they are.

        Left out are those that follow from others (`follows` in data/readings.json).
        """
        sent = self._members_sent(resource)
        kind = f"{resource.service}:{resource.key.noun}"
        following = {entry["member"] for entry in table()["follows"] if entry["kind"] == kind} | resource.unsure
        attributes = resource.attributes.items()
        return {member: value for member, value in attributes if member.lower() in sent and member not in following}

    def _members_sent(self, resource: Resource) -> set[str]:
        """Return the members, in lower case, that the calls about a resource could set. Others are the emulator's own."""
        if is_record_set(resource.key):
            return {member.lower() for member in resource.attributes}
        operations = {self._operations.get(seq, "") for seq in (resource.made_by, *resource.changed_by)}
        nouns = {noun.lower() for noun in resource.set_by}
        chosen = {"defaultversionid"} if any(map(_VERSIONING.fullmatch, operations)) else set()
        return nouns | chosen | {member.lower() for each in operations for member in members_of(resource.service, each)}

    def _kept_in_answer(self, resource: Resource, path: str, recorded: Any) -> bool:
        """Did the recorded answer to a call that made or changed a resource show a member with the recorded value?

        In the same place, of the answer or of the structure in it: what is pending stands in another one.
        """
        wanted = path.lower()
        return any(
            wanted in (member.lower(), member.lower().partition(".")[2]) and value == recorded
            for answer in self._recorded_answers(resource)
            for member, value in leaves(answer)
        )


def _members(findings: Iterable[Finding]) -> dict[int, list[str]]:
    """Return the members of which something is known to be wrong, by the number of their resource."""
    found: dict[int, list[str]] = {}
    for finding in findings:
        found.setdefault(finding.resource, []).append(finding.member)
    return found
