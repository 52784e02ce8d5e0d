"""What is under way in an emulator, and would not be in a state that is saved now: the checklist before a save."""

from __future__ import annotations

from typing import Any

from replay_proxy.doctor.asking import Asker
from replay_proxy.doctor.diagnosis import Check, Pending, State
from replay_proxy.doctor.links import Description
from replay_proxy.doctor.readings import Names, Reading
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import leaves
from replay_proxy.wording import counted

_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"


async def pending_of(model: ResourceModel, asker: Asker, check: Check, description: Description) -> list[Pending]:
    """Return what is under way in a resource that is there. Raises as `Asker.read`."""
    resource = check.resource
    found = []
    if check.status and check.state is State.THERE:
        found.append(Pending(resource.number, f"it is {check.status}"))
    kind = (resource.service, resource.key.noun)
    if kind == ("sqs", "Queue"):
        in_flight = _number(description.shown, _IN_FLIGHT)
        if in_flight:
            found.append(
                Pending(resource.number, f"{counted(in_flight, 'message')} in flight, received and not deleted")
            )
    elif kind == ("s3", "Bucket"):
        bucket = Names(model, resource).value("Bucket")
        answered = await asker.read(
            resource, Reading("s3", "ListMultipartUploads", {"Bucket": bucket or resource.name}, search=False)
        )
        if answered.outcome is not None and answered.outcome.ok:
            uploads = answered.outcome.parsed.get("Uploads") or []
            if uploads:
                found.append(
                    Pending(resource.number, f"{counted(len(uploads), 'upload')} open, neither completed nor aborted")
                )
    return found


def _number(shown: Any, member: str) -> int:
    for path, value in leaves(shown):
        if path.rpartition(".")[2] == member:
            text = str(value)
            return int(text) if text.isdecimal() else 0
    return 0
