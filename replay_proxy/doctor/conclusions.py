"""What follows from the answers: which links hold, what is missing, what is other than recorded, and which calls mend it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from replay_proxy.doctor import causes
from replay_proxy.doctor.answers import listed_by_some, table
from replay_proxy.doctor.asking import RecordedCall
from replay_proxy.doctor.attribute_changes import AttributeChanges, KeptMembers
from replay_proxy.doctor.contents import content_again, contents_of
from replay_proxy.doctor.diagnosis import Check, Diagnosis, Finding, LinkCheck, Problem, State, Update
from replay_proxy.doctor.entries import LostEntry, lost_listed
from replay_proxy.doctor.links import Description, is_shown
from replay_proxy.doctor.members import values_called
from replay_proxy.doctor.readings import Names
from replay_proxy.doctor.repair import Repairs, is_numbered
from replay_proxy.doctor.seen_right import SeenRight
from replay_proxy.doctor.switches import not_shown_by_all, shown_on, switched_off
from replay_proxy.doctor.tags import lost_tags, tags_update
from replay_proxy.doctor.texts import Texts
from replay_proxy.doctor.updates import record_set_update, release_before, removal_before, update_of
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.properties.tags import is_tagging
from replay_proxy.resources.resource import Link, Resource

_SHOWN_CHARACTERS: Final = 300
_LISTED: Final = "listed"
_RECORDED_ANSWERS: Final = 3
"""How many of the latest changes are looked at for what the emulator is known to show."""

_Shown = set[tuple[str, str, str]]


class Conclusions:
    """Completes one diagnosis. descriptions: of the resources that are there. recorded_call: tells of one, by its number.

    seen: what earlier diagnoses saw right; what this one sees is noted there.
    """

    def __init__(
        self,
        model: ResourceModel,
        descriptions: Mapping[int, Description],
        recorded_call: Callable[[int], RecordedCall | None],
        diagnosis: Diagnosis,
        seen: SeenRight,
    ) -> None:
        self._model = model
        self._descriptions = descriptions
        self._recorded_call = recorded_call
        self._diagnosis = diagnosis
        self._seen = seen
        self._operations = {entry.seq: entry.operation for entry in model.calls}
        self._repairs = Repairs(model)
        self._states = {check.resource.number: check.state for check in diagnosis.checks}

    def draw(self) -> None:
        """Check links, attributes and entries, and add what is wrong to the diagnosis. Blocking."""
        kept = self._check_links()
        for check in self._diagnosis.checks:
            if check.state is State.ABSENT:
                self._absent(check)
            elif check.state is State.THERE:
                if f"{check.resource.service}:{check.resource.key.noun}" in listed_by_some():
                    self._seen.note(check.resource, _LISTED)
                self._find_state(check)
                self._find_other_content(check)
                self._find_lost_links(check)
                self._find_lost_entries(check)
                self._find_lost_listed(check)
        self._compare_attributes(kept)
        self._compare_tags()

    def stack_lacks(self, stack: Resource, logical_id: str, answer: str) -> None:
        """Add that a resource of a stack is not there."""
        self._add(stack, Problem.LINK_TO_NOTHING, f"Resources.{logical_id}", answer, causes.OF_STACK_MEMBER)

    # Links.

    def _check_links(self) -> KeptMembers:
        """Check the links of every resource that is there. Return types and members that the emulator is known to show."""
        kept: KeptMembers = set()
        shown: _Shown = set()
        undecided: list[tuple[Check, Link]] = []
        for check in self._diagnosis.checks:
            resource = check.resource
            if check.state is not State.THERE:
                continue
            for link in self._model.links(resource):
                if not link.target:
                    continue
                if self._states.get(link.target) is State.ABSENT:
                    check.links.append(LinkCheck(link, holds=False, consequence=True))
                    continue
                if link.target in resource.parents or link.member.partition(".")[0] in resource.unsure:
                    continue
                target = self._model.resources[link.target]
                names = Names(self._model, target).all | {link.text, self._model.arn(target)} - {""}
                description = self._descriptions[resource.number]
                holds = is_shown(description, link.member, frozenset(names), resource.key.noun)
                if holds is False and self._is_as_answered(resource, link.member):
                    holds = True
                if holds is None:
                    undecided.append((check, link))
                    continue
                if holds:
                    kept.add((resource.type, link.member))
                    shown.add((resource.type, link.member, target.type))
                    self._seen.note(resource, _mark_of(link))
                check.links.append(LinkCheck(link, holds))
        for check, link in undecided:
            resource = check.resource
            # Where a function is shown, its alias need not be.
            kind = (resource.type, link.member, self._model.resources[link.target].type)
            proven = kind in shown or self._was_shown(resource, link.text)
            proven = proven and not self._descriptions[resource.number].is_listed_by_name
            proven = proven or self._seen.was(resource, _mark_of(link))
            check.links.append(LinkCheck(link, holds=False if proven else None))
        return kept

    def _recorded_answers(self, resource: Resource) -> list[Mapping[str, Any]]:
        """Return the recorded answers to the calls that changed a resource last, and to the one that made it."""
        seqs = [*reversed(resource.changed_by[-_RECORDED_ANSWERS:]), resource.made_by]
        calls = (self._recorded_call(seq) for seq in seqs if seq)
        return [call.answer for call in calls if call is not None]

    def _was_shown(self, resource: Resource, text: str) -> bool:
        return any(Texts(answer).mention((text,)) for answer in self._recorded_answers(resource))

    def _is_as_answered(self, resource: Resource, member: str) -> bool:
        """Does the emulator show what it had answered when it was told? It may write what a client named in its own way."""
        description = self._descriptions[resource.number]
        name = member.rpartition(".")[2]
        now = list(values_called([description.shown, *description.parts], name))
        answers = self._recorded_answers(resource)
        then = next((found for each in answers if (found := list(values_called(each, name)))), [])
        return bool(now) and now == then

    # Findings.

    def _absent(self, check: Check) -> None:
        resource = check.resource
        if any(self._states.get(each) is State.ABSENT for each in (*resource.parents, resource.maker)):
            return  # it went with what it is a part of
        cause = causes.of_absence(resource.key.noun, check.answer, made_here=bool(resource.made_by))
        if is_numbered(resource):
            cause = f"{cause}; {causes.OF_NUMBERED}"
        linked = [self._descriptions.get(link.target) for link in self._model.links(resource) if link.target]
        kind = f"{resource.service}:{resource.key.noun}"
        if kind in listed_by_some() and not self._seen.was(resource, _LISTED):
            check.state = State.UNKNOWN  # this emulator may list none at all
            return
        before = release_before(kind, check.remains, [each for each in linked if each is not None])
        self._add(resource, Problem.MISSING, "", check.answer, cause, before=before)

    def _find_state(self, check: Check) -> None:
        resource = check.resource
        if check.status:
            cause, failed = causes.of_state(check.status)
            finding = Finding(resource.number, Problem.NOT_READY, "", resource.made_by, check.status, cause)
            (self._diagnosis.findings if failed else self._diagnosis.notes).append(finding)
        description = self._descriptions[resource.number]
        off = list(switched_off(Names(self._model, resource), description))
        doubtful = not_shown_by_all(resource)
        for member in doubtful & shown_on(resource, description):
            self._seen.note(resource, member)
        for member, answer, update in off:
            if member in doubtful and not self._seen.was(resource, member):
                self._note(resource, member, answer, "switched on")
            else:
                self._add(resource, Problem.SWITCHED_OFF, member, answer, causes.OF_SWITCH, update=update)

    def _find_other_content(self, check: Check) -> None:
        """Find content (code) with another print than recorded, where it was seen with that one."""
        resource = check.resource
        for content in contents_of(resource, self._descriptions[resource.number], self._recorded_answers(resource)):
            if content.shown == content.recorded:
                self._seen.note(resource, content.member)
            elif self._seen.was(resource, content.member):
                maker = self._operations.get(resource.made_by, "")
                update = content_again(Names(self._model, resource), content, maker, self._recorded_call)
                cause, recorded = causes.OF_CHANGE, content.recorded
                self._add(
                    resource, Problem.CHANGED, content.member, content.said, cause, recorded=recorded, update=update
                )

    def _find_lost_links(self, check: Check) -> None:
        resource = check.resource
        lost: dict[str, LinkCheck] = {}
        for link in check.links:
            if link.holds is False and not link.consequence:
                lost.setdefault(link.link.member, link)
        for member, each in lost.items():
            target = self._model.resources[each.link.target]
            empty = self._descriptions[resource.number].has_empty_part
            cause = causes.of_lost_link(member, target.name, empty=empty)
            answer = f"{check.reading} does not show it"
            self._add(resource, Problem.LINK_LOST, member, answer, cause, recorded=each.link.text)

    def _find_lost_entries(self, check: Check) -> None:
        """Find entries of lists that the read of just these does not show, or no read any more: a target, a statement."""
        resource = check.resource
        description = self._descriptions[resource.number]
        telling = frozenset(table()["entries"]["members"])
        linked = {link.link.member.partition(".")[0] for link in check.links}
        for member, value in resource.attributes.items():
            if not isinstance(value, list) or member in linked:
                continue
            for entry in value:
                if not isinstance(entry, Mapping):
                    continue
                names = [text for name, text in entry.items() if name in telling and isinstance(text, str) and text]
                mark = f"{member}: {names[0]}" if names else ""
                if names and description.names(frozenset(names)):
                    self._seen.note(resource, mark)
                elif names and (description.dedicated or self._seen.was(resource, mark)):
                    cause = causes.of_lost_link(member, names[0], empty=description.has_empty_part)
                    answer = f"no read shows {names[0]}"
                    self._add(resource, Problem.LINK_LOST, member, answer, cause, recorded=names[0])
                    break

    def _find_lost_listed(self, check: Check) -> None:
        """Find entries that are shown under another name, and in another form."""
        resource = check.resource
        linked = {link.link.member.partition(".")[0] for link in check.links if link.holds is False}
        operations = frozenset(self._operations.get(seq, "") for seq in resource.changed_by)
        lost: dict[str, list[LostEntry]] = {}
        for entry in lost_listed(resource, operations, self._descriptions[resource.number].shown):
            if entry.member not in linked:
                lost.setdefault(entry.member, []).append(entry)
        for member, entries in lost.items():
            answer = f"{check.reading} does not show it"
            calls = {seq: self._recorded_call(seq) for seq in resource.changed_by}
            making = (
                seq for seq, call in calls.items() if call and any(each.is_in(call.parameters) for each in entries)
            )
            words = entries[0].words
            self._add(resource, Problem.CHANGED, member, answer, causes.OF_CHANGE, recorded=words, calls=tuple(making))

    def _compare_attributes(self, kept: KeptMembers) -> None:
        """Compare attributes. What differs is a finding where the emulator is known to keep that member, else a note."""
        findings = self._diagnosis.findings
        changes = AttributeChanges(
            self._model, self._diagnosis.checks, self._descriptions, self._recorded_answers, self._seen
        )
        for found in (changes.other(kept), changes.unshown_texts(findings), changes.gone(findings)):
            for each in found:
                if each.is_sure:
                    answer, recorded = each.answer[:_SHOWN_CHARACTERS], each.recorded[:_SHOWN_CHARACTERS]
                    self._add(each.resource, Problem.CHANGED, each.member, answer, causes.OF_CHANGE, recorded=recorded)
                else:
                    self._note(each.resource, each.member, each.answer, each.recorded)

    def _compare_tags(self) -> None:
        """Compare tags. A lost one is a finding where the emulator is known to keep tags of such a resource, else a note."""
        checks = [
            check for check in self._diagnosis.checks if self._descriptions.get(check.resource.number) is not None
        ]
        shown = {check.resource.number: self._descriptions[check.resource.number].tags for check in checks}
        keeping = {
            check.resource.type
            for check in checks
            if check.resource.tags.items() & (shown[check.resource.number] or {}).items()
        }
        for check in checks:
            resource, tags = check.resource, shown[check.resource.number]
            beside = self._descriptions[resource.number].tags_beside.items()
            lost = [
                key
                for key in lost_tags(resource.tags, tags if tags is not None else resource.tags)
                if f"Tags.{key}" not in resource.unsure
                and ((key, resource.tags[key]) not in beside or self._seen.was(resource, f"Tags.{key}"))
            ]
            for key in resource.tags.items() & (tags or {}).items():
                self._seen.note(resource, f"Tags.{key[0]}")
            if not lost or tags is None:
                continue
            answer = f"it is {tags[lost[0]]}" if lost[0] in tags else "it is not there"
            member, recorded = f"Tags.{lost[0]}", resource.tags[lost[0]]
            by_calls = tuple(seq for seq in resource.changed_by if is_tagging(self._operations.get(seq, "")))
            is_kept = resource.type in keeping or tags or self._descriptions[resource.number].has_no_tags
            if is_kept or self._seen.was(resource, member):
                update = tags_update(Names(self._model, resource))
                self._add(
                    resource,
                    Problem.CHANGED,
                    member,
                    answer[:_SHOWN_CHARACTERS],
                    causes.OF_CHANGE,
                    recorded=recorded[:_SHOWN_CHARACTERS],
                    update=update,
                    calls=by_calls,
                )
            else:
                self._note(resource, member, answer, recorded)

    def _that_set(self, calls: tuple[int, ...], member: str) -> tuple[int, ...]:
        """Return those of the calls that set a setting: others of the same operation set other ones."""
        if not _is_setting(member):
            return calls
        top, name = member.split(".")[:2]
        given = {seq: call.parameters.get(top) for seq in calls if (call := self._recorded_call(seq)) is not None}
        return tuple(seq for seq, value in given.items() if isinstance(value, Mapping) and name in value)

    def _note(self, resource: Resource, member: str, answer: str, recorded: str) -> None:
        """Add that an attribute is other than recorded, which may be nobody's fault."""
        shown, was, cause = answer[:_SHOWN_CHARACTERS], recorded[:_SHOWN_CHARACTERS], causes.OF_NOT_KEPT
        note = Finding(resource.number, Problem.CHANGED, member, resource.made_by, shown, cause, was)
        self._diagnosis.notes.append(note)

    def _add(
        self,
        resource: Resource,
        problem: Problem,
        member: str,
        answer: str,
        cause: str,
        *,
        recorded: str = "",
        update: Update | None = None,
        calls: tuple[int, ...] = (),
        before: Update | None = None,
    ) -> None:
        """Add a finding. update, calls: what mends it, where that is known; an update before calls. before: what comes first."""
        update = update or record_set_update(resource, self._recorded_call)
        calls = (
            () if update is not None else calls or self._that_set(self._repairs.of(resource, problem, member), member)
        )
        if member and not calls and update is None and problem is not Problem.LINK_TO_NOTHING:
            update = update_of(Names(self._model, resource), member, self._descriptions[resource.number].shown)
        if problem in (Problem.LINK_LOST, Problem.CHANGED) and not calls and update is None and resource.made_by:
            before = removal_before(Names(self._model, resource))
            calls = (resource.made_by,) if before is not None else ()
        call = calls[-1] if member and calls else resource.made_by
        self._diagnosis.findings.append(
            Finding(resource.number, problem, member, call, answer, cause, recorded, calls, update, before)
        )


def _is_setting(member: str) -> bool:
    """Is a path about one of several settings that calls set one by one?"""
    top, dot, _below = member.partition(".")
    return bool(dot) and top.lower().endswith("attributes")


def _mark_of(link: Link) -> str:
    """Return what is noted of a link that was seen to hold."""
    return f"{link.member} -> {link.text}"
