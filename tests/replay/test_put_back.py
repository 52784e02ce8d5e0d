"""What a read showed is written back in its place, and never over what later calls have written."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from replay_proxy.journal.format.records import Record, RecordKind
from tests.replay.lab import Lab

pytestmark = pytest.mark.emulator


VERSION = "5f3c0b9a-4a3e-4f0e-9d5b-1f2e3d4c5b6a"


def shown(record: Record, value: str) -> Record:
    """A read of the secret that a recorded call has made, which showed another value than that call."""
    assert record.head is not None
    body = json.dumps({"SecretId": "late"}).encode()
    fields = [pair for pair in record.request.headers if pair[0].lower() not in ("x-amz-target", "content-length")]
    fields += [("X-Amz-Target", "secretsmanager.GetSecretValue"), ("Content-Length", str(len(body)))]
    headers = type(record.request.headers)(fields)
    answered = json.loads(record.answer.body)  # type: ignore[arg-type]
    answered |= {"SecretString": value, "VersionStages": ["AWSCURRENT"], "VersionId": VERSION}
    return replace(
        record,
        kind=RecordKind.WITNESS,
        head=replace(record.head, operation="GetSecretValue"),
        request=replace(record.request, headers=headers, body=body),
        answer=replace(record.answer, body=json.dumps(answered).encode()),
    )


@pytest.mark.parametrize(("is_first", "value"), [(False, "drawn"), (True, "written since")])
def test_a_value_is_put_back_in_its_place_alone(lab: Lab, is_first: bool, value: str) -> None:
    secrets = lab.client("secretsmanager")
    secrets.create_secret(Name="late", SecretString="written since")
    [made] = lab.records
    read = shown(made, "drawn")
    # A read that comes before the secret is there is refused, and made again at the end.
    records = [read, replace(made, seq=2)] if is_first else [made, replace(read, seq=2)]
    lab.empty()
    lab.restore(records)
    assert secrets.get_secret_value(SecretId="late")["SecretString"] == value


def test_what_was_drawn_meanwhile_is_no_earlier_version(lab: Lab) -> None:
    """What a client was never shown has no stage, so that nobody is given it for the value before the last one."""
    secrets = lab.client("secretsmanager")
    secrets.create_secret(Name="late", SecretString="drawn anew")
    [made] = lab.records
    lab.empty()
    lab.restore([made, replace(shown(made, "drawn"), seq=2)])
    assert secrets.get_secret_value(SecretId="late")["SecretString"] == "drawn"
    stages = secrets.describe_secret(SecretId="late")["VersionIdsToStages"]
    assert {version: each for version, each in stages.items() if each} == {VERSION: ["AWSCURRENT"]}
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId="late", VersionStage="AWSPREVIOUS")
