"""Where two states differ. Identifiers are compared exactly; each excuse is a rule with its reason."""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from replay_proxy.footprint.members.member_roles import Role, role_by_name
from replay_proxy.footprint.members.naming_members import names_something
from tests.support.read_back.reader import Asked, State


@dataclass(frozen=True)
class Rule:
    """An excuse: what differs in `member` of reads that match `read` is no difference. Both are regular expressions.

    shown: where given, only what matches it: the read, a line feed, and what the read showed before.
    """

    read: str
    member: str
    reason: str
    shown: str = ""

    def excuses(self, difference: Difference) -> bool:
        """Is a difference in a member of this rule's excused?"""
        return (
            not self.shown
            or re.fullmatch(self.shown, f"{difference.asked}\n{difference.before}", re.DOTALL) is not None
        )


RULES = (
    Rule(r".*", r"(?:Next)?(?:Token|Marker)|position|NextPageToken|nextToken|next(?:Forward|Backward)Token", "only pages"),
    Rule(r"sqs:ReceiveMessage .*", r"ReceiptHandle|ApproximateReceiveCount|ApproximateFirstReceiveTimestamp",
         "of each reception anew; reading counts as one"),
    Rule(r"events:DescribeEventBus .*", r"CreationTime|LastModifiedTime",
         "the default bus is the emulator's own, made at its start"),
    Rule(r"logs:.*", r"ingestionTime|lastIngestionTime", "when the emulator took an event in"),
    Rule(r"logs:Describe.*", r"storedBytes", "the sum of the events, which are compared themselves"),
    Rule(r"logs:DescribeLogStreams .*", r"uploadSequenceToken", "PutLogEvents takes whichever is sent"),
    Rule(r"logs:FilterLogEvents .*", r"eventId",
         "of an event that a client put; MiniStack gives none to what its own functions log, and that is put by a restore"),
    Rule(r'logs:\w+ \{.*"logGroupIdentifier".*', r".*",
         "moto shows the group that was made last, whatever the identifier says; by its name each group is read, too"),
    Rule(r"logs:DescribeMetricFilters .*", r"metricFilters",
         "moto appends one that is put again, and deletes one of them; MiniStack counts them in its log groups, too"),
    Rule(r"secretsmanager:DescribeSecret .*", r"LastAccessedDate", "of the last use: none since the restart"),
    Rule(r"kms:DescribeKey .*", r"DeletionDate", "counted from the restore"),
    Rule(r"secretsmanager:ListSecretVersionIds .*", r"CreatedDate|LastAccessedDate", "versions share their seconds"),
    Rule(r'lambda:GetFunction(?:Concurrency)? \{.*(?::\d+"|"Qualifier").*', r"Concurrency|ReservedConcurrentExecutions",
         "a function has one for all its versions; moto keeps in each what was reserved when it was published"),
    Rule(r"lambda:Get(?:Function|LayerVersion).*", r"Location", "a presigned address, made at each call"),
    Rule(r"events:ListTargetsByRule .*Events-Archive-.*", r"InputTemplate",
         "what moto makes for an archive, in a member that is users' payload and never rewritten"),
    Rule(r'ecs:(?:List|Describe)Tasks \{"cluster".*', r"tasks|taskArns",
         "moto shows tasks of other clusters, too: of all whose ARN has the name in it, or of all; in their own they are read",
         shown=r'[^"]*"cluster": "(?:[^"]*/)?([^"/]+)"[^\n]*\n(?!.*:task/\1/).*'),
    Rule(r"acm:(?:List|Describe)Certificates? .*", r"Status|ValidationStatus", "moto issues a certificate by and by"),
    Rule(r"autoscaling:DescribeAutoScalingGroups .*", r"DesiredCapacity",
         "moto keeps the capacity of a SetDesiredCapacity that it refuses; a call that was refused is not recorded"),
    Rule(r"autoscaling:DescribePolicies .*", r"ScalingPolicies", "moto goes on listing those of a group that is gone"),
    Rule(r"events:(?:Describe|List)Archives? .*", r"EventCount|SizeBytes",
         "what is in an archive was published into it, and nothing is published in a restore"),
    Rule(r"cloudwatch:DescribeAlarm.*", r"State\w*|AlarmHistoryItems",
         "evaluated anew when the next data come; nothing is evaluated twice in a restore"),
    Rule(r"elbv2:DescribeTargetGroups .*", r"LoadBalancerArns",
         "moto lists a balancer once for each listener that it ever had; what there is, the listeners show"),
    Rule(r'elbv2:DescribeTargetGroups \{"LoadBalancerArn".*', r"(?:TargetGroups)?",
         "moto and MiniStack go on listing those of listeners that were deleted, and moto refuses the call where it has none; "
         "what there is, the listeners show"),
    Rule(r"iam:GetAccountSummary .*", r"PolicyVersionsInUse",
         "moto lets an attached policy be deleted, and counts its detachment on the next policy of that name: -1"),
    Rule(r"ec2:DescribeNetworkAcls .*", r"Associations", "moto goes on listing that of a subnet that was deleted"),
    Rule(r"ec2:DescribeTags .*", r"Tags",
         "MiniStack goes on listing those of what was deleted; what exists shows its own"),
    Rule(r"route53:GetChange .*", r"Status", "how far a change has come, which passes by itself"),
    Rule(r"stepfunctions:DescribeStateMachineForExecution .*", r"definition|updateDate",
         "as it was when the execution began; MiniStack shows the one of today as long as it lives"),
    Rule(r"route53:ListReusableDelegationSets .*", r"DelegationSets",
         "moto lists one without an id for each zone, also for zones that are gone; nobody can name it"),
    Rule(r"kinesis:Get.*", r"ShardIterator|NextShardIterator|MillisBehindLatest", "of each reading anew"),
)  # fmt: skip
LISTED_ONCE = {"dynamodb:ListTagsOfResource": ("Key",)}
"""Reads in which elements with these members in common are one, as the last of them says: moto appends what is set again."""
COMPARED_MAX = 100
"""Of a list, so many elements are put together with what is like them."""
SECONDS = 1.0
"""Times are restored to the second."""


