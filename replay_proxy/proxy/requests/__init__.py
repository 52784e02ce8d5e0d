"""What happens to one request: from the client, to the emulator, into the journal, and back.

In come requests, as `Incoming` from the server (the full path) or as plain bytes (the fast path). Out go answers in the
clients' identifiers, and records of the calls that changed state.

Words:

    change            a call that changes state and is to be recorded
    fast path         a plain exchange goes from socket to socket as bytes; `fast_path` takes it, `fast_exchange` carries it
    full path         everything else: aiohttp's server, then `Engine.handle`
    resume            the engine finishes an exchange that the fast path has begun
    in flight         begun, and not recorded yet; said of changes
    conflict lock     held by a change while it is in flight, so that calls that touch the same thing are recorded in order
    generation        of the emulator: a number that grows each time the emulator is found to have lost its memory
    durable           as safe as the save strategy promises

Modules, from the top:

    fast_path                takes plain requests, or declines them before anything is sent
    fast_exchange            one exchange on the fast path
    fast_exchange_states     its states, and what may happen in each
    engine                   every other exchange; repeats a request when an emulator died under it
    in_flight                the changes in flight, and what a fast exchange offers the engine
    gate                     requests wait here until the emulator holds its state
    proxy_state              the states of the proxy, and which may follow which
    admission                what the gate asks a restore in parts
    policy                   what is decided of a call: recorded or not, what the client sees, what is counted
    held_keys                temporary credentials that clients held before the recording began
    counters                 what `/_replay/status` and `/_replay/metrics` count
    translator               sends a request in the emulator's identifiers, returns its answer in the clients'
    mark_filter              hides the session mark from clients
    issued_values            what the emulator gives out, such as ciphertexts and tokens, on its way to clients and back
    traffic                  requests as they pass, for the console
    journaling/              writes changes and witnesses, and accounts for what is not recorded
    held/                    tokens that clients hold while emulator and proxy lose their memory
    receipts/                handles of messages that clients hold while the emulator loses its memory

May import `proxy.http`, and everything below `proxy`. Must not import `proxy.lifecycle`, which builds and controls all this.
"""
