"""Which of several calls a point in time tells of: by the words of its place, and those of the calls.

Things of different kinds may have one name, and be made in the same second. The `CreatedOn` of a `Job` is that of `CreateJob`
then, and not that of `CreateCrawler`; the `StartTime` of a `VolumeModification` that of `ModifyVolume`, which answers with one,
and not that of `CreateVolume`. The words are those of the service models: of operations, of members and of structures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from replay_proxy.footprint.additions import makes
from replay_proxy.footprint.resource_kinds import kind_names
from replay_proxy.identifiers.rewriting.times.time_members import is_time_name
from replay_proxy.wire.models import models

FAR = 999
"""The distance of a call whose words say nothing of a place."""
_SERVICES, _OPERATIONS = 512, 4096
_DEPTH_MAX = 7
"""Of structures within structures; some contain themselves."""
# (Cognito's names of operations begin with `Admin` where an administrator does what a user could.)
_VERB = re.compile(r"(?:Admin)?((?:Batch)?[A-Z][a-z]+)")
_WORD = re.compile(r"[A-Z]?[a-z]+")
# What the name of a list, or of an extract, has behind the name of a thing.
_WRAPPER = re.compile(
    r"(?:summar(?:y|ies)|details?|descriptions?|list|set|items?|members?|entr(?:y|ies)|response|result)$"
)
_NAMING = re.compile(r"(?:identifier|id|arn|name|url)s?$", re.IGNORECASE)
CHANGING = ("Update", "Put", "Set", "Modify", "Change", "Rotate", "Start", "Stop", "Enable", "Disable", "Terminate")
"""How the names of operations begin after which a thing is said to have been modified; not so after `Attach` or `Tag`."""
_OF_ANY_CHANGE = frozenset({"Update", "Put", "Set", "Modify", "Change"})
_OF_STATE = frozenset({"Start", "Stop", "Enable", "Disable", "Terminate"})
_NUMBER = re.compile(r"(?<=.)(?:Number|Version|Revision)$", re.IGNORECASE)
_CREATION = "creat"
_STATE = re.compile(r"stat(?:e|us)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TimePlace:
    """Where a point in time stands in an answer.

    service, operation: of the read. member: its own. within: the names of the structures around it, the innermost first.
    """

    service: str
    operation: str
    member: str
    within: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Return what the place is of, the innermost first."""
        return [word for each in (*self.within, bare_noun(self.operation)) if (word := noun(each))]

    def distance(self, operation: str) -> int:
        """Return how far out in the place a word stands that a call has, too; `FAR` where there is none.

        A word that only begins with that of the call (`QueueAttributes`, of `CreateQueue`) is a little further. A member that is
        called after the call itself is as near as can be.
        """
        if self._is_called_after(operation):
            return 0
        nouns = nouns_of(self.service, operation)
        words = [noun(each) for each in (*self.within, bare_noun(self.operation))]
        for far, word in enumerate(words):
            if word in nouns:
                return 2 * far
            if any(word.startswith(each) for each in nouns):
                return 2 * far + 1
        return FAR

    def fits(self, operation: str) -> bool:
        """Return whether the member has the verb of a call: `CreationTime` that of all that make something."""
        verb = _VERB.match(operation)
        if verb is None:
            return False
        if self.tells_of_creation and (makes(verb[1]) or verb[1] == "Put"):
            return True
        return _stem(verb[1]) in _words_of(self.member, len(_stem(verb[1])))

    def _is_called_after(self, operation: str) -> bool:
        """Return whether the member has the verb of a call and its noun: `StopLoggingTime`, `TimeLoggingStopped`."""
        about = bare_noun(operation)
        return bool(about) and about.lower() in self.member.lower() and self.fits(operation)

    @property
    def tells_of_creation(self) -> bool:
        """Whether the member says when something was made, and of no later change."""
        return _CREATION in _words_of(self.member, len(_CREATION))

    def takes(self, operation: str) -> bool:
        """Return whether the member may tell of a change at all: of an attachment only one that has that verb, `AttachTime`.

        Nor does it tell of the change of something else, where that answers with it and with a member of the same name.
        """
        bare = as_of_user(operation)
        if not makes(bare) and not bare.startswith(CHANGING) and is_told_by_verb(self.service, operation):
            return self.fits(operation)
        own, read = _answers(self.service, operation), _answers(self.service, self.operation)
        if own is None or read is None or any(self.within):
            return True
        return own[0] == read[0] or self.member.lower() not in own[1]

    def may_tell_of(self, operation: str) -> bool:
        """Return whether a member that tells of changes may tell of this one: not of one to a thing of another kind.

        What is started, stopped, terminated, enabled or disabled has changed its state, and is not said to have been modified.
        A time of one kind of change (`LastRotatedDate`, where there is a `RotateSecret`) tells of no other kind.
        """
        verb = _VERB.match(operation)
        if not self.fits(operation) and self._tells_of_one_verb():
            return False
        if verb and verb[1] in _OF_STATE and not self.fits(operation) and not _STATE.search(self.member):
            return False
        return self.distance(operation) < FAR or bare_noun(operation).lower() not in kind_names(self.service)

    def _tells_of_one_verb(self) -> bool:
        """Return whether the member is called after one kind of change that the service has an operation for."""
        return any(stem in _words_of(self.member, len(stem)) for stem in _own_verbs(self.service))

    def refers(self, member: str) -> bool:
        """Return whether a member names something else than what the place is of: the `NamespaceId` in a `Service`.

        The attributes of a thing (`QueueAttributes`) are of the thing.
        """
        stem, words = noun(_NAMING.sub("", member)), self.words()
        return stem not in words and f"{stem}attribute" not in words and stem in _things(self.service)

    def owns(self, member: str) -> bool:
        """Return whether a member surely names what the place is of: `ARN`, or the `TableArn` of a `Table`."""
        stem = noun(_NAMING.sub("", member))
        return not stem or stem in self.words()

    def can_name(self, member: str, operation: str) -> bool:
        """Return whether a member can name what a call has made: the `stageName` of a stage names no usage plan.

        It can name what the call answers with and is never told: the volumes of instances that are run.
        """
        stem, made = noun(_NAMING.sub("", member)), bare_noun(operation)
        kinds = kind_names(self.service)
        if stem not in kinds or made.lower() not in kinds or stem in nouns_of(self.service, operation):
            return True
        if any(noun(_NAMING.sub("", each)) == stem for each in members_beside(self.service, operation)):
            return True
        return stem in _made_beside(self.service, operation)