@dataclass(frozen=True)
class Difference:
    """What one read showed otherwise. path: of the member within the answer."""

    asked: Asked
    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.asked} {self.path}: {_brief(self.before)} -> {_brief(self.after)}"


@dataclass(frozen=True)
class Shown:
    """All values in calls and answers of clients. texts: each of them; joined: all as one text."""

    texts: frozenset[str]
    joined: str

    def __contains__(self, text: str) -> bool:
        return text in self.texts or text in self.joined


def as_shown(state: State, shown: Shown) -> State:
    """What of a state that was read behind the back of clients they could compare.

    An identifier that was drawn and shown to nobody may be another after a restart, so one mark stands in the place of each.
    What it belongs to has to be there all the same. Reads that name such a thing are left out.
    """
    kept = State()
    for asked, answer in state.answers.items():
        if all(each in shown or each in FIXED for each in leaves(json.loads(asked.params))):
            kept.answers[asked] = _marked(asked, "", answer, shown)
    return kept


def _marked(asked: Asked, member: str, value: Any, shown: Shown) -> Any:
    if isinstance(value, dict):
        return {name: _marked(asked, name, each, shown) for name, each in value.items()}
    if isinstance(value, list):
        return [_marked(asked, member, each, shown) for each in value]
    if isinstance(value, str) and value not in shown:
        role = role_by_name(asked.service, asked.operation, member)
        if role in (Role.IDENTIFIER, Role.LABEL, Role.SECRET) or names_something(member):
            return UNSHOWN
        return _ARN.sub(lambda found: found[0] if found[0] in shown else UNSHOWN, value)
    return value


_ARN = re.compile(r"arn:aws[^\s\"'<>,;()\[\]\\]+")
"""An ARN names something in any text: in what an alarm does, and in its description."""


UNSHOWN = "(shown to nobody)"
FIXED = frozenset(
    {"All", "TAGS", "SETTINGS", "CONFIGURATIONS", "TRIM_HORIZON", "self", "default", "REGIONAL", "CLOUDFRONT", "ecs"}
)
"""Values that the reads themselves bring along."""


