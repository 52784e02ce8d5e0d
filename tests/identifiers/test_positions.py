from __future__ import annotations

import pytest

from replay_proxy.identifiers.learning.positions import lists_by_position


@pytest.mark.parametrize(
    ("service", "operation", "members"),
    [
        ("kinesis", "PutRecords", {"Records"}),
        ("firehose", "PutRecordBatch", {"RequestResponses"}),
        ("events", "PutEvents", {"Entries"}),
        ("sesv2", "SendBulkEmail", {"BulkEmailEntryResults"}),
        # Entries that say for themselves which they answer.
        ("sqs", "SendMessageBatch", set()),
        ("s3", "DeleteObjects", set()),
        # Failures alone; lists that only are called alike.
        ("events", "PutTargets", set()),
        ("workspaces", "CreateWorkspaces", set()),
        ("ssm", "UpdateMaintenanceWindowTarget", set()),
        ("nosuch", "Operation", set()),
    ],
)
def test_which_lists_belong_to_the_request_by_position(service: str, operation: str, members: set[str]) -> None:
    assert lists_by_position(service, operation) == members
