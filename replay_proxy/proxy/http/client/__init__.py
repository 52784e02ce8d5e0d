"""The client side: requests to the emulator, and the connections that they go by.

A request comes in as wire text and a body (`streams`), or as bytes that are sent as they are (the fast path). Its answer comes
out as wire text and a body. May import the modules of `proxy.http`, not `proxy.http.server`.

- `upstream`: `UpstreamClient`, the emulator at one address; sends requests.
- `call`: one request on one connection, the upload of its body, and its answer.
- `connection`: one connection: aiohttp's client protocol, and who gets what arrives on it.
- `pool`: the connections to one address: the idle ones, and how new ones are made.
- `direct_connect`: connecting and sending in two system calls, for emulators that end each connection.
"""
