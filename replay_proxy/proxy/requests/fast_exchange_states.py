"""The states of an exchange on the fast path, and what may happen in each. Nothing else decides that.

An exchange begins when its request is sent, and ends when its answer needs nothing more from it:

    SENDING ────► WAITING ──► ANSWERED          the whole answer arrived, and was plain
                     ├──────► SAVING            the same, of a change that is not durable yet
                     └──────► RESUMED ──► TAKEN ──► DISMISSED    anything else: the engine finishes it

There are two kinds of exchange, with a table each. A *recorded* one changes state. It is finished whatever its client does,
because the emulator may have carried it out, and it holds a conflict lock until it is recorded or the engine has taken the
lock. A *forwarded* one is everything else. It is given up (ABANDONED) when its client leaves. The kind is known before
anything but SENT can happen.

What an exchange holds in each state, and frees when it leaves it:

    state      connection  timer  result  task of the engine  conflict lock
    SENDING    no          no     no      no                  where recorded
    WAITING    yes         (1)    no      no                  where recorded
    ANSWERED   no          no     no      no                  no
    SAVING     no          no     no      yes (2)             no
    RESUMED    no          no     (3)     yes                 until the engine takes it
    TAKEN      no          no     no      yes                 until the engine takes it
    DISMISSED  no          no     no      yes                 no
    ABANDONED  no          no     no      cancelled           no

(1) Where the emulator's silence is limited (`--answer-timeout`). (2) It waits until the change is durable. (3) The call on the
connection that was taken over, or the error, or None where the request is to be sent again. The client is held until it is
given the answer, is sent to the full path, or leaves.

LOST may be told twice, by the connection and by whoever tried to send: it counts only before there is any result, or else a
request could be sent twice for one loss. The fast path stores the states that SENT and WHOLE lead to without a look at the
tables, because that is done for every call; everything else goes through them. A test holds both to the tables
(tests/proxy/test_fast_exchange.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class ExchangeState(Enum):
    """Where an exchange stands."""

    SENDING = "sending"
    """The request is being sent; no connection is known yet."""
    WAITING = "waiting"
    """The request is on its way, and no whole answer has arrived."""
    ANSWERED = "answered"
    """The answer was passed on, and recorded where that was due. Final."""
    SAVING = "saving"
    """The change is recorded, and the client gets its answer on the full path when that is durable. Final."""
    RESUMED = "resumed"
    """The engine finishes the exchange, and has not asked for the answer yet."""
    TAKEN = "taken"
    """The engine has asked for the answer, or for what came instead of it."""
    DISMISSED = "dismissed"
    """The engine is done with the exchange. Final."""
    ABANDONED = "abandoned"
    """The client left, and nobody else needs the answer. Final, but for a connection that is cut when it comes."""


class ExchangeEvent(Enum):
    """What happens to an exchange: at the emulator's side, to its client (LEFT), and in the engine (ASKED, DONE)."""

    SENT = "the request is on its way"
    MORE = "a piece of the answer arrived, and more is to come"
    WHOLE = "the answer is whole and plain"
    WRITTEN = "the same, and the change is recorded, but not durable yet"
    NOT_PLAIN = "the answer is not one for the fast path"
    LOST = "the connection ended, or none was made"
    SILENT = "the emulator was silent for too long"
    LEFT = "the client left"
    ASKED = "the engine asks for the answer"
    DONE = "the engine needs the exchange no more"


_S, _E = ExchangeState, ExchangeEvent

Transitions = Mapping[ExchangeState, Mapping[ExchangeEvent, ExchangeState]]
"""The state that follows, by state and event. An event that is not there cannot happen in that state."""

FORWARDED: Transitions = {
    _S.SENDING: {_E.SENT: _S.WAITING, _E.LOST: _S.RESUMED, _E.LEFT: _S.ABANDONED},
    _S.WAITING: {
        _E.MORE: _S.WAITING,
        _E.WHOLE: _S.ANSWERED,
        _E.NOT_PLAIN: _S.RESUMED,
        _E.LOST: _S.RESUMED,
        _E.SILENT: _S.RESUMED,
        _E.LEFT: _S.ABANDONED,
    },
    _S.ANSWERED: {_E.LOST: _S.ANSWERED},
    _S.RESUMED: {_E.ASKED: _S.TAKEN, _E.DONE: _S.DISMISSED, _E.LOST: _S.RESUMED, _E.LEFT: _S.ABANDONED},
    _S.TAKEN: {_E.ASKED: _S.TAKEN, _E.DONE: _S.DISMISSED, _E.LOST: _S.TAKEN, _E.LEFT: _S.ABANDONED},
    _S.DISMISSED: {_E.LOST: _S.DISMISSED, _E.LEFT: _S.DISMISSED},
    _S.ABANDONED: {
        _E.SENT: _S.ABANDONED,
        _E.LOST: _S.ABANDONED,
        _E.LEFT: _S.ABANDONED,
        _E.DONE: _S.ABANDONED,
    },
}

RECORDED: Transitions = {
    _S.SENDING: {_E.SENT: _S.WAITING, _E.LOST: _S.RESUMED, _E.LEFT: _S.SENDING},
    _S.WAITING: {
        _E.MORE: _S.WAITING,
        _E.WHOLE: _S.ANSWERED,
        _E.WRITTEN: _S.SAVING,
        _E.NOT_PLAIN: _S.RESUMED,
        _E.LOST: _S.RESUMED,
        _E.SILENT: _S.RESUMED,
        _E.LEFT: _S.WAITING,
    },
    _S.ANSWERED: {_E.LOST: _S.ANSWERED},
    _S.SAVING: {_E.LOST: _S.SAVING, _E.LEFT: _S.SAVING},
    _S.RESUMED: {_E.ASKED: _S.TAKEN, _E.DONE: _S.DISMISSED, _E.LOST: _S.RESUMED, _E.LEFT: _S.RESUMED},
    _S.TAKEN: {_E.ASKED: _S.TAKEN, _E.DONE: _S.DISMISSED, _E.LOST: _S.TAKEN, _E.LEFT: _S.TAKEN},
    _S.DISMISSED: {_E.LOST: _S.DISMISSED, _E.LEFT: _S.DISMISSED},
}
