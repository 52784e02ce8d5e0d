"""Which reads tell what a call has set."""

from __future__ import annotations

from replay_proxy.doctor.readings import Names, reading_after
from tests.resources.recordings import Tape, one, queue


def test_a_list_of_all_is_no_read_of_what_was_set_of_one() -> None:
    tape = Tape()
    tape.call("codebuild", "CreateProject", {"name": "web", "serviceRole": "builder"}, {"project": {"name": "web"}})
    model = tape.model()
    assert reading_after(Names(model, one(model, "AWS::CodeBuild::Project")), "UpdateProject") is None


def test_a_read_that_names_the_resource_tells_what_was_set_of_it() -> None:
    tape = Tape()
    queue(tape, "orders")
    model = tape.model()
    reading = reading_after(Names(model, one(model, "AWS::SQS::Queue")), "SetQueueAttributes")
    assert reading is not None
    assert reading.operation == "GetQueueAttributes"
