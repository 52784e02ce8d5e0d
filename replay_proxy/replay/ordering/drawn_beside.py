"""What an emulator drew, as an answer is the first to show it, and that names no resource by its member.

Labels, secrets and texts that only an emulator can have drawn are learned as identifiers are, and so are blocks of IPv6
addresses, each with everything inside it. What a client calls after one, or hands on, is translated, and so has to wait for the
call that drew it. Each is a thing of its own, which that call writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Network

from replay_proxy.footprint.known_resources import KnownResources, thing
from replay_proxy.footprint.members.answer_identifiers import AnswerTexts, all_texts
from replay_proxy.footprint.names.resource_names import names_in_identifier
from replay_proxy.footprint.parameter_texts import label_texts
from replay_proxy.identifiers.table.distinctive import is_distinctive
from replay_proxy.identifiers.table.networks import network_of
from replay_proxy.replay.recorded_call import Call


@dataclass(slots=True)
class DrawnBeside:
    """Tells which things a call draws beside its resources, and which of them a text is inside of."""

    _known: KnownResources
    _blocks: dict[IPv6Network, str] = field(default_factory=dict)

    def drawn_by(self, call: Call, answer: AnswerTexts) -> set[str]:
        """Return the things that the answer of a call is the first to show, and remember them."""
        shown = [text for text in (*answer.beside, *answer.texts) if self._is_drawn(text)]
        blocks = [text for text in answer.ranges if network_of(text) is not None and not self.around(text)]
        if not shown and not blocks:
            return set()
        sent = {*all_texts(call.params), *label_texts(call.params)}
        found = set()
        for text in dict.fromkeys(shown):
            names = [name for name in names_in_identifier(text) if name not in sent and self._is_drawn(name)]
            if text not in sent:
                one = thing(call.service, text)
                self._known.add(names, one)
                self._known.note_drawn(names)
                found.add(one)
        for text in dict.fromkeys(blocks):
            block = network_of(text)
            if text not in sent and block is not None:
                found.add(self._blocks.setdefault(block, thing(call.service, text)))
        return found

    def around(self, text: str) -> set[str]:
        """Return the blocks in which the addresses lie that a text is."""
        inner = network_of(text) if self._blocks or ":" in text else None
        if inner is None:
            return set()
        sizes = {block.prefixlen for block in self._blocks if block.prefixlen <= inner.prefixlen}
        outer = (inner.supernet(new_prefix=size) for size in sizes)
        return {self._blocks[each] for each in outer if each in self._blocks}

    def _is_drawn(self, text: str) -> bool:
        """Return whether a text may be learned in a member that names nothing, and nothing is known by it."""
        return is_distinctive(text) and not any(map(str.isspace, text)) and not self._known.owners(text)
