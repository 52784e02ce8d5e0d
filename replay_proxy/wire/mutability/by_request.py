"""Requests that decide themselves whether they change state: statements, dry runs, challenges, retained messages.

Nothing here loads a service model for the protocols in which these operations are usually sent: JSON bodies are read
as JSON and forms are searched for one flag. Only compressed and CBOR bodies take the general parser.
`effect_of_request` answers None wherever the request does not decide, cannot be read, or is too large to look at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from replay_proxy.exchange import CallHead, Request
from replay_proxy.wire.mutability.sql import partiql_selects, sql_reads
from replay_proxy.wire.mutability.tables import Effect

# In a larger body no statement or flag is looked for: the effect is that of the operation.
BODY_BYTES_MAX = 1024 * 1024

_FLAG_IN_FORM = re.compile(rb"(?:^|&)DryRun=(?:true|True|1)(?:&|$)")
_FLAG_IN_QUERY = re.compile(r"(?:^|&)dry_?run=true(?:&|$)", re.IGNORECASE)
_FLAG_NAME = re.compile(rb"[dD]ry_?[rR]un")

# Challenges whose answer leaves something behind in the user's record (Cognito's ChallengeNameType).
_LASTING_CHALLENGES = {
    "NEW_PASSWORD_REQUIRED": "the new password stays",
    "MFA_SETUP": "the factor that was set up stays",
    "SELECT_MFA_TYPE": "the chosen factor may be set up",
    "DEVICE_PASSWORD_VERIFIER": "the device is remembered",
}


@dataclass(frozen=True, slots=True)
class RequestEffect:
    """The effect that a request has by what is in it, and why."""

    effect: Effect
    reason: str


def depends_on_request(service: str, operation: str) -> bool:
    """Return whether the effect of this operation depends on the content of its requests (dry runs apart)."""
    return (service, operation) in _READERS


def effect_of_request(head: CallHead, request: Request, *, dry_run_possible: bool) -> RequestEffect | None:
    """Return the effect that the request itself tells; None where it tells none. Never raises.

    dry_run_possible: whether some operation of the service has a member `DryRun`.
    """
    reader = _READERS.get((head.service, head.operation))
    try:
        if reader is not None:
            effect = reader(head, request)
            if effect is not None:
                return effect
        if dry_run_possible and _is_dry_run(head, request):
            return RequestEffect(Effect.READS, "a dry run: asks whether the call would be allowed, and changes nothing")
    except Exception:  # any byte can stand in a request, and an unreadable one counts as what its operation says
        return None
    return None


def _members(head: CallHead, request: Request) -> Mapping[str, Any]:
    """Return the parameters of a request, none where it is large. Raises whatever reading them raises."""
    body = request.body
    if not isinstance(body, bytes) or len(body) > BODY_BYTES_MAX:
        return {}
    if head.protocol in ("json", "rest-json") and not request.headers.get("content-encoding"):
        content = orjson.loads(body) if body else {}
        return content if isinstance(content, dict) else {}
    from replay_proxy.wire.codecs.parameters import parse_parameters

    return parse_parameters(head, request)


def _is_dry_run(head: CallHead, request: Request) -> bool:
    if "?" in request.target and _FLAG_IN_QUERY.search(request.query):
        return True
    body = request.body
    if not isinstance(body, bytes) or len(body) > BODY_BYTES_MAX:
        return False
    if head.protocol in ("ec2", "query") and not request.headers.get("content-encoding"):
        return b"DryRun=" in body and _FLAG_IN_FORM.search(body) is not None
    if not request.headers.get("content-encoding") and _FLAG_NAME.search(body) is None:
        return False
    members = _members(head, request)
    return members.get("DryRun") is True or members.get("dryRun") is True


def _dynamodb(head: CallHead, request: Request) -> RequestEffect | None:
    members = _members(head, request)
    statements = [
        item["Statement"]
        for item in members.get("Statements")
        or members.get("TransactStatements")
        or [{"Statement": members["Statement"]}]
    ]
    if statements and all(partiql_selects(statement) for statement in statements):
        return RequestEffect(Effect.READS, "PartiQL that only selects")
    return RequestEffect(Effect.MUTATES, "PartiQL that writes items")


def _rds_data(head: CallHead, request: Request) -> RequestEffect | None:
    members = _members(head, request)
    statement = members.get("sql") or members["sqlStatements"]
    doubt = sql_reads(statement, functions_may_write=True)
    if not doubt:
        return RequestEffect(Effect.READS, "SQL that only reads")
    return RequestEffect(Effect.MUTATES, f"SQL: {doubt}")


def _redshift_data(head: CallHead, request: Request) -> RequestEffect | None:
    members = _members(head, request)
    return _query_for_the_caller(members.get("Sqls") or [members["Sql"]])


def _athena(head: CallHead, request: Request) -> RequestEffect | None:
    return _query_for_the_caller([_members(head, request)["QueryString"]])


def _query_for_the_caller(statements: list[str]) -> RequestEffect:
    for statement in statements:
        doubt = sql_reads(statement, functions_may_write=False)
        if doubt:
            return RequestEffect(Effect.MUTATES, f"SQL: {doubt}")
    return RequestEffect(Effect.TRANSIENT, "SQL that only reads: a result for who asked, under an id of its own")


def _cognito_challenge(head: CallHead, request: Request) -> RequestEffect | None:
    name = _members(head, request)["ChallengeName"]
    if name in _LASTING_CHALLENGES:
        return RequestEffect(Effect.MUTATES, f"answers the challenge {name}: {_LASTING_CHALLENGES[name]}")
    if name in _LOG_IN_CHALLENGES:
        return RequestEffect(
            Effect.TRANSIENT, f"answers the challenge {name}: a step of a log-in that leaves nothing behind"
        )
    return None


_LOG_IN_CHALLENGES = {
    "ADMIN_NO_SRP_AUTH",
    "CUSTOM_CHALLENGE",
    "DEVICE_SRP_AUTH",
    "EMAIL_OTP",
    "PASSWORD",
    "PASSWORD_SRP",
    "PASSWORD_VERIFIER",
    "SELECT_CHALLENGE",
    "SMS_MFA",
    "SMS_OTP",
    "SOFTWARE_TOKEN_MFA",
    "WEB_AUTHN",
}


def _lambda_invoke(head: CallHead, request: Request) -> RequestEffect | None:
    if request.headers.get("x-amz-invocation-type") == "DryRun":
        return RequestEffect(Effect.READS, "invocation type DryRun: checks the parameters, the function does not run")
    return None


def _iot_publish(head: CallHead, request: Request) -> RequestEffect | None:
    query = dict(parse_qsl(request.query))
    if query.get("retain") == "true":
        return RequestEffect(Effect.MUTATES, "a retained message: the broker keeps it for later subscribers")
    return None


_READERS: dict[tuple[str, str], Callable[[CallHead, Request], RequestEffect | None]] = {
    ("dynamodb", "ExecuteStatement"): _dynamodb,
    ("dynamodb", "BatchExecuteStatement"): _dynamodb,
    ("dynamodb", "ExecuteTransaction"): _dynamodb,
    ("rds-data", "ExecuteStatement"): _rds_data,
    ("rds-data", "BatchExecuteStatement"): _rds_data,
    ("rds-data", "ExecuteSql"): _rds_data,
    ("redshift-data", "ExecuteStatement"): _redshift_data,
    ("redshift-data", "BatchExecuteStatement"): _redshift_data,
    ("athena", "StartQueryExecution"): _athena,
    ("cognito-idp", "RespondToAuthChallenge"): _cognito_challenge,
    ("cognito-idp", "AdminRespondToAuthChallenge"): _cognito_challenge,
    ("lambda", "Invoke"): _lambda_invoke,
    ("iot-data", "Publish"): _iot_publish,
}
