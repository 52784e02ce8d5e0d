"""The server side: connections of clients, and what is read from and written to them.

A request comes in as bytes. The handler gets it as `streams.Incoming`; what the handler returns (`streams.Outgoing`) goes out as
bytes. Plain requests are offered to the fast path first (`fast_path_api`). May import the modules of `proxy.http`, and
`proxy.http.http2`; not `proxy.http.client`.

- `reverse_door`: `ReverseDoor`, the listening server, which gives each request to one handler.
- `protocol`: `DoorProtocol`, one client's connection: aiohttp's server protocol, with the fast path in front of it.
- `connection_states`: the states of that connection, and the moves between them.
- `request_body`: the body of a request, and `100 Continue`.
- `response`: how an `Outgoing` is written.
- `refusal`: the answers to what is malformed, too large or too slow.
- `half_close`: clients that have closed their sending side, and wait for an answer.
- `partial_head`: bounds on a head that has begun to arrive.
"""
