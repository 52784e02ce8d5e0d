"""The doctor on what is there and was changed behind the proxy's back: switched off, narrowed, turned to something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support import further_stack, further_wiring, more_wiring
from tests.support.clients import client
from tests.support.diagnoses import examined
from tests.support.processes import EMULATORS, Proxy, left_out, localstack_python, missing

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(900)]

DOCUMENT = Path(__file__).parents[2] / "docs" / "doctor.md"


def found_in(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(finding["type"], finding["member"]) for finding in document["findings"]}


STACKS = {"turned": (more_wiring.make, more_wiring.TURNS), "further": (further_stack.make, further_wiring.TURNS)}


@pytest.mark.parametrize("emulator", EMULATORS)
@pytest.mark.parametrize("stack", STACKS)
def test_each_change_is_named_and_mended_and_nothing_else(
    start_proxy: Callable[..., Proxy], emulator: str, stack: str
) -> None:
    if (emulator != "moto" or stack != "turned") and (reason := left_out(1)):
        pytest.skip(f"the same on {emulator} {reason}")
    if reason := missing(emulator):
        pytest.skip(reason)
    options = ["--emulator", emulator, "--check-wiring", "0"]
    if emulator == "localstack":
        options += ["--emulator-python", str(localstack_python())]
    proxy = start_proxy(*options)
    make, all_turns = STACKS[stack]
    make(lambda service: client(service, proxy.url), emulator)
    assert found_in(examined(proxy)) == set(), "and so the proxy knows what this emulator shows"
    emulator_url = proxy.status()["emulator"]["url"]
    clients: dict[str, Any] = {}

    def aws(service: str) -> Any:
        if service not in clients:
            clients[service] = client(service, emulator_url)
        return clients[service]

    turns = [turn for turn in all_turns if emulator not in turn.unable]
    for turn in turns:
        turn.carry_out(aws)
    mended = examined(proxy, "?repair=1")
    assert found_in(mended["before"]) == set().union(*(turn.findings(emulator) for turn in turns))
    unmended = [turn for turn in turns if emulator in turn.left]
    assert found_in(mended["after"]) == set().union(*(turn.findings(emulator) for turn in unmended))
    problems = {each["call"] for each in mended["repeated"] if each["problem"]}
    assert problems <= ({"dynamodb:UpdateTable"} if emulator == "moto" else set())
    assert found_in(examined(proxy)) == found_in(mended["after"]), "mending anew is not needed"
    proxy.stop() if emulator == "localstack" else proxy.kill_all()
    assert found_in(examined(proxy.again())) == set(), "the next restore has all of it"


@pytest.mark.parametrize("turns", [more_wiring.TURNS, further_wiring.TURNS])
def test_the_tables_of_the_documents_have_every_change(turns: Sequence[more_wiring.Turn]) -> None:
    module = "more_wiring" if turns is more_wiring.TURNS else "further_wiring"
    table = "\n".join(more_wiring.table_lines(turns))
    assert table in DOCUMENT.read_text(), f"python -m tests.support.{module} prints it"


def test_what_was_switched_off_or_ended_through_the_proxy_is_sound(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--check-wiring", "0")
    iam, kms, cloudwatch = (client(service, proxy.url) for service in ("iam", "kms", "cloudwatch"))
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName="ann", AccessKeyId=key, Status="Inactive")
    kms.disable_key(KeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    kms.schedule_key_deletion(KeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    cloudwatch.put_metric_alarm(
        AlarmName="deep",
        Namespace="n",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        ActionsEnabled=True,
    )
    cloudwatch.disable_alarm_actions(AlarmNames=["deep"])
    document = examined(proxy, "?before_save=1")
    assert document["resources"]["there"] == 5
    assert (document["findings"], document["notes"], document["pending"]) == ([], [], [])
    behind = client("cloudwatch", proxy.status()["emulator"]["url"])
    behind.enable_alarm_actions(AlarmNames=["deep"])
    mended = examined(proxy, "?repair=1")
    assert found_in(mended["before"]) == {("AWS::CloudWatch::Alarm", "ActionsEnabled")}
    assert mended["after"]["sound"]
    assert not behind.describe_alarms(AlarmNames=["deep"])["MetricAlarms"][0]["ActionsEnabled"]
