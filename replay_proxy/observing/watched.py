"""All containers that the observer knows, with their expected contents: calls in, what is to be looked at out."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from functools import cache, partial

from replay_proxy.footprint.names.resource_names import arn_place, short_name
from replay_proxy.observing.container import (
    Caller,
    Container,
    container_kinds,
    containers_of,
    effects,
    kind_of,
    nodes_of,
)
from replay_proxy.observing.expected import ExpectedContents
from replay_proxy.observing.exposure import ANYTHING, Exposure, may_wire
from replay_proxy.observing.items import FAILED_CALLS_MAX, Items
from replay_proxy.observing.log_events import LogEvents
from replay_proxy.observing.messages import MessageHomes, Messages
from replay_proxy.observing.objects import Objects
from replay_proxy.observing.records import Records
from replay_proxy.observing.schedules import Schedules
from replay_proxy.observing.values import Parameters, Secrets
from replay_proxy.replay.access_keys import USUAL_KEY
from replay_proxy.replay.recorded_call import Call
from replay_proxy.wire.mutability.judge import is_data
from replay_proxy.wire.signing.credentials import ACCOUNT_HEADER

ACCOUNT_DIGITS = 12
DEFAULT_REGION = "us-east-1"
"""The region of calls that name none."""
STACKS = frozenset({"cloudformation", "cloudcontrol", "servicecatalog"})
"""Services that make containers under names which no call shows."""


@cache
def data_services() -> frozenset[str]:
    """Return the services that have containers."""
    return frozenset(container_kinds())


class Watched:
    """Knows the containers of one recording.

    dirty: those that something may have changed, each with the time of the latest cause by `clock`. failed: the calls to tables
    that failed since the last look at each. written_past: somebody may have written past the proxy. followed: the services of
    which the contents are known. has_stacks: containers may have been made by a stack. scopes: accounts and regions in which
    anything was made, each with who made it. unlisted: a call may have changed containers that only the emulator can name.
    default_account: the number of the emulator's default account; empty where it is not known.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.exposure = Exposure()
        self.callers: dict[Container, Caller] = {}
        self.contents: dict[Container, ExpectedContents] = {}
        self.dirty: dict[Container, float] = {}
        self.failed: dict[Container, list[Call]] = {}
        self.written_past = False
        self.followed: set[str] = set()
        self.has_stacks = False
        self.unlisted = False
        self._stacks_wire = False
        self._made: set[str] = set()
        self._by_node: dict[str, set[Container]] = defaultdict(set)
        self._homes: MessageHomes = {}
        self._consumed: set[str] = set()
        self.default_account = ""
        self.scopes: dict[tuple[str, str], Caller] = {}

    # Calls.

    def see(self, call: Call) -> None:
        """Take in a recorded call."""
        data = is_data(call.service, call.operation)
        if not data:
            self.exposure.see(call)
            if call.service != "s3":
                scope = (call.head.account, call.head.region or DEFAULT_REGION)
                self.scopes.setdefault(scope, _caller_of(call))
            self._note_consumed(call)
            if call.service in STACKS:
                self._see_stack(call)
            self._note_arns(call)
        if not self.default_account and not call.head.account and not data:
            self.default_account = _account_in(call)
        for container in self._containers_of(call):
            if container not in self.callers:
                self._add(container, call)
            if container.service in self.followed:
                self._contents_of(container).see(call)
            kind = kind_of(container.service)
            if call.operation == kind.creates[0]:
                self._made.add(container.node)
            if call.operation == kind.deletes:
                self._remove(container)

    def _see_stack(self, call: Call) -> None:
        """Take in a call that makes or changes a stack: what it wires, no call shows."""
        self.has_stacks = True
        if not call.operation.startswith("Delete") and may_wire(call.params):
            self._stacks_wire = True
            text = str(call.params)
            self._made = {node for node in self._made if node.partition(" ")[2] not in text}

    def see_effect(self, call: Call, *, recorded: bool) -> None:
        """Note what a call may have had an effect on. recorded: what it wrote itself is known."""
        # What the call wrote itself is known; not so what takes it away again.
        own = {container.node for container in containers_of(call)} - self._consumed if recorded else set()
        if not recorded and call.service == "dynamodb":
            self._doubt(call)
        nodes = nodes_of(call, whole=not recorded)
        reached = self.exposure.reach(nodes)
        wired = self._stacks_wire and nodes and not nodes <= self._made
        if ANYTHING in reached or wired:
            self.unlisted = self.unlisted or self.has_stacks
            self.mark(self.callers)
        else:
            for node in reached - own:
                self.mark(self._by_node.get(node, ()))

    def _doubt(self, call: Call) -> None:
        """Note a call to a table that failed, and may have written what it names all the same."""
        for container in self._containers_of(call):
            failed = self.failed.setdefault(container, [])
            if len(failed) < FAILED_CALLS_MAX:
                failed.append(call)

    def _containers_of(self, call: Call) -> set[Container]:
        """Return the containers that a call names. The emulator's default account has two names: its number, and none."""
        found = containers_of(call)
        if self.default_account and call.head.account == self.default_account:
            return {replace(container, account="") for container in found}
        return found

    def reached_by_clock(self) -> list[Container]:
        """Return the containers that something changes when its time comes."""
        reached = self.exposure.reach(self.exposure.clocks)
        if ANYTHING in reached:
            return list(self.callers)
        return [each for node in reached for each in self._by_node.get(node, ())]

    def see_unknown(self) -> None:
        """Note that a request was made of which nothing is known: it may have run a function."""
        if self.exposure.has_runner:
            self.mark(self.callers)

    def mark(self, containers: Iterable[Container]) -> None:
        """Note that something may have an effect on these containers, now or soon."""
        self.dirty.update(dict.fromkeys(containers, self._clock()))

    def begin_generation(self, whole: Collection[str]) -> None:
        """Note that the emulator was restarted, and the recorded state restored. whole: services of which all is surely back."""
        for container, contents in self.contents.items():
            contents.forget_explained()
            if container.service not in whole:
                contents.begin_generation()

    # Containers.

    def take_over(self, other: Watched, services: Collection[str]) -> None:
        """Take over the containers of these services from another one, with their contents. They are followed from now on."""
        self.followed |= set(services)
        for container, contents in other.contents.items():
            self.contents[container] = contents
            self.add(container, other.callers[container])
        self._homes.update(other._homes)
        for contents in other.contents.values():
            if isinstance(contents, Messages):
                contents.homes = self._homes
            elif isinstance(contents, Items):
                contents.failed = self.failed
                contents.is_written_by_others = partial(self.is_written_by_others, contents.container)
            elif isinstance(contents, Secrets):
                contents.is_made_by_stacks = self._is_made_by_stacks

    def add(self, container: Container, caller: Caller) -> None:
        """Take in a container."""
        if container not in self.callers:
            self.callers[container] = caller
            self._by_node[container.node].add(container)

    def discover(self, container: Container, caller: Caller) -> None:
        """Take in a container that the emulator lists, and that something may have changed already."""
        if container not in self.callers:
            self.add(container, caller)
            self.mark((container,))

    def exposed(self) -> Iterator[Container]:
        """Yield the containers that something other than a recorded call can change."""
        for container in list(self.callers):
            if self.exposure.is_exposed(container.node):
                yield container

    def of_services(self, services: Collection[str]) -> list[Container]:
        """Return the containers of these services; all, where none is named."""
        return [each for each in self.callers if not services or each.service in services]

    def not_followed(self, containers: Iterable[Container]) -> set[str]:
        """Return the services of these containers of which the contents are not known yet."""
        return {each.service for each in containers} - self.followed

    def contents_of(self, container: Container) -> ExpectedContents:
        """Return the expected contents of a container of a service that is followed."""
        return self._contents_of(container)

    @property
    def noted_services(self) -> frozenset[str]:
        """Return the services whose writes of data matter: they are followed, or may have an effect."""
        if self.exposure.is_empty:
            return frozenset(self.followed)
        return frozenset({*self.followed, *data_services()})

    def _contents_of(self, container: Container) -> ExpectedContents:
        found = self.contents.get(container)
        if found is None:
            found = self.contents[container] = self._new_contents(container)
        return found

    def _new_contents(self, container: Container) -> ExpectedContents:
        match container.service:
            case "sqs":
                return Messages(container, self._homes)
            case "dynamodb":
                return Items(container, self.failed, partial(self.is_written_by_others, container))
            case "s3":
                return Objects(container)
            case "logs":
                return LogEvents(container)
            case "ssm":
                return Parameters(container)
            case "secretsmanager":
                return Secrets(container, self._is_made_by_stacks)
            case "scheduler":
                return Schedules(container)
        return Records(container)

    def is_written_by_others(self, container: Container) -> bool:
        """Return whether something other than clients, and its own clock, may write into a container."""
        return self.written_past or self._stacks_wire or self.exposure.is_reached_by_others(container.node)

    def _is_made_by_stacks(self) -> bool:
        return self.has_stacks

    def _add(self, container: Container, call: Call) -> None:
        caller = _caller_of(call)
        if container.service == "s3":
            caller = replace(caller, host=caller.host.removeprefix(f"{container.name}."))
        self.add(container, caller)

    def _note_arns(self, call: Call) -> None:
        """Take in the containers that a call names by their ARNs, and that no call of their own service has named."""
        for node in nodes_of(call, whole=True):
            namespace, _, name = node.partition(" ")
            if node in self._by_node or namespace not in data_services() or kind_of(namespace).store:
                continue
            region = "" if namespace == "s3" else call.head.region
            self._add(Container(namespace, call.head.account, region, name), call)

    def _note_consumed(self, call: Call) -> None:
        """Note the node of a container of which a call has something take what stands in it."""
        for each in effects()["consumers"]:
            if call.service == each["service"] and call.operation in each["operations"]:
                arn = call.params.get(each["member"])
                if isinstance(arn, str) and arn.startswith("arn:aws"):
                    self._consumed.add(f"{arn.split(':')[2]} {short_name(arn)}")

    def consumed_dirty(self) -> list[Container]:
        """Return the queues that something takes messages from, and may have taken some from lately."""
        if not self._consumed:
            return []
        return [each for each in self.dirty if each.service == "sqs" and each.node in self._consumed]

    def _remove(self, container: Container) -> None:
        self.callers.pop(container, None)
        self.contents.pop(container, None)
        self.dirty.pop(container, None)
        self.failed.pop(container, None)
        self._made.discard(container.node)
        self._by_node[container.node].discard(container)


def _caller_of(call: Call) -> Caller:
    fields = call.request.headers
    return Caller(fields.get("host") or "localhost", call.access_key or USUAL_KEY, fields.get(ACCOUNT_HEADER))


def _account_in(call: Call) -> str:
    """Return the account in the ARN or the queue URL that an answer shows; empty where it shows none."""
    for member, value in call.result.items():
        if not isinstance(value, str):
            continue
        account = value.rsplit("/", 2)[1] if member == "QueueUrl" and value.count("/") > 2 else arn_place(value)[1]
        if len(account) == ACCOUNT_DIGITS and account.isdecimal():
            return account
    return ""
