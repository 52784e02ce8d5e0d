"""A diagnosis as a JSON document: the contract of `doctor --json` (docs/schemas/doctor.schema.json)."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from replay_proxy.doctor.diagnosis import Check, Diagnosis, Finding, Pending, State, Update
from replay_proxy.exchange import CallHead
from replay_proxy.reports.aws_command import aws_command
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.properties.attributes import tree
from replay_proxy.resources.resource import Resource
from replay_proxy.wire.models.models import operation_model

CommandOf = Callable[[int], str]
"""Returns a recorded call, by its number, as a command of the AWS CLI; empty where it cannot be written as one."""


def doctor_document(model: ResourceModel, diagnosis: Diagnosis, command_of: CommandOf, endpoint: str) -> dict[str, Any]:
    """Return the document. endpoint: that its commands are for. Blocking: the commands are read from the recording."""
    states = [check.state for check in diagnosis.checks]
    return {
        "sound": diagnosis.is_sound,
        "seconds": round(diagnosis.seconds, 3),
        "reads": diagnosis.reads,
        "resources": {
            "checked": sum(state is not State.UNKNOWN for state in states),
            **{state.value.replace(" ", "_"): states.count(state) for state in State},
        },
        "links": {"checked": diagnosis.links_checked, "held": diagnosis.links_held},
        "findings": [_finding(model, each, command_of, endpoint) for each in diagnosis.findings],
        "notes": [_finding(model, each, lambda _seq: "", endpoint) for each in diagnosis.notes],
        "pending": [_pending(model, each) for each in diagnosis.pending],
        "tree": [_check(model, check) for check in diagnosis.checks],
    }


def _finding(model: ResourceModel, finding: Finding, command_of: CommandOf, endpoint: str) -> dict[str, Any]:
    resource = model.resources[finding.resource]
    commands = [
        *_commands(resource, finding.before),
        *_commands(resource, finding.update),
        *(command for seq in finding.repair if (command := command_of(seq))),
    ]
    return {
        "resource": model.id(resource),
        "service": resource.service,
        "type": resource.type,
        "name": resource.label,
        "problem": finding.problem.value,
        "member": finding.member,
        "call": finding.call,
        "recorded": finding.recorded,
        "answer": finding.answer,
        "cause": finding.cause,
        "repair": list(finding.repair),
        "commands": [f"{each} --endpoint-url {shlex.quote(endpoint)}" for each in commands],
        "mendable": bool(finding.repair or finding.update),
    }


def _pending(model: ResourceModel, pending: Pending) -> dict[str, Any]:
    resource = model.resources[pending.resource]
    about = {"resource": model.id(resource), "service": resource.service, "type": resource.type, "name": resource.label}
    return {**about, "what": pending.what}


def _commands(resource: Resource, update: Update | None) -> list[str]:
    if update is None:
        return []
    head = CallHead(resource.service, update.operation, "", resource.key.account, resource.key.region)
    shape = operation_model(resource.service, update.operation).input_shape
    return [aws_command(head, tree(shape, dict(update.parameters)))]


def _check(model: ResourceModel, check: Check) -> dict[str, Any]:
    return {
        "resource": model.id(check.resource),
        "type": check.resource.type,
        "name": check.resource.label,
        "state": check.state.value,
        "status": check.status,
        "reading": check.reading,
        "answer": check.answer,
        "links": [
            {
                "member": each.link.member,
                "target": model.id(model.resources[each.link.target]),
                "target_type": model.resources[each.link.target].type,
                "target_name": model.resources[each.link.target].label,
                "holds": each.holds,
                "consequence": each.consequence,
            }
            for each in check.links
        ],
    }
