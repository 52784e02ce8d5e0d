"""HTTP, and nothing of AWS: requests are read from clients, sent to the emulator, and answered.

Bytes come in from a client's socket and go out to the emulator's, and the answer goes the other way. In between, a handler is
given each request as an `Incoming` and returns an `Outgoing` (`streams`). May import `errors`, `exchange`, `supervision` and
`wording`; nothing of `wire`, `journal`, `identifiers`, `replay`, or the rest of `proxy`.

Words: a *head* is a start line and fields. *Framing* says where a message ends. A *plain* message is one that the fast parser
reads. The *fast path* takes whole plain requests before aiohttp sees them; everything else takes the *full path*. *Wire text*
is bytes decoded as ISO 8859-1, never interpreted.

- `server`: connections of clients over HTTP/1, and the listening server (`server.reverse_door`).
- `http2`: connections of clients that speak HTTP/2 from the first byte.
- `client`: connections to the emulator (`client.upstream`).
- `streams`: `Incoming` and `Outgoing`, bodies as streams, and the errors of clients that leave.
- `framing`: heads as bytes, and which fields belong to a connection.
- `fast_parser`, `fast_parser_py`, `_fast_parser.c`: the parser of plain messages, in Python and compiled.
- `fast_path_api`: what the server asks of the fast path, which `proxy.requests.fast_path` implements.
- `tunnel`: connections that left HTTP for WebSocket.
- `malformed`: what the sender and the log are told of messages that are not HTTP.
- `limits`: how large heads may be.
"""
