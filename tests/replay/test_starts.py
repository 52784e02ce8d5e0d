"""Every operation that begins, runs or sends something is decided: by the judge, as a run, or as what may be repeated."""

from __future__ import annotations

from replay_proxy.replay.runs.families import role_of
from replay_proxy.replay.runs.starts import begins_something, repeated, why_repeated
from replay_proxy.wire.models.models import service_model, service_names
from replay_proxy.wire.mutability.judge import Effect, judge

BEGINNING = {
    (service, operation)
    for service in service_names()
    for operation in service_model(service).operation_names
    if begins_something(operation)
}


def test_nothing_that_is_begun_is_undecided() -> None:
    changing = {each for each in BEGINNING if judge(*each).effect is Effect.MUTATES}
    undecided = {each for each in changing if role_of(*each) is None and not why_repeated(*each)}
    assert undecided == set()


def test_each_is_decided_once_and_is_in_the_models() -> None:
    listed = {*repeated()}
    assert listed <= BEGINNING
    assert {each for each in listed if role_of(*each) is not None} == set()
    assert {each for each in listed if judge(*each).effect is not Effect.MUTATES} == set()


def test_names() -> None:
    assert [begins_something(name) for name in ("StartCrawler", "Start", "Startle", "RunTask", "GetRun")] == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert why_repeated("glue", "StartCrawler")
    assert not why_repeated("glue", "StartJobRun")
