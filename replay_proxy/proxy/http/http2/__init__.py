"""HTTP/2 with clients that speak it from the first byte ("prior knowledge"). To the emulator everything is HTTP/1.1.

`server.protocol` hands over a connection with the bytes that came on it. Each stream becomes an `Incoming` for the same handler
as a request of HTTP/1.1, and its `Outgoing` is written as the client has room. May import the modules of `proxy.http`;
not `proxy.http.server` or `proxy.http.client`. `h2` is imported when the first such client connects.

- `preface`: the first bytes, by which HTTP/2 is told from HTTP/1. (Imports nothing, so that `server.protocol` can use it.)
- `connection`: one client's connection: its socket, its streams, and bounds on what it may cost.
- `protocol_state`: h2's state of a connection, with our limits.
- `stream`: one request and its answer.
- `heads`: from fields to a request, and from an answer to fields.
- `limits`: counters: idle frames, and whether a frame is whole.
"""
