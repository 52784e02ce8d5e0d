"""The running proxy, in three layers. Each may import those below it.

    lifecycle/   the process over time: start, restore, loss of the emulator, sessions, background compaction, end
    requests/    one request: recognise it, translate its identifiers, send it, record it, answer it
    http/        HTTP over sockets: server, client, framing, fast parser. Knows no AWS, and nothing of the two above

`lifecycle.proxy.Proxy` puts them together. The proxy as a whole may import `replay`, `journal`, `identifiers`, `emulators`,
`wire`, and what is below them; `control` and `cli` use it.
"""
