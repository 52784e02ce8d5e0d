"""Answers about runs that the emulator does not know: from what the recording knows of them.

The emulator is asked first. Only where it says that there is no such run, or where its list lacks one, what was recorded is put
in. Everything here is in clients' identifiers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.footprint.names.resource_names import last_part
from replay_proxy.replay.runs.families import Family, families, put_at, values_at
from replay_proxy.replay.runs.list_defaults import is_of_all, is_same
from replay_proxy.replay.runs.recorded_runs import RecordedRuns, Run, json_of, listed_in, params_of
from replay_proxy.wire.models.models import operation_model

MARK = "X-Replay-Answered-From"
"""The field that says that an answer, or a part of it, was recorded."""
_TOKEN = "recorded-"  # noqa: S105  # the beginning of a place in a list, for the client to go on from
_LEFT_OUT = ("content-length", "content-encoding", "x-amzn-errortype", "x-amz-crc32")


def answer_about_runs(runs: RecordedRuns, head: CallHead, request: Request, answer: Answer) -> Answer:
    """Return the answer of the emulator, with what is known of runs that it does not know; the same object where nothing is.

    request, answer: in clients' identifiers. An emulator may answer 500 where it does not know a run.
    """
    if answer.status > 500 or (params := params_of(head, request)) is None:
        return answer
    shown = json_of(answer)
    for family in families():
        if family.service != head.service:
            continue
        made = None
        if head.operation in family.ids:
            made = _by_ids(runs, family, head, params, answer, shown or {})
        elif head.operation in family.lists:
            made = _listed(runs, family, head, params, answer, shown or {})
        elif answer.status >= 400 or shown is not None:
            made = _single(runs, family, head, params, answer, shown or {})
        if made is not None:
            return _answer(head, answer, made)
    return answer


def _single(
    runs: RecordedRuns,
    family: Family,
    head: CallHead,
    params: Mapping[str, Any],
    answer: Answer,
    shown: Mapping[str, Any],
) -> dict[str, Any] | None:
    describe = family.describe
    refused = answer.status >= 400
    if head.operation == describe["operation"] and refused:
        by = describe.get("by", "")
        run = _named(runs, head, family, params.get(by), by)
        return put_at(_of_model(head, describe["view"], run.view), describe["view"]) if run is not None else None
    for detail in family.details:
        if head.operation != detail["operation"]:
            continue
        items = detail.get("items")
        empty = bool(items and detail.get("empty") and not shown.get(items))
        run = _named(runs, head, family, params.get(detail["by"]), detail["by"]) if refused or empty else None
        known = run.details.get((head.operation, str(params.get(detail.get("each_as", ""), "")))) if run else None
        if known is not None:
            return _page(detail, params, known) if items and "token" in detail else known
    return None


def _page(detail: Mapping[str, Any], params: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a long answer that was asked for."""
    items = list(known.get(detail["items"], ()))
    if params.get(detail.get("reverse", "")):
        items.reverse()
    begin, limit = _place(params.get(detail["token"])), params.get(detail.get("limit", "")) or len(items)
    page = {**known, detail["items"]: items[begin : begin + limit]}
    page.pop(detail["token"], None)
    if begin + limit < len(items):
        page[detail["token"]] = f"{_TOKEN}{begin + limit}"
    return page


def _listed(
    runs: RecordedRuns,
    family: Family,
    head: CallHead,
    params: Mapping[str, Any],
    answer: Answer,
    shown: Mapping[str, Any],
) -> dict[str, Any] | None:
    read = family.lists[head.operation]
    token = params.get(read.get("token", ""))
    ours = isinstance(token, str) and token.startswith(_TOKEN)
    refused = answer.status >= 400
    if "of" in read and not params.get(read["of"]) and not ours:
        shows_some = not refused and bool(listed_in(read, shown))
        if refused or not is_of_all(read, params) or not (shows_some or runs.lists_all(head, read)):
            return None  # whose runs are to be listed is not said, and this emulator does not list all
    if refused and not ours and not any(_named(runs, head, family, value) for value in params.values()):
        return None
    shown = {} if refused or ours else shown
    items = list(shown.get(read["items"]) or ())
    if not ours and shown.get(read.get("token", "")):
        return None  # the emulator has more; what was recorded is older, and comes after it
    there = set(listed_in(read, shown))
    asked = {**runs.defaults_of(head, read), **params}
    known = [run for run in runs.of_family(head, family) if run.id not in there and _fits(read, asked, run)]
    begin = _place(token) if ours else 0
    if not known[begin:]:
        return None if not ours else {read["items"]: []}
    limit = params.get(read.get("limit", ""))
    room = limit - len(items) if isinstance(limit, int) and limit > 0 else len(known)
    added = known[begin : begin + max(0, room)]
    made = {**shown, read["items"]: [*items, *(_item(head, read, run) for run in added)]}
    if begin + len(added) < len(known):
        made[read["token"]] = f"{_TOKEN}{begin + len(added)}"
    return made


