"""Which calls of a restore have to wait for which: the order that matters, and no more.

The graph is built in one walk over the calls in recorded order, from what each touches (`ordering.footprint`). For every thing
the last call that wrote it is known, and the calls that have referred to it since. A call that refers waits for the writer.
A call that writes waits for the writer and for all that refer. So the calls on one thing keep their order, and calls that have
nothing in common run side by side.

*Joins* are nodes of the graph that are no calls (negative numbers): "all calls so far", "all infrastructure so far". They stand
for many edges, and keep the graph linear in the number of calls.

*Triggers are made last.* A notification or an event source mapping would react to the data that is restored after it. So a
trigger waits for the data in everything that it touches, unless that data itself waits, through other calls, for this trigger.
That is so only where something was ended in between, which the trigger touches and which is there anew when the data comes.
Settings that have nothing to do with the trigger (tags, versioning), endings of other things, and reads of other things, do not
wait for it: data that comes after them would, too. Nor does anything that a trigger needs wait for a read that shows what a
trigger set, or, but for such calls, for one that only sets a trigger (`ordering.trigger_roles`).
So that data after a stack comes before a trigger that is older than the stack, barriers do not wait for triggers.
So it does for *senders*: calls that make the emulator tell somebody by themselves, as an alarm does when its state is set.

*Creations of one kind* are made one after the other, but the next one need not wait until the work that the last one started is
done. What may be of any kind stands in all these rows of its service.

The graph need not know of identifiers: a call that mentions an identifier waits for the call whose answer taught it, since that
one wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from replay_proxy.journal.format.records import Record
from replay_proxy.replay.ordering.batch_key import batch_key
from replay_proxy.replay.ordering.footprint import BARRIER, Footprint, Footprints, is_service
from replay_proxy.replay.ordering.order_table import is_about_trigger, is_sender
from replay_proxy.replay.ordering.trigger_roles import TriggerRoles
from replay_proxy.replay.recorded_call import BlobLoader, call_of
from replay_proxy.replay.waiters import waiter_after

_ANY_KIND = ""
"""In the place of a kind: what a call made is of one that is not known."""


@dataclass(slots=True)
class DependencyGraph:
    """The calls of a restore by number, and what each waits for.

    order: the calls, in recorded order. before: of each call and join, what it waits for directly; a call always for
    earlier calls and joins, but for triggers and what waits for these.
    late: the triggers, and the calls that wait for one.
    following: by call, the one call of which it awaits only the answer, and not the work that it started.
    in_turn: by call, the one that it waits for only so that the records of a table's stream come in their order.
    loosely: by read, what it waits for where that is made in the same go, and does not need: calls of other services, of which
    one may have made what it shows.
    slow: the calls that start work for which a restore waits (`replay.waiters`).
    batches: the keys of calls that may share a request (`ordering.batch_key`).
    services: the service of each call ("" where it was not recognised).
    """

    order: list[int] = field(default_factory=list)
    before: dict[int, tuple[int, ...]] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    services: dict[int, str] = field(default_factory=dict)
    following: dict[int, int] = field(default_factory=dict)
    in_turn: dict[int, int] = field(default_factory=dict)
    slow: set[int] = field(default_factory=set)
    batches: dict[int, str] = field(default_factory=dict)
    loosely: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.order)

    def __contains__(self, seq: int) -> bool:
        return seq in self.services

    def predecessors(self, seq: int) -> set[int]:
        """Return the calls that `seq` needs directly, through joins as well."""
        return self._reach(self._needed(seq), through=lambda node: node < 0)

    def waits_of(self, seq: int) -> tuple[set[int], set[int]]:
        """Return the calls that `seq` waits for by itself, and those that it waits for through joins."""
        before = self.before[seq]
        joins = [node for node in before if node < 0]
        return {node for node in before if node > 0}, self._reach(joins, through=lambda node: node < 0)

    def closure(self, seqs: Iterable[int]) -> set[int]:
        """Return these calls, with everything that they need, directly or not."""
        return self._reach(seqs, through=lambda _node: True)

    def _reach(self, nodes: Iterable[int], through: Callable[[int], bool]) -> set[int]:
        found: set[int] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                if through(node):
                    waiting.extend(self._needed(node))
        return {node for node in found if node > 0}

    def _needed(self, node: int) -> Iterable[int]:
        loosely = self.loosely.get(node)
        return self.before[node] if loosely is None else (each for each in self.before[node] if each != loosely)


def graph_of(records: Iterable[Record], load: BlobLoader) -> DependencyGraph:
    """Build the dependency graph of `records`, which are walked once; `load` reads blobs.

    Blocking. Raises as reading the records does.
    """
    builder = _Builder()
    footprints = Footprints()
    for record in records:
        call = call_of(record, load)
        footprint = BARRIER if call is None else footprints.of(call)
        head = record.head
        slow = head is not None and waiter_after(head) is not None
        sends = head is not None and is_sender(head)
        builder.add(record.seq, head.service if head is not None else "", footprint, slow=slow, sends=sends)
        if call is not None and (key := batch_key(call)):
            builder.graph.batches[record.seq] = key
    return builder.finish()


class _Builder:
    """Adds calls to a graph, in recorded order."""

    def __init__(self) -> None:
        self.graph = DependencyGraph()
        self._writer: dict[str, int] = {}
        self._referring: dict[str, list[int]] = {}
        self._barrier: tuple[int, ...] = ()
        self._since_barrier: list[int] = []
        self._infrastructure: list[int] = []
        self._makers: list[int] = []
        """What may have made what a read is the first to show: the infrastructure without witnesses, before any trigger."""
        self._created: dict[tuple[str, bool], dict[str, int]] = {}
        self._triggers: list[tuple[int, Footprint]] = []
        self._roles = TriggerRoles()
        self._data: dict[str, list[int]] = {}
        self._late_data: dict[str, list[int]] = {}
        self._senders: list[int] = []
        self._late_senders: list[int] = []
        self._witnesses: set[int] = set()
        self._passed: set[int] = set()
        """Reads that show what a trigger set, and that later calls of their service did not have to wait for."""
        self._joins = 0

    def add(self, seq: int, service: str, footprint: Footprint, *, slow: bool, sends: bool) -> None:
        """Add the next call."""
        graph = self.graph
        if slow:
            graph.slow.add(seq)
        if footprint.barrier:
            held = self._held()
            before = {*self._barrier, *self._since_barrier}.difference(held)
            self._barrier, self._since_barrier = (seq,), held
            self._forget_all_but(held)
            self._created.clear()
            self._infrastructure, self._makers = [seq, *held], []
        else:
            before = set(self._barrier)
            if footprint.stray:
                before.update(self._all_infrastructure())
            left = self._wait_for_conflicts(seq, footprint, before)
            self._order_creations(seq, footprint, before)
            touched = self._roles.see(seq, footprint, self._referring)
            if footprint.witness and not footprint.stray and self._makers:
                self._follow_makers(seq, before)
            self._leave_behind(seq, touched, left, late=not graph.late.isdisjoint(before))
            self._since_barrier.append(seq)
            if not footprint.data and seq not in self._roles.armed:
                self._infrastructure.append(seq)
        graph.order.append(seq)
        graph.services[seq] = service
        graph.before[seq] = tuple(sorted(before))
        if footprint.trigger:
            self._triggers.append((seq, footprint))
        if footprint.witness:
            self._witnesses.add(seq)
        late = footprint.trigger or not graph.late.isdisjoint(before)
        if late:
            graph.late.add(seq)
        elif not footprint.data and not footprint.witness and seq not in self._roles.armed:
            self._makers.append(seq)
        if sends:
            (self._late_senders if late else self._senders).append(seq)
        elif footprint.data:
            data = self._late_data if late else self._data
            for whole in footprint.wholes:
                data.setdefault(whole, []).append(seq)

    def finish(self) -> DependencyGraph:
        """Return the graph, after all calls were added."""
        senders = (self._join(self._senders),) if self._senders and self._triggers else ()
        for seq, footprint in self._triggers:
            data = {call for whole in footprint.wholes for call in self._data.get(whole, ())}
            joins = (self._join(sorted(data)), *senders) if data else senders
            self.graph.before[seq] = (*joins, *self.graph.before[seq])
        self._wait_for_late_data()
        if self._passed:
            self._wait_for_passed()
        return self.graph

    def _wait_for_passed(self) -> None:
        """Let what no trigger needs wait for the last read of its service that shows what a trigger set.

        Such a read would show what was changed later: a permission that was taken back would be told as lost.
        """
        graph = self.graph
        triggers = [seq for seq, _ in self._triggers]
        data = {seq for kinds in (self._data, self._late_data) for seqs in kinds.values() for seq in seqs}
        data.update(self._senders, self._late_senders)
        needed: set[int] = set()
        last: dict[str, int] = {}
        for seq in graph.order:
            service = graph.services[seq]
            if seq in self._passed:
                earlier = [each for each in triggers if each < seq]
                triggers = triggers[len(earlier) :]
                _reach_before(earlier, graph.before, needed)
                last[service] = seq
            elif service in last and seq not in needed and seq not in self._witnesses and seq not in data:
                graph.before[seq] = (*graph.before[seq], last[service])
            if not graph.late.isdisjoint(graph.before[seq]):
                graph.late.add(seq)

    def _wait_for_late_data(self) -> None:
        """Let each trigger wait for the data, too, that waits for other triggers, and not for this one."""
        followers: dict[int, list[int]] = {}
        for node in self.graph.before if self._late_data or self._late_senders else ():
            for other in self.graph.before[node]:
                if other in self.graph.late:
                    followers.setdefault(other, []).append(node)
        for seq, footprint in self._triggers if followers else ():
            wanted = {call for whole in footprint.wholes for call in self._late_data.get(whole, ())}
            wanted.update(self._late_senders)
            behind = _reached(seq, followers) if wanted else set[int]()
            more = sorted(wanted - behind)
            self.graph.before[seq] = (*self.graph.before[seq], *more)
            for other in more:
                followers.setdefault(other, []).append(seq)

    def _held(self) -> list[int]:
        """Return the triggers that a barrier need not wait for, with what sets and reads them: where nothing else follows."""
        late = [seq for seq in self._since_barrier if seq in self.graph.late]
        needed = {seq for seq in late if seq not in self._roles.armed and seq not in self._witnesses}
        waiting = list(needed)
        while waiting:
            for node in self.graph.before[waiting.pop()]:
                if node in self.graph.late and node not in needed:
                    needed.add(node)
                    waiting.append(node)
        return [seq for seq in late if seq not in needed]

    def _forget_all_but(self, held: list[int]) -> None:
        """Forget who wrote what and who referred to it, but for some calls: all others are before a barrier."""
        kept = set(held)
        self._writer = {thing: seq for thing, seq in self._writer.items() if seq in kept}
        referring = {thing: [seq for seq in seqs if seq in kept] for thing, seqs in self._referring.items()}
        self._referring = {thing: seqs for thing, seqs in referring.items() if seqs}

    def _wait_for_conflicts(self, seq: int, footprint: Footprint, before: set[int]) -> dict[str, list[int]]:
        """Note what a call waits for. Returns, by things that it writes, what refers to them and is not waited for."""
        for thing in footprint.refers:
            writer = self._writer.get(thing)
            if writer is not None:
                before.add(writer)
        left: dict[str, list[int]] = {}
        turns = footprint.in_turn
        for thing in footprint.writes - turns:
            writer = self._writer.get(thing)
            if writer is not None:
                before.add(writer)
            referring = self._referring.get(thing, ())
            left[thing] = [each for each in referring if self._need_not_wait(footprint, each, thing)]
            before.update([each for each in referring if each not in left[thing]] if left[thing] else referring)
        for thing in turns:
            self._take_turn(seq, thing, before)
        return left

    def _take_turn(self, seq: int, thing: str, before: set[int]) -> None:
        """Let a write wait for the one whose record comes before its own."""
        last = self._writer.get(thing)
        if last is not None and last not in before:
            before.add(last)
            self.graph.in_turn[seq] = last

    def _leave_behind(self, seq: int, footprint: Footprint, left: dict[str, list[int]], *, late: bool) -> None:
        """Note what later calls on the same things wait for."""
        for thing in footprint.writes:
            touched = thing in self._writer or thing in self._referring
            if footprint.witness and late and touched and self._writer.get(thing) not in self.graph.late:
                # It shows what a trigger set. Data must not wait for it, or it would be put after the trigger. Data in what
                # was itself made after a trigger comes after that anyway.
                if is_service(thing):
                    self._passed.add(seq)
                continue
            if left.get(thing):
                self._referring[thing] = left[thing]
            else:
                self._referring.pop(thing, None)
            self._writer[thing] = seq
        for thing in footprint.refers:
            self._referring.setdefault(thing, []).append(seq)

    def _need_not_wait(self, footprint: Footprint, seq: int, thing: str) -> bool:
        """Need a call not wait for a trigger, although it changes what that touches? thing: what both touch."""
        trigger = self._roles.armed.get(seq)
        if trigger is None or footprint.trigger or self._roles.are_alike(footprint, seq):
            return False
        armed = trigger.armed if footprint.witness and is_service(thing) else frozenset[str]()
        if armed and armed.isdisjoint(footprint.writes | footprint.refers):
            return True  # a read of the same service, which shows nothing of that trigger
        call, armed_by = (footprint.service, footprint.operation), (trigger.service, trigger.operation)
        return not is_about_trigger(call, armed_by, reads=footprint.witness)

    def _order_creations(self, seq: int, footprint: Footprint, before: set[int]) -> None:
        """Let what creates something wait for the creation before it, of which lists show the order."""
        if not (footprint.creates or footprint.adds_to):
            return
        late = footprint.trigger or not self.graph.late.isdisjoint(before)
        last: set[int] = set()
        # How lists are ordered is not worth that what data is put into comes behind a trigger.
        for is_late in (False, True) if late else (False,):
            created = self._created.get((footprint.service, is_late), {})
            kinds = created if footprint.adds_to else (footprint.creates, _ANY_KIND)
            last.update(created[kind] for kind in kinds if kind in created)
        own = self._created.setdefault((footprint.service, late), {})
        if footprint.adds_to:
            own.clear()
        own[_ANY_KIND if footprint.adds_to else footprint.creates] = seq
        last -= before
        if last:
            self.graph.following[seq] = max(last)
            before |= last

    def _all_infrastructure(self) -> list[int]:
        if len(self._infrastructure) > 1:
            self._infrastructure = [self._join(self._infrastructure)]
        return self._infrastructure[:]

    def _follow_makers(self, seq: int, before: set[int]) -> None:
        """Let a read wait for what may have made what it is the first to show, whatever service that is of.

        Not for what comes after a trigger: data in what the read shows would come after that, too.
        """
        if len(self._makers) > 1:
            self._makers = [self._join(self._makers)]
        if self._makers[0] not in before:
            self.graph.loosely[seq] = self._makers[0]
            before.add(self._makers[0])

    def _join(self, nodes: list[int]) -> int:
        self._joins -= 1
        self.graph.before[self._joins] = tuple(nodes)
        if not self.graph.late.isdisjoint(nodes):
            self.graph.late.add(self._joins)
        return self._joins


def _reach_before(nodes: Iterable[int], before: Mapping[int, tuple[int, ...]], found: set[int]) -> None:
    """Add to `found` these nodes, and everything that they wait for, directly or not."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(before[node])


def _reached(seq: int, followers: Mapping[int, Iterable[int]]) -> set[int]:
    """Return the nodes that wait for a call, directly or not."""
    found: set[int] = set()
    waiting = [seq]
    while waiting:
        for node in followers.get(waiting.pop(), ()):
            if node not in found:
                found.add(node)
                waiting.append(node)
    return found
