"""Runs (executions, jobs, tasks) are not started again; what they were is answered from the recording.

Of a run three sorts of calls are known: its start, calls that steered it, and reads that showed it. None of them is replayed,
and none is superseded either: the proxy answers by them (`replay.runs`). Of reads of the same, the latest alone is kept.

A run is started again in two cases: it had not ended, and is of a kind that goes on by that (a task of a container, a query that
only reads); or it had not ended, and touches nothing (a state machine that only waits).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from replay_proxy.footprint.names.resource_names import last_part
from replay_proxy.replay.planning.supersession.decisions import SupersessionDecisions
from replay_proxy.replay.recorded_call import Call
from replay_proxy.replay.runs.families import AGAIN, HARMLESS, Family, role_of, values_at
from replay_proxy.replay.runs.harmless import touches_nothing
from replay_proxy.replay.runs.recorded_runs import NOTE, RecordedRuns, identifier_in, scope_of
from replay_proxy.wire.mutability.judge import Effect, judge_call

NOT_STARTED_AGAIN = "it would act on data once more; what it was is answered from the recording"
_STEERED = "it concerned a run that is not started again"
_SHOWN = "what it showed of a run is answered from the recording"
_LATER = "a later read shows the run"
_AGAIN = "its run is started again"
_GONE = "the run that it showed is gone"

_Key = tuple[tuple[str, str, str], str]


class RunsRule:
    """The rule for runs. Memory: one entry for each run and each call about one."""

    def __init__(self, decisions: SupersessionDecisions) -> None:
        self._decisions = decisions
        self._runs = RecordedRuns(keeps_details=False)
        self._start_of: dict[_Key, int] = {}
        self._starts: dict[int, tuple[Family, list[_Key], bool]] = {}
        self._about: dict[int, list[_Key]] = {}
        self._noted: set[int] = set()
        self._statements: set[_Key] = set()
        self._lists: dict[int, Family] = {}
        self._unnamed: list[int] = []
        self._views: dict[_Key, dict[tuple[str, str], list[int]]] = defaultdict(lambda: defaultdict(list))
        self._definitions: dict[tuple[str, str, str], bool] = {}

    def see(self, call: Call) -> None:
        """Take in a call; calls are shown in order."""
        if call.service == "stepfunctions" and call.params.get("definition") and not call.witness:
            name = last_part(str(call.result.get("stateMachineArn") or call.params.get("stateMachineArn", "")))
            self._definitions[(call.head.account, call.head.region, name)] = touches_nothing(call.params["definition"])
        role = role_of(call.service, call.operation)
        if role is None:
            return
        family, what = role
        if what == "start" and not call.witness:
            self._see_start(family, call)
        elif what == "read" and call.witness:
            self._see_read(family, call)
        elif what == "steer" and not call.witness:
            self._about[call.seq] = list(self._named_in(call, call.params.values()))
        elif what == "unnamed" and not call.witness:
            self._unnamed.append(call.seq)

    def _see_start(self, family: Family, call: Call) -> None:
        self._runs.take(call.head, call.request, call.answer)
        ids = family.started(call.operation, call.params, call.result)
        harmless = family.unended == HARMLESS and self._touches_nothing(call)
        keys = [(scope_of(call.head), each) for each in ids]
        if family.repeats_mutations and judge_call(call.head, call.request).effect is Effect.MUTATES:
            self._statements.update(keys)
            return
        self._starts[call.seq] = family, keys, harmless
        self._start_of.update(dict.fromkeys(keys, call.seq))

    def _touches_nothing(self, call: Call) -> bool:
        arn = str(call.params.get("stateMachineArn", ""))
        names = [last_part(arn), last_part(arn.rpartition(":")[0])]  # the second where a version or an alias is named
        where = call.head.account, call.head.region
        return next((known for name in names if (known := self._definitions.get((*where, name))) is not None), False)

    def _see_read(self, family: Family, call: Call) -> None:
        self._runs.take(call.head, call.request, call.answer)
        if call.operation in family.lists and call.operation != family.describe["operation"]:
            if (
                NOTE in call.notes
            ):  # a list that was read to see how the emulator takes it (`replay.runs.list_defaults`)
                self._noted.add(call.seq)
                self._about[call.seq] = []
                self._views[scope_of(call.head), ""][call.operation, repr(sorted(call.params))].append(call.seq)
            else:
                self._lists[call.seq] = family
            return
        named = list(self._named_in(call, call.params.values()))
        if call.operation == family.describe["operation"]:
            for view in values_at(call.result, family.describe["view"]):
                name = identifier_in(family, view)
                key = (scope_of(call.head), name or "")
                if name and key not in named:
                    named.append(key)
        if NOTE in call.notes:
            named = named or [(scope_of(call.head), str(call.notes[NOTE]))]
            self._noted.add(call.seq)
        self._about[call.seq] = named
        if len(named) == 1:
            rest = {name: value for name, value in call.params.items() if value != named[0][1]}
            self._views[named[0]][(call.operation, repr(sorted(rest.items(), key=repr)))].append(call.seq)

    def _named_in(self, call: Call, values: Iterable[Any]) -> Iterator[_Key]:
        """Yield the runs that a call names."""
        for value in values:
            for text in value if isinstance(value, list) else (value,):
                run = self._runs.find(call.head, text) if isinstance(text, str) else None
                if run is not None:
                    yield (scope_of(call.head), run.id)

    def finish(self) -> tuple[Mapping[int, str], frozenset[int]]:
        """Return the calls that are answered instead of repeated, each with the reason; and the lists that will lack them."""
        answered: dict[int, str] = {}
        repeated = set(self._statements)
        kept: set[_Key] = set()
        for seq, (family, keys, harmless) in self._starts.items():
            runs = [run for key in keys if (run := self._runs.at(key)) is not None]
            if (harmless or family.unended == AGAIN) and not any(run.has_ended for run in runs):
                repeated.update(keys)
            else:
                answered[seq] = NOT_STARTED_AGAIN
                kept.update(keys)
        unstarted = {key for named in self._about.values() for key in named} - self._start_of.keys() - repeated
        for key in unstarted:
            # Of its start nothing is recorded: it was a query that only reads, in a recording of an earlier version, or the
            # emulator has started it by itself.
            run = self._runs.at(key)
            if run is not None and (run.family.unended != AGAIN or run.family.repeats_mutations):
                kept.add(key)
        for seq, named in self._about.items():
            noted = seq in self._noted
            if named and all(key in repeated for key in named):
                if noted:
                    self._decisions.supersede(seq, _AGAIN)
            elif named and (noted or any(key in kept for key in named)):
                answered[seq] = _SHOWN if noted else _STEERED
            elif noted:
                answered[seq] = _SHOWN
            starts = {start for key in named if (start := self._start_of.get(key))}
            if noted and starts:
                self._decisions.supersede_unless(seq, _GONE, min(starts), starts)
        for views in self._views.values():
            for seqs in views.values():
                for earlier in seqs[:-1]:
                    if earlier in answered:
                        self._decisions.supersede(earlier, _LATER, seqs[-1])
        for seq in self._unnamed if answered else ():
            answered[seq] = _STEERED
        return answered, frozenset(self._lists) if answered else frozenset()