def _by_ids(
    runs: RecordedRuns,
    family: Family,
    head: CallHead,
    params: Mapping[str, Any],
    answer: Answer,
    shown: Mapping[str, Any],
) -> dict[str, Any] | None:
    read = family.ids[head.operation]
    asked = [each for each in params.get(read["ids"]) or () if isinstance(each, str)]
    items = [] if answer.status >= 400 else list(shown.get(read["items"]) or ())
    there = {str(each.get(read["id"])) for each in items if isinstance(each, Mapping)}
    there |= {last_part(each) for each in there}
    found = {
        name: run
        for name in asked
        if name not in there
        and (run := _named(runs, head, family, name)) is not None
        and _is_asked_for_where_it_is(runs, head, family, params, run)
    }
    if not found or (answer.status >= 400 and len(found) < len(asked)):
        return None
    made = {**({} if answer.status >= 400 else shown)}
    made[read["items"]] = [*items, *(_of_model(head, f"{read['items']}[]", run.view) for run in found.values())]
    if "missing" in read:
        names = {*found, *(run.id for run in found.values())}
        made[read["missing"]] = [each for each in made.get(read["missing"]) or () if not _is_about(each, names)]
    return made


def _named(runs: RecordedRuns, head: CallHead, family: Family, name: Any, by: str = "") -> Run | None:
    """Return the run that a request names in the parameter `by`: one that wants an ARN takes nothing less."""
    if not isinstance(name, str) or (_wants_arn(by) and not name.startswith("arn:")):
        return None
    run = runs.find(head, name)
    return run if run is not None and run.family is family and run.view else None


def _is_asked_for_where_it_is(
    runs: RecordedRuns, head: CallHead, family: Family, params: Mapping[str, Any], run: Run
) -> bool:
    """Return whether a read of several by their identifiers asks in the place of the run: a task is known to its cluster."""
    takes = operation_model(head.service, head.operation).input_shape.members
    for read in family.lists.values():
        narrowed = {**read, "where": {name: of for name, of in read["where"].items() if name in takes}, "prefix": {}}
        if not _fits(narrowed, {**runs.defaults_of(head, read), **params}, run):
            return False
    return True


def _wants_arn(parameter: str) -> bool:
    return parameter.endswith(("Arn", "ARN"))


def _is_about(entry: Any, names: Iterable[str]) -> bool:
    values = entry.values() if isinstance(entry, Mapping) else (entry,)
    return any(value in names for value in values)


def _fits(read: Mapping[str, Any], asked: Mapping[str, Any], run: Run) -> bool:
    """Return whether a run is of those that a list is asked for. asked: the parameters, defaults included."""
    for parameter, member in read["where"].items():
        wanted = asked.get(parameter)
        if wanted is None:
            continue
        if (
            _wants_arn(parameter)
            and not str(wanted).startswith("arn:")
            and wanted not in (run.started.get(parameter), "")
        ):
            return False
        started = member.startswith("request.")
        source = run.started if started else {**run.started, **run.view}
        found = [each for value in values_at(source, member.removeprefix("request.")) for each in _each(value)]
        if not found:  # this emulator does not tell
            found = [read.get("defaults", {}).get(parameter, wanted)]
        if not any(is_same(value, wanted) for value in found):
            return False
    for parameter, member in read.get("prefix", {}).items():
        if asked.get(parameter) and not str(run.view.get(member, "")).startswith(asked[parameter]):
            return False
    return bool(run.view)


def _each(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else (value,)


def _item(head: CallHead, read: Mapping[str, Any], run: Run) -> Any:
    if "id" not in read:
        return run.id
    item = _of_model(head, f"{read['items']}[]", run.view)
    return {**item, read["id"]: run.id}


def _of_model(head: CallHead, path: str, view: Mapping[str, Any]) -> dict[str, Any]:
    """Return those members of a view that the answer to a call has at that path."""
    shape: Any = operation_model(head.service, head.operation).output_shape
    for name in filter(None, path.split(".")):
        shape = shape.members[name.removesuffix("[]")]
        if name.endswith("[]"):
            shape = shape.member
    names = {member.serialization.get("name", name) for name, member in shape.members.items()}
    return {name: value for name, value in view.items() if name in names}


def _place(token: Any) -> int:
    digits = token.removeprefix(_TOKEN) if isinstance(token, str) else ""
    return int(digits) if digits.isdigit() and len(digits) < 10 else 0


def _answer(head: CallHead, answer: Answer, made: Mapping[str, Any]) -> Answer:
    content_type = answer.headers.get("content-type")
    if "json" not in content_type:
        content_type = "application/x-amz-json-1.1" if head.protocol == "json" else "application/json"
    fields = answer.headers.without(*_LEFT_OUT).replaced("Content-Type", content_type)
    body = orjson.dumps(made)
    headers = Headers((*fields.pairs, (MARK, "recording"), ("Content-Length", str(len(body)))))
    return Answer(200, headers, body, HTTPStatus(200).phrase)
