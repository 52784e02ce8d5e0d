"""What differs from what is expected: not what calls touched meanwhile, nor what a restore may have failed to bring back."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.observing.container import Container
from replay_proxy.observing.expected import Look
from replay_proxy.observing.finding import Finding
from replay_proxy.observing.items import Items, _print_of
from replay_proxy.observing.messages import Messages
from replay_proxy.observing.values import Parameters, Secrets, StoredValues, _parameter_print, _secret_print
from tests.observing.test_exposure import QUEUE_URL, call

TABLE = Container("dynamodb", "", "us-east-1", "rows")


def item(key: str, **attributes: str) -> dict[str, Any]:
    return {"id": {"S": key}, **{name: {"S": value} for name, value in attributes.items()}}


def table(*items: dict[str, Any]) -> Items:
    contents = Items(TABLE)
    contents.see(call("dynamodb", "CreateTable", TableName="rows", KeySchema=[{"AttributeName": "id"}]))
    for each in items:
        contents.see(call("dynamodb", "PutItem", TableName="rows", Item=each))
    contents.begin_look()
    return contents


def look(*items: dict[str, Any]) -> Look:
    found = Look()
    for each in items:
        part = f'{{"id":{{"S":"{each["id"]["S"]}"}}}}'
        found.seen[part] = _print_of(each)
        found.changed[part] = Finding("PutItem", {"TableName": "rows", "Item": each}, "Scan", part)
    return found


def found(contents: Items, seen: Look, *, caused: bool = True) -> list[tuple[str, Any]]:
    out = []
    for finding, part, fingerprint in contents.findings(seen, caused=caused):
        out.append((finding.operation, finding.parameters.get("Item") or finding.parameters["Key"]))
        contents.take(part, fingerprint)
    return out


def test_what_differs_is_found_once() -> None:
    contents = table(item("1"), item("2", a="old"))
    seen = look(item("2", a="new"), item("3"))
    assert found(contents, seen) == [
        ("DeleteItem", item("1")),
        ("PutItem", item("2", a="new")),
        ("PutItem", item("3")),
    ]
    assert found(contents, seen) == []


def test_what_a_call_writes_while_it_is_looked_is_left_to_the_next_look() -> None:
    contents = table(item("1"))
    seen = look()  # read before the call that follows was carried out
    contents.see(call("dynamodb", "PutItem", TableName="rows", Item=item("2")))
    contents.see(call("dynamodb", "UpdateItem", TableName="rows", Key=item("1")))
    assert found(contents, seen) == []


def test_what_a_restore_may_not_have_brought_back_is_not_taken_for_deleted() -> None:
    contents = table(item("1"), item("2"))
    contents.begin_generation()
    assert found(contents, look(item("2"))) == []
    assert found(contents, look()) == [("DeleteItem", item("2"))], "seen since, and gone now"


def test_an_item_whose_contents_no_call_tells_is_only_recorded_where_something_had_an_effect() -> None:
    contents = table(item("1"))
    contents.see(call("dynamodb", "UpdateItem", TableName="rows", Key=item("1")))
    contents.begin_look()
    assert found(contents, look(item("1", n="2")), caused=False) == []
    contents.see(call("dynamodb", "UpdateItem", TableName="rows", Key=item("1")))
    contents.begin_look()
    assert found(contents, look(item("1", n="3"))) == [("PutItem", item("1", n="3"))]


def test_what_passes_between_looks_is_not_remembered() -> None:
    contents = table()
    contents.end_look()
    for number in range(100):
        contents.see(call("dynamodb", "PutItem", TableName="rows", Item=item(f"{number}")))
        contents.see(call("dynamodb", "DeleteItem", TableName="rows", Key=item(f"{number}")))
    assert (len(contents.parts), len(contents.touched), len(contents.unconfirmed)) == (0, 0, 0)


def test_a_message_lives_in_one_queue() -> None:
    homes: dict[str, Messages] = {}
    first, second = (Messages(Container("sqs", "", "us-east-1", name), homes) for name in ("first", "second"))
    sent = call("sqs", "SendMessage", QueueUrl=QUEUE_URL, MessageBody="m")
    sent.__dict__["result"] = {"MessageId": "m-1"}
    first.see(sent)
    first.begin_look()
    second.begin_look()
    moved = Look(seen={"m-1": b"1"}, changed={"m-1": Finding("SendMessage", {}, "peek", "m-1")})
    ((_finding, part, fingerprint),) = second.findings(moved, caused=True)
    second.take(part, fingerprint)
    first.begin_look()
    assert list(first.findings(Look(), caused=True)) == [], "it has moved, and was not consumed"


def test_a_queue_that_is_named_by_two_accounts_is_one_queue() -> None:
    homes: dict[str, Messages] = {}
    queues = [Messages(Container("sqs", account, "us-east-1", "orders"), homes) for account in ("", "000000000000")]
    for number, contents in enumerate(queues):
        sent = call("sqs", "SendMessage", QueueUrl=QUEUE_URL, MessageBody="m")
        sent.__dict__["result"] = {"MessageId": f"m-{number}"}
        contents.see(sent)
    for contents in queues:
        contents.begin_look()
        shown = contents._looked(
            [{"MessageId": f"m-{number}", "Body": "m"} for number in range(2)], read="peek", complete=True
        )
        assert list(contents.findings(shown, caused=True)) == []


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
VALUES = st.recursive(
    st.one_of(
        st.text().map(lambda text: {"S": text}),
        NUMBERS.map(lambda number: {"N": number}),
        st.binary().map(lambda data: {"B": data}),
        st.booleans().map(lambda yes: {"BOOL": yes}),
        st.sets(st.text(), min_size=1).map(lambda texts: {"SS": list(texts)}),
    ),
    lambda inner: st.one_of(
        st.lists(inner).map(lambda values: {"L": values}),
        st.dictionaries(st.text(), inner).map(lambda values: {"M": values}),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES))
def test_an_item_has_one_print_however_it_is_spelled(attributes: dict[str, Any]) -> None:
    def respelled(value: Any) -> Any:
        ((kind, content),) = value.items()
        match kind:
            case "N":
                return {"N": content + "000" if "." in content and "E" not in content else content}
            case "SS":
                return {"SS": content[::-1]}
            case "L":
                return {"L": [respelled(each) for each in content]}
            case "M":
                return {"M": {name: respelled(each) for name, each in reversed(list(content.items()))}}
        return value

    assert _print_of(attributes) == _print_of({name: respelled(each) for name, each in attributes.items()})


def seen(contents: StoredValues, operation: str, fingerprint: bytes) -> list[str]:
    """Which calls a look writes down that sees one value, `v`, with this print."""
    contents.begin_look()
    finding = Finding(operation, {}, "GetParameters", "v")
    looked = Look(seen={"v": fingerprint}, changed={"v": finding})
    return [each.operation for each, _, _ in contents.findings(looked, caused=True)]


def test_a_parameter_that_was_overwritten_without_its_type_is_not_put_once_more() -> None:
    contents = Parameters(Container("ssm", "", "us-east-1", "parameters"))
    contents.see(call("ssm", "PutParameter", Name="v", Value="1", Type="SecureString"))
    contents.see(call("ssm", "PutParameter", Name="v", Value="2", Overwrite=True))
    assert seen(contents, "PutParameter", _parameter_print({"Type": "SecureString", "Value": "2"})) == []
    assert seen(contents, "PutParameter", _parameter_print({"Type": "SecureString", "Value": "3"})) == ["PutParameter"]


def test_a_secret_whose_value_calls_tell_is_not_put_once_more() -> None:
    contents = Secrets(Container("secretsmanager", "", "us-east-1", "secrets"), lambda: False)

    def secret(operation: str, **params: Any) -> None:
        contents.see(call("secretsmanager", operation, **params))

    def put(value: str) -> list[str]:
        return seen(contents, "PutSecretValue", _secret_print({"SecretString": value}))

    secret("CreateSecret", Name="v", SecretString="1", ClientRequestToken="t1")
    secret("PutSecretValue", SecretId="v", SecretString="2", ClientRequestToken="t2")
    secret("PutSecretValue", SecretId="v", SecretString="3", ClientRequestToken="t3", VersionStages=["AWSPENDING"])
    assert put("2") == []
    secret("UpdateSecretVersionStage", SecretId="v", VersionStage="AWSPENDING", RemoveFromVersionId="t3")
    assert put("2") == []
    secret("UpdateSecretVersionStage", SecretId="v", VersionStage="AWSCURRENT", MoveToVersionId="t1")
    assert put("1") == []
    secret("DeleteSecret", SecretId="v", RecoveryWindowInDays=7)
    secret("RestoreSecret", SecretId="v")
    assert put("1") == []
    secret("RotateSecret", SecretId="v", ClientRequestToken="t4")
    assert put("1") == []
    assert put("rotated") == ["PutSecretValue"]
