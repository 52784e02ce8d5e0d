"""Fixtures that all tests share."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.processes import EMULATORS, LONG, Emulator, Proxy, left_out, missing

settings.register_profile(
    "the same everywhere", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("at random", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("at random" if os.environ.get(LONG) else "the same everywhere")
"""What the short suite draws is the same on each machine, so that one change is judged as the next. No test is timed."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so, and what tests start would inherit it, and be deaf to an interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST_FIRST = (
    "e2e/terraform/test_terraform.py",
    "e2e/test_lost_answers.py",
    "crash/test_kills.py",
    "crash/test_peers.py",
    "crash/test_load_kills.py",
    "e2e/test_loads.py",
    "e2e/test_without_ssm.py",
    "proxy/test_supervision.py",
    "e2e/test_observations.py",
    "e2e/test_children.py",
    "e2e/test_load_strategies.py",
    "e2e/cloudformation/test_cloudformation.py",
    "e2e/test_equivalence.py",
    "e2e/test_compaction.py",
    "e2e/test_equivalence_others.py",
    "e2e/test_generations.py",
    "journal/test_compaction_faults.py",
)
"""Files that take a minute or more. A file's tests run one after the other: begun last, one would keep all waiting."""


REPEATED = (
    "crash/test_displaced.py::test_a_journal_without_its_name_is_written_again[[]removed-[MO]*]",
    "crash/test_displaced.py::test_a_journal_without_its_name_is_written_again[[]moved-MANUAL]",
    "e2e/cloudformation/test_cloudformation.py::test_a_stack_keeps_its_ids_*[[]moto]",
    "e2e/test_children.py::test_it_leaves_nothing_behind[[]moto-15]",
    "e2e/test_children.py::test_it_listens_on_loopback_alone[[]localstack]",
    "e2e/test_compaction.py::test_manual_save_points_hold_through_compactions",
    "e2e/test_across_emulators.py::test_a_recording_moves_to_another_emulator[[]localstack-ministack]",
    "e2e/test_equivalence_others.py::test_[ms]*[[]moto]",
    "e2e/test_generations.py::test_ids_of_every_generation_stay_valid_in_many_services[[]ministack]",
    "e2e/test_chosen_names.py::test_resources_whose_names_*[[]moto*]",
    "e2e/test_held_messages.py::test_receipts_outlive_the_emulator[[]moto]",
    "e2e/test_held_places.py::*[[]moto-KinesisReader]",
    "e2e/test_held_places.py::*[[]ministack-TableReader]",
    "e2e/test_http2.py::test_objects_and_items_by_http2[[]ministack]",
    "e2e/test_http2.py::test_the_javascript_sdk_finds_its_stream_again[[]moto]",
    "e2e/test_interrupted_verbs.py::test_a_look_*",
    "e2e/test_interrupted_verbs.py::test_a_repair_*",
    "e2e/test_issued_values.py::*[[]ministack]",
    "e2e/test_loads.py::TestFailure::test_who_asked_for_it_gets_a_503[[]*-managed]",
    "e2e/test_loads.py::TestFailure::test_who_asked_for_it_gets_a_503[[]ON_STARTUP-*]",
    "e2e/test_loads.py::TestWhole::test_nor_does_one_after_a_restart_by_any_strategy[[]ON_*]",
    "e2e/test_lost_answers.py::test_messages_whose_answer_is_lost_are_sent_once[[]moto-[!s]*]",
    "e2e/test_lost_answers.py::test_items_and_objects_are_put_again[[]moto-late]",
    "e2e/test_lost_answers.py::test_what_*[[]moto-[bu]*]",
    "e2e/test_memory.py::*[[]messages of words*]",
    "e2e/test_messages.py::test_deleted_messages_stay_deleted[[]localstack]",
    "e2e/test_names_of_objects.py::test_keys_with_identifiers_in_them_*[[]ministack*]",
    "e2e/test_observations.py::test_a_kill_loses_no_effect_that_is_older_than_the_interval[[]SCHEDULED-*]",
    "e2e/test_original_times.py::test_a_proxy_that_is_restarted_alone_tells_the_same",
    "e2e/test_short_identifiers.py::*[[]moto]",
    "e2e/test_switches.py::test_a_read_only_proxy_that_is_restarted_alone_restores_nothing_twice",
    "e2e/test_without_ssm.py::test_in_parts[[]*-ec2]",
    "e2e/test_without_ssm.py::test_nothing_is_done_twice_and_nothing_is_lost[[]ec2]",
    "journal/test_compaction_faults.py::test_a_kill_at_every_step_of_a_compaction[[]with nobody using it-*]",
    "journal/test_compaction_faults.py::test_a_kill_at_every_step_of_a_compaction[[]in the background-ON_REQUEST]",
    "pods/remotes/test_jobs.py::test_jobs_begin_with_one_pod[[]moto]",
    "pods/test_merge_by_resource.py::test_a_resource_of_both_sides_*[[]moto]",
    "proxy/test_supervision.py::test_the_end_closes_*[[]*requested_load*]",
    "proxy/test_supervision.py::test_the_end_closes_*[[]*_save_aliases]",
    "testing/test_plugin.py::test_each_test_finds_the_state_of_the_recording[[]ministack]",
)
"""What repeats, on another emulator or in another way, a story that another test of its file tells: for the long tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, and the many quick ones of `wire` last, which leave much in memory.

    Repeated stories are named skips but in the long tests.
    """
    here = Path(__file__).parent

    def turn(item: pytest.Item) -> int:
        file = item.path.relative_to(here).as_posix()
        if file in LONGEST_FIRST:
            return LONGEST_FIRST.index(file)
        return len(LONGEST_FIRST) + file.startswith("wire/")

    items.sort(key=turn)
    if reason := left_out(0.3):
        for item in items:
            file = item.path.relative_to(here).as_posix()
            if any(fnmatch(f"{file}::{item.nodeid.partition('::')[2]}", each) for each in REPEATED):
                item.add_marker(pytest.mark.skip(reason=f"repeats a story of its file: {reason}"))


@pytest.fixture(scope="module", autouse=True)
def _leave_alone_what_is_there() -> None:
    """The service models that tests read stay; the garbage collector need not look through them again and again."""
    gc.freeze()


@pytest.fixture
def start_proxy(tmp_path: Path) -> Iterator[Callable[..., Proxy]]:
    """Start the proxy as a subprocess; every one is killed at the end, and its emulator goes with it.

    Not LocalStack's, which has to end servers of its own.
    """
    with ExitStack() as stack:

        def start(*options: str, **more: Any) -> Proxy:
            proxy = Proxy(tmp_path, *options, **more)
            stack.callback(proxy.stop if "localstack" in options else proxy.end)
            return proxy

        yield start


@pytest.fixture
def start_emulator(tmp_path: Path) -> Iterator[Callable[[str], Emulator]]:
    """Start an emulator as a subprocess, or skip by name where it cannot run here."""
    with ExitStack() as stack:

        def start(name: str, **more: Any) -> Emulator:
            reason = missing(name)
            if reason is not None:
                pytest.skip(reason)
            emulator = Emulator(name, tmp_path, **more)
            stack.callback(emulator.stop)
            return emulator

        yield start


@pytest.fixture(params=EMULATORS)
def emulator_name(request: pytest.FixtureRequest) -> str:
    """Each emulator that the project is tested against; a named skip for one that cannot run here."""
    name = str(request.param)
    reason = missing(name)
    if reason is not None:
        pytest.skip(reason)
    return name
