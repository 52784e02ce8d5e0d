"""Where an emulator can keep a short text for the proxy: one place for each of the services that an emulator may consist of.

Emulators of a single service are many (of DynamoDB, SQS, S3, Kinesis, Step Functions), and one that has more need not have SQS.
So each place is a service and the calls that leave a text there and read it back. They are made in an account and a region
that nobody uses; where an emulator knows no accounts, `lists` names the calls whose answers would show the place to clients
(`proxy/requests/mark_filter.py` takes it out of these).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from replay_proxy.exchange import CallHead, Request
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.models.models import protocol_of, service_model
from replay_proxy.wire.models.service_index import service_index
from replay_proxy.wire.signing.sigv4 import sign_again

ACCOUNT: Final = "999999999999"
REGION: Final = "af-south-1"
NAME: Final = "replay-proxy-session-mark"
"""What the thing is called that holds the text, whatever it is."""
PARAMETER: Final = "/replay-proxy/session"

_TEXT: Final = "{text}"
_FOUND: Final = "{found}"


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `{text}` in its parameters is the text to keep, `{found}` what `MarkPlace.find` has shown.

    shows: where in the answer the text, or what is looked for, stands; `*` is each element of a list.
    """

    operation: str
    parameters: Mapping[str, Any]
    shows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MarkPlace:
    """How a text is kept in one service.

    put, get: leave the text, and read it. make: what `put` needs and is not there at first.
    find: how the thing is called in this emulator, where that is not its name. absent: the error codes by which `get` (or
    `find`) says that the service is there and the text is not, where no emulator would say so of a service that it has not.
    lists: the calls of clients that would show it. element: what holds one entry of such an answer in XML.
    """

    service: str
    put: Step
    get: Step
    make: Step | None = None
    find: Step | None = None
    absent: frozenset[str] = frozenset()
    lists: tuple[str, ...] = ()
    element: str = ""
    region: str = REGION

    def request(self, step: Step, secret_key: str, *, text: str = "", found: str = "") -> Request:
        """Return the request of a step. secret_key: to sign with, where the emulator checks signatures."""
        parameters = _filled(step.parameters, {_TEXT: text, _FOUND: found})
        host = f"{service_model(self.service).endpoint_prefix}.{self.region}.amazonaws.com"
        request = build_request(self.head(step), parameters, host)
        # moto derives the account from its own IAM users, and takes this field before that.
        request = replace(request, headers=request.headers.replaced("x-moto-account-id", ACCOUNT))
        signing_name = service_index().services[self.service].signing_name
        return sign_again(request, access_key=ACCOUNT, region=self.region, service=signing_name, secret_key=secret_key)

    def head(self, step: Step) -> CallHead:
        """Return the head of the call of a step: service, operation, account, region."""
        protocol = protocol_of(self.service)
        return CallHead(self.service, step.operation, protocol, ACCOUNT, self.region, ACCOUNT)


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(each, words) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(each, words) for each in value]
    return words.get(value, value) if isinstance(value, str) else value


def shown_at(parsed: Any, path: tuple[str, ...]) -> Iterable[str]:
    """Return the texts at a path of an answer."""
    if not path:
        text = parsed.decode("utf-8", "replace") if isinstance(parsed, bytes) else parsed
        return [text] if isinstance(text, str) else []
    first, *rest = path
    if first == "*":
        listed = parsed if isinstance(parsed, list) else []
        return [text for each in listed for text in shown_at(each, tuple(rest))]
    return shown_at(parsed.get(first), tuple(rest)) if isinstance(parsed, Mapping) else []


_ITEM = {"id": {"S": NAME}}

PLACES: Final = (
    MarkPlace(
        "sqs",
        make=Step("CreateQueue", {"QueueName": NAME}),
        find=Step("GetQueueUrl", {"QueueName": NAME}, ("QueueUrl",)),
        put=Step("TagQueue", {"QueueUrl": _FOUND, "Tags": {"text": _TEXT}}),
        get=Step("ListQueueTags", {"QueueUrl": _FOUND}, ("Tags", "text")),
        absent=frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}),
        lists=("ListQueues",),
        element="QueueUrl",
    ),
    MarkPlace(
        "ssm",
        put=Step("PutParameter", {"Name": PARAMETER, "Value": _TEXT, "Type": "String", "Overwrite": True}),
        get=Step("GetParameter", {"Name": PARAMETER}, ("Parameter", "Value")),
        absent=frozenset({"ParameterNotFound"}),
        lists=("DescribeParameters", "GetParametersByPath"),
    ),
    MarkPlace(
        "dynamodb",
        make=Step(
            "CreateTable",
            {
                "TableName": NAME,
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
            },
        ),
        put=Step("PutItem", {"TableName": NAME, "Item": {**_ITEM, "text": {"S": _TEXT}}}),
        get=Step("GetItem", {"TableName": NAME, "Key": _ITEM, "ConsistentRead": True}, ("Item", "text", "S")),
        lists=("ListTables",),
    ),
    MarkPlace(
        "s3",
        make=Step("CreateBucket", {"Bucket": NAME}),
        put=Step("PutObject", {"Bucket": NAME, "Key": "text", "Body": _TEXT}),
        get=Step("GetObject", {"Bucket": NAME, "Key": "text"}, ("Body",)),
        lists=("ListBuckets",),
        element="Bucket",
        region="us-east-1",  # elsewhere a bucket cannot be made without a constraint, which not every emulator knows
    ),
    MarkPlace(
        "kinesis",
        make=Step("CreateStream", {"StreamName": NAME, "ShardCount": 1}),
        put=Step("AddTagsToStream", {"StreamName": NAME, "Tags": {"text": _TEXT}}),
        get=Step("ListTagsForStream", {"StreamName": NAME}, ("Tags", "*", "Value")),
        lists=("ListStreams",),
    ),
    MarkPlace(
        "secretsmanager",
        make=Step("CreateSecret", {"Name": NAME, "SecretString": _TEXT, "ClientRequestToken": _TEXT}),
        put=Step("PutSecretValue", {"SecretId": NAME, "SecretString": _TEXT, "ClientRequestToken": _TEXT}),
        get=Step("GetSecretValue", {"SecretId": NAME}, ("SecretString",)),
        lists=("ListSecrets",),
    ),
    MarkPlace(
        "sns",
        make=Step("CreateTopic", {"Name": NAME}),
        find=Step("ListTopics", {}, ("Topics", "*", "TopicArn")),
        put=Step("SetTopicAttributes", {"TopicArn": _FOUND, "AttributeName": "DisplayName", "AttributeValue": _TEXT}),
        get=Step("GetTopicAttributes", {"TopicArn": _FOUND}, ("Attributes", "DisplayName")),
        lists=("ListTopics",),
        element="member",
    ),
    MarkPlace(
        "logs",
        make=Step("CreateLogGroup", {"logGroupName": NAME}),
        put=Step("TagLogGroup", {"logGroupName": NAME, "tags": {"text": _TEXT}}),
        get=Step("ListTagsLogGroup", {"logGroupName": NAME}, ("tags", "text")),
        lists=("DescribeLogGroups", "ListLogGroups"),
    ),
)
"""The places, those first that are tried first.

SQS is the first: nearly every emulator has it, and it is light. SSM of moto, which LocalStack uses, too, loads all of its EC2:
0.6 s of processor time and 120 MB at each start, for a text that nobody sees.
"""


def place_named(service: str) -> MarkPlace | None:
    """Return the place in a service; None where there is none."""
    return next((place for place in PLACES if place.service == service), None)