def as_of_user(operation: str) -> str:
    """Return the name of an operation without what says who may call it: Cognito's `AdminCreateUser` makes a user, too."""
    return operation.removeprefix("Admin")


def bare_noun(operation: str) -> str:
    """Return the name of an operation without its verb."""
    verb = _VERB.match(operation)
    return operation[verb.end() :] if verb else operation


@lru_cache(maxsize=_OPERATIONS)
def noun(name: str) -> str:
    """Return what a member, a structure or a list is called after: in lower case and singular; empty for a mere wrapper."""
    word = _WRAPPER.sub("", name.lower())
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


@lru_cache(maxsize=_OPERATIONS)
def nouns_of(service: str, operation: str) -> frozenset[str]:
    """Return what an operation makes or changes, by its name and by the structures in its answer."""
    return frozenset({noun(bare_noun(operation)), *map(noun, _structures(service, operation))}) - {""}


def is_own_name(service: str, operation: str, member: str) -> bool:
    """Tell whether a member of a creation's parameters names what it makes: `Name`, or a name of that kind of thing."""
    stem = noun(_NAMING.sub("", member))
    return not stem or stem in nouns_of(service, operation)


def names_within(service: str, operation: str, member: str) -> bool:
    """Tell whether a member of a creation's answer gives a name that is unique within a parent only, by the words of the service.

    So does the `VersionId` of a `PolicyVersion`, and the `DefaultVersionId` of a `Policy`, of which there are `PolicyVersion`s.
    """
    stem, made = noun(_NAMING.sub("", member)), noun(bare_noun(operation))
    if not stem or stem == made:
        return False
    return made.endswith(stem) or stem.endswith(_children(service, operation))


@lru_cache(maxsize=_OPERATIONS)
def _children(service: str, operation: str) -> tuple[str, ...]:
    made = noun(bare_noun(operation))
    return tuple(
        each.removeprefix(made) for each in _things(service) if made and each.startswith(made) and each != made
    )


def _stem(verb: str) -> str:
    return verb.lower().rstrip("ey")


def _words_of(member: str, length: int) -> set[str]:
    """Return the beginnings of the words in a name, in lower case."""
    return {word.lower()[:length] for word in _WORD.findall(member)}


def is_told_by_verb(service: str, operation: str) -> bool:
    """Tell whether some time in the answers of a service is named by the verb of an operation: `AttachTime`, `AttachVolume`."""
    verb = _VERB.match(operation)
    if verb is None:
        return False
    stem = _stem(verb[1])
    return any(stem in _words_of(member, len(stem)) for member in _times_of(service))


