"""The stages of services in a restore in parts: which may follow which, and what requests may ask in each."""

from __future__ import annotations

import pytest

from replay_proxy.proxy.lifecycle.restoring.service_stages import (
    OUTLINE_TRANSITIONS,
    TRANSITIONS,
    Outline,
    ServiceStages,
    Stage,
)

PATHS = {
    Stage.WAITING: [],
    Stage.RESTORING: [Stage.RESTORING],
    Stage.RESTORED: [Stage.RESTORING, Stage.RESTORED],
}
OUTLINE_PATHS = {
    Outline.UNWANTED: [],
    Outline.WANTED: [Outline.WANTED],
    Outline.MADE: [Outline.WANTED, Outline.MADE],
    Outline.IMPOSSIBLE: [Outline.WANTED, Outline.IMPOSSIBLE],
}


@pytest.mark.parametrize("wanted", Stage)
@pytest.mark.parametrize("now", Stage)
def test_services_move_as_the_table_says(now: Stage, wanted: Stage) -> None:
    stages = ServiceStages(["sqs"])
    for each in PATHS[now]:
        stages.enter({"sqs"}, each)
    if wanted is now or wanted in TRANSITIONS[now]:
        stages.enter({"sqs"}, wanted)
        assert stages.at(wanted) == {"sqs"}
    else:
        with pytest.raises(RuntimeError, match=f"sqs cannot go from {now.value} to {wanted.value}"):
            stages.enter({"sqs"}, wanted)
        assert stages.at(now) == {"sqs"}


@pytest.mark.parametrize("wanted", Outline)
@pytest.mark.parametrize("now", Outline)
def test_outlines_move_as_the_table_says(now: Outline, wanted: Outline) -> None:
    stages = ServiceStages(["sqs"])
    for each in OUTLINE_PATHS[now]:
        stages.enter_outline({"sqs"}, each)
    if wanted is now or wanted in OUTLINE_TRANSITIONS[now]:
        stages.enter_outline({"sqs"}, wanted)
        assert stages.outline("sqs") is wanted
    else:
        with pytest.raises(RuntimeError, match=f"the outline of sqs cannot go from {now.value} to {wanted.value}"):
            stages.enter_outline({"sqs"}, wanted)


def test_what_was_restored_before_is_not_missing() -> None:
    stages = ServiceStages(["sqs", "s3", "sns"], restored=["sqs", "unrecorded"])
    assert stages.missing(None) == {"s3", "sns"}
    assert stages.missing(["sqs", "unrecorded", "s3"]) == {"s3"}
    assert stages.stage("unrecorded") is Stage.RESTORED
    assert not stages.are_complete
    assert repr(stages) == "<ServiceStages waiting: s3, sns; restoring: none; restored: sqs>"


def test_a_service_that_is_asked_for_is_coming_until_it_is_restored() -> None:
    stages = ServiceStages(["sqs", "s3"])
    assert stages.ask({"sqs"})
    assert not stages.ask({"sqs"}), "that is no news"
    assert (stages.asked, stages.is_coming("sqs"), stages.is_coming("s3")) == ({"sqs"}, True, False)
    stages.enter({"sqs"}, Stage.RESTORING)
    assert (stages.asked, stages.is_coming("sqs")) == (set(), True)
    stages.enter({"sqs"}, Stage.RESTORED)
    assert not stages.is_coming("sqs")


def test_an_outline_helps_only_where_nobody_asked_for_the_whole() -> None:
    stages = ServiceStages(["sqs", "s3", "sns"])
    stages.ask({"s3"})
    assert [stages.can_outline({name}) for name in ("sqs", "s3", "sns")] == [True, False, True]
    stages.enter_outline({"sqs", "sns"}, Outline.WANTED)
    assert stages.outlines_wanted == {"sqs", "sns"}
    stages.enter_outline({"sns"}, Outline.IMPOSSIBLE)
    stages.enter({"sqs"}, Stage.RESTORING)
    assert stages.outlines_wanted == set(), "it comes back as a whole now"
    assert not stages.can_outline({"sqs"})
    assert not stages.can_outline({"sns"})
