"""The states of a client's connection (`protocol.DoorProtocol`): who gets the next bytes, and what has come of the answer. Pure.

Bytes from the client have two takers: the fast path, which takes whole plain requests, and aiohttp's parser, which takes all
else. The fast path is safe only between two requests, when nothing is left in the parser. So the connection counts how many
bytes are still to come of a request whose beginning the parser was given. Where that cannot be told (chunks, pipelined
requests, a head in two pieces), the parser gets everything from then on.

    FIRST_BYTES -> BETWEEN_REQUESTS <-> ON_FAST_PATH
                    |      ^     ^
                    |      |     +--> AWAITING_BODY: its body has come, or is late
                    +-> IN_REQUEST
                    +-> PARSER_ONLY          REFUSED, ENDED: from nearly everywhere

What is written is a machine of its own, since requests may arrive while earlier ones are answered.
"""

from enum import Enum


class Input(Enum):
    """Who gets the next bytes from the client."""

    __hash__ = object.__hash__  # Enum's is written in Python, and each request looks its moves up

    FIRST_BYTES = "at the first bytes"
    """They are kept until they tell which version of HTTP the client speaks."""
    BETWEEN_REQUESTS = "between two requests"
    """They begin a request: the fast path may have it, else the parser. (Earlier ones need not be answered yet.)"""
    AWAITING_BODY = "awaiting a body"
    """The head of a plain request has come and is kept. They are its body, if they come at once."""
    ON_FAST_PATH = "on the fast path"
    """The fast path is at work on a request. They are kept until it has an answer."""
    IN_REQUEST = "in a request"
    """The parser, which has the beginning of a request, of which a known number of bytes is to come."""
    PARSER_ONLY = "parser only"
    """The parser: where one of its requests ends is not known here."""
    REFUSED = "refused"
    """Nobody. A request was refused, and what follows it is not read."""
    ENDED = "ended"
    """None come: the connection has ended, or speaks HTTP/2 and is handed over."""


INPUT_TRANSITIONS: dict[Input, frozenset[Input]] = {
    Input.FIRST_BYTES: frozenset({Input.BETWEEN_REQUESTS, Input.PARSER_ONLY, Input.REFUSED, Input.ENDED}),
    Input.BETWEEN_REQUESTS: frozenset(
        {Input.ON_FAST_PATH, Input.AWAITING_BODY, Input.IN_REQUEST, Input.PARSER_ONLY, Input.REFUSED, Input.ENDED}
    ),
    Input.AWAITING_BODY: frozenset({Input.BETWEEN_REQUESTS, Input.IN_REQUEST, Input.ENDED}),
    Input.ON_FAST_PATH: frozenset({Input.BETWEEN_REQUESTS, Input.ENDED}),
    Input.IN_REQUEST: frozenset({Input.BETWEEN_REQUESTS, Input.PARSER_ONLY, Input.REFUSED, Input.ENDED}),
    Input.PARSER_ONLY: frozenset({Input.REFUSED, Input.ENDED}),
    Input.REFUSED: frozenset({Input.REFUSED, Input.ENDED}),  # once for the queued refusal, once when it is answered
    Input.ENDED: frozenset(),
}


class Output(Enum):
    """What has come of the answer to the latest request that the handler was given."""

    __hash__ = object.__hash__  # Enum's is written in Python, and each request looks its moves up

    NONE_DUE = "no answer due"
    """There was no such request, or the latest answer came by the fast path."""
    AWAITED = "an answer awaited"
    """The handler is at work, and nothing was written."""
    BEGUN = "an answer begun"
    """Its first bytes were written; it may be complete."""


OUTPUT_TRANSITIONS: dict[Output, frozenset[Output]] = {
    # An interim answer, or a refusal by the protocol itself, begins without a handler.
    Output.NONE_DUE: frozenset({Output.NONE_DUE, Output.AWAITED, Output.BEGUN}),
    Output.AWAITED: frozenset({Output.BEGUN}),
    Output.BEGUN: frozenset({Output.BEGUN, Output.AWAITED, Output.NONE_DUE}),
}
