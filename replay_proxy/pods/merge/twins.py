"""Resources that both sides made alike under identifiers that their emulators drew, and of which there can be one only.

A service gives the second request for such a resource the identifier of the first one, or refuses it. So ours becomes the pod's:
everything that ours says of it is said of the pod's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from replay_proxy.pods.merge.side import Side
from replay_proxy.resources.resource import Resource, shown

_TOLD_BY: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    # `Subscribe` with a topic, protocol and endpoint that are known returns the subscription that is there.
    ("sns", "Subscription"): ("TopicArn", "Protocol", "Endpoint"),
    # A second mapping of a source to a function is a conflict.
    ("lambda", "EventSourceMapping"): ("EventSourceArn", "FunctionName"),
}
"""The attributes that tell such a resource from every other of its kind."""


def twins(ours: Side, pod: Side) -> dict[str, str]:
    """Return our identifiers of resources that the pod has under other ones, each with the pod's."""
    theirs = {told: each for each in pod.resources().values() if (told := _told(pod, each))}
    known = pod.resources().keys()
    found: dict[str, str] = {}
    for key, each in ours.resources().items():
        other = theirs.get(_told(ours, each))
        if other is not None and key not in known:
            found[each.key.names[-1]] = other.key.names[-1]
    return found


def _told(side: Side, resource: Resource) -> tuple[str, ...]:
    """Return what tells a resource; empty where it is of no such kind, or where something is not known."""
    key = side.key(resource)
    members = _TOLD_BY.get((key.service, key.noun))
    if members is None or not resource.made_by or any(member not in resource.attributes for member in members):
        return ()
    values = (orjson.dumps(shown(resource.attributes[member])).decode() for member in members)
    return key.service, key.noun, key.account, key.region, *values