def leaves(value: Any) -> Iterator[str]:
    """The texts in a value."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)
    elif isinstance(value, str):
        yield value


def is_time(difference: Difference) -> bool:
    """Do both states show a time there, or a sentence that differs in times alone?"""
    before, after = difference.before, difference.after
    if _time(before) is not None and _time(after) is not None:
        return True
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    return _TIMES.sub("", before) == _TIMES.sub("", after) != before


def differences(
    before: State, after: State, rules: tuple[Rule, ...] = RULES, *, exact_times: bool = False
) -> list[Difference]:
    """Where the reads of `before` show something else in `after`."""
    found = []
    for asked, answer in before.answers.items():
        shown = answer, after.answers.get(asked, "not read")
        one_thing = LISTED_ONCE.get(f"{asked.service}:{asked.operation}", ())
        first, later = (_once(each, one_thing) for each in shown) if one_thing else shown
        fitting = [rule for rule in rules if re.fullmatch(rule.read, str(asked), re.DOTALL)]
        excused = [rule.member for rule in fitting if not rule.shown]
        if excused:  # nor do elements of lists belong together by it
            first, later = (
                _pruned(each, re.compile("|".join(f"(?:{each})" for each in excused))) for each in (first, later)
            )
        for path, one, other in _walk(first, later, "", 0.0 if exact_times else SECONDS):
            member = re.split(r"[.\[]", path.rstrip("]"))
            last = next((each for each in reversed(member) if each and not each.isdigit()), "")
            difference = Difference(asked, path, one, other)
            if not any(re.fullmatch(rule.member, last) and rule.excuses(difference) for rule in fitting):
                found.append(difference)
    return found


def _pruned(value: Any, members: re.Pattern[str]) -> Any:
    """A value without the single values of these members, at whatever depth."""
    if isinstance(value, dict):
        return {
            name: _pruned(each, members)
            for name, each in value.items()
            if isinstance(each, dict | list) or not members.fullmatch(name)
        }
    return [_pruned(each, members) for each in value] if isinstance(value, list) else value


def _once(answer: Any, members: tuple[str, ...]) -> Any:
    """An answer in the lists of which elements that have these members in common are one: the last of them."""
    if not isinstance(answer, dict):
        return answer
    return {
        name: list({_key([each.get(one) for one in members]): each for each in value}.values())
        if isinstance(value, list)
        else value
        for name, value in answer.items()
    }


def _walk(before: Any, after: Any, path: str, seconds: float) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            yield from _walk(before.get(name, _ABSENT), after.get(name, _ABSENT), f"{path}.{name}", seconds)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, path, seconds)
    elif (one := _time(before)) is not None and (other := _time(after)) is not None:
        if abs(one - other) > seconds:
            yield path, before, after
    elif before != after and not (isinstance(before, str) and isinstance(after, str) and _same_json(before, after)):
        yield path, before, after


def _lists(before: list[Any], after: list[Any], path: str, seconds: float) -> Iterator[tuple[str, Any, Any]]:
    """Lists are compared without regard to order, which emulators do not promise."""
    rest = _without(before, Counter(map(_key, after)))
    left = _without(after, Counter(map(_key, before)))
    # What differs in times alone is one thing, however long the list is.
    by_key: dict[str, list[Any]] = {}
    for each in left:
        by_key.setdefault(_key(_without_times(each)), []).append(each)
    unpaired = []
    for each in rest:
        if alike := by_key.get(_key(_without_times(each))):
            yield from _walk(each, alike.pop(0), f"{path}[]", seconds)
        else:
            unpaired.append(each)
    rest, left = unpaired, [each for alike in by_key.values() for each in alike]
    # What is left is put together by what is alike.
    for each in rest[:COMPARED_MAX]:
        best = max(left[:COMPARED_MAX], key=lambda other: _likeness(each, other), default=None)
        if best is None or (_likeness(each, best) == 0 and isinstance(each, dict)):
            yield f"{path}[]", each, _ABSENT
        else:
            left.remove(best)
            yield from _walk(each, best, f"{path}[]", seconds)
    for each in rest[COMPARED_MAX:]:
        yield f"{path}[]", each, _ABSENT
    for each in left:
        yield f"{path}[]", _ABSENT, each


def _without(values: list[Any], others: Counter[str]) -> list[Any]:
    """Those of `values` that are not among `others`, as often as there."""
    out = []
    for each in values:
        key = _key(each)
        if others[key]:
            others[key] -= 1
        else:
            out.append(each)
    return out


def _without_times(value: Any) -> Any:
    """A value with nothing in the place of each point in time."""
    if isinstance(value, dict):
        return {name: _without_times(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_times(each) for each in value]
    return None if _time(value) is not None else value


def _likeness(one: Any, other: Any) -> int:
    """How many texts two elements have in common, at whatever depth."""
    if isinstance(one, dict) and isinstance(other, dict):
        return sum(_likeness(one[name], value) for name, value in other.items() if name in one)
    if isinstance(one, list) and isinstance(other, list):
        return sum(
            max((_likeness(each, two) for two in other[:COMPARED_MAX]), default=0) for each in one[:COMPARED_MAX]
        )
    return int(isinstance(one, str) and one == other)


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _same_json(before: str, after: str) -> bool:
    if not (before[:1] in "{[" and after[:1] in "{["):
        return False
    try:
        return bool(json.loads(before) == json.loads(after))
    except ValueError:
        return False


def _time(value: Any) -> float | None:
    """A point in time as seconds; None where it is none."""
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", value):
        try:
            return datetime.datetime.fromisoformat(value).timestamp()
        except ValueError:
            return None
    number = (
        float(value) if isinstance(value, int | float) or (isinstance(value, str) and _EPOCH.fullmatch(value)) else 0.0
    )
    if number > _MILLISECONDS:
        number /= 1000
    return number if number > _THIS_CENTURY else None


_TIMES = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?")
_EPOCH = re.compile(r"\d{10,13}(?:\.\d+)?")
_THIS_CENTURY, _MILLISECONDS = 1.0e9, 1.0e11


class _Absent:
    def __repr__(self) -> str:
        return "(absent)"


_ABSENT = _Absent()


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) < 300 else text[:300] + "…"
