"""The running proxy, in five parts. Each may import those below it.

    lifecycle/   the process over time: start, restore, loss of the emulator, sessions, background compaction, end
    observation/ when the emulator is looked at, and how what is found comes into the recording
    intercept/   the interception door, for clients that know no endpoint setting
    requests/    one request: recognise it, translate its identifiers, send it, record it, answer it
    http/        HTTP over sockets: server, client, framing, fast parser. Knows no AWS, and nothing of those above

`lifecycle.proxy.Proxy` puts them together. The proxy as a whole may import `replay`, `journal`, `identifiers`, `emulators`,
`wire`, and what is below them; `control` and `cli` use it.
"""