@lru_cache(maxsize=_SERVICES)
def _own_verbs(service: str) -> frozenset[str]:
    """Return the stems of the verbs by which a service changes things, but for those that stand for any change."""
    try:
        operations = models.service_model(service).operation_names
    except LookupError:
        return frozenset()
    verbs = {verb[1] for each in operations if each.startswith(CHANGING) and (verb := _VERB.match(each))}
    return frozenset(_stem(verb) for verb in verbs - _OF_ANY_CHANGE)


@lru_cache(maxsize=_SERVICES)
def _times_of(service: str) -> frozenset[str]:
    """Return the members of the type of points in time in all structures of a service."""
    try:
        model = models.service_model(service)
        shapes = [model.shape_for(each) for each in model.shape_names]
    except LookupError:
        return frozenset()
    structures = (shape for shape in shapes if shape.type_name == "structure")
    return frozenset(
        name for each in structures for name, part in each.members.items() if part.type_name == "timestamp"
    )


@lru_cache(maxsize=_OPERATIONS)
def _answers(service: str, operation: str) -> tuple[str, frozenset[str]] | None:
    """Return the structure that a call answers with, and its times; None where it is one for this call alone.

    `PutFunctionConfiguration` and `GetFunctionConfiguration` answer with a `FunctionConfiguration`.
    """
    try:
        output = models.operation_model(service, operation).output_shape
    except LookupError:
        return None
    if output is None or not noun(output.name) or output.name.startswith(operation):
        return None
    return output.name, frozenset(each.lower() for each in output.members if is_time_name(each))


@lru_cache(maxsize=_OPERATIONS)
def members_beside(service: str, operation: str) -> frozenset[str]:
    """Return the members by which a creation may name something that it makes too: the `stageName` of a `CreateDeployment`.

    They are of another kind of thing, and may be left out: what a thing is made in must be named.
    """
    try:
        shape = models.operation_model(service, operation).input_shape
    except LookupError:
        return frozenset()
    if shape is None or not makes(operation):
        return frozenset()
    kinds, own = kind_names(service), bare_noun(operation).lower()
    optional = (each for each, part in shape.members.items() if each not in shape.required_members)
    return frozenset(
        each
        for each in optional
        if _NAMING.search(each) and (stem := noun(_NAMING.sub("", each))) in kinds and stem != own
    )


def number_of(member: str, operation: str) -> bool:
    """Tell whether a member of an answer numbers what the call has begun: the `DeploymentNumber` of a `StartDeployment`.

    So does the `VersionNumber` of a `CreateLaunchTemplateVersion`, by the last word of what is made.
    """
    thing, made = noun(_NUMBER.sub("", member)), noun(bare_noun(operation))
    return is_number_name(member) and (thing == made or (makes(operation) and made.endswith(thing)))


def is_number_name(member: str) -> bool:
    """Tell whether the name of a member says that it numbers things."""
    return _NUMBER.search(member) is not None


@lru_cache(maxsize=_SERVICES)
def _things(service: str) -> frozenset[str]:
    """Return what the operations of a service are about."""
    try:
        operations = models.service_model(service).operation_names
    except LookupError:
        return frozenset()
    return frozenset(noun(bare_noun(each)) for each in operations) - {""}


@lru_cache(maxsize=_OPERATIONS)
def _made_beside(service: str, operation: str) -> frozenset[str]:
    """Return what the answer to a call names, at any depth, and its parameters do not."""
    try:
        model = models.operation_model(service, operation)
    except LookupError:
        return frozenset()
    return frozenset(_named_in(model.output_shape)) - frozenset(_named_in(model.input_shape))


def _named_in(shape: Any, depth: int = _DEPTH_MAX) -> Iterator[str]:
    if shape is None or not depth:
        return
    if shape.type_name == "structure":
        for member, part in shape.members.items():
            if _NAMING.search(member):
                yield noun(_NAMING.sub("", member))
            yield from _named_in(part, depth - 1)
    elif shape.type_name == "list":
        yield from _named_in(shape.member, depth - 1)


def _structures(service: str, operation: str) -> Iterator[str]:
    try:
        output = models.operation_model(service, operation).output_shape
    except LookupError:
        return
    for member, shape in (output.members if output is not None else {}).items():
        inner = shape.member if shape.type_name == "list" else shape
        if inner.type_name == "structure":
            yield from (member, inner.name)
