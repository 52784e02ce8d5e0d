"""Values that a call gives out and that a client presents later: ciphertexts, signatures, MACs, tokens, sessions of a log-in,
ids of queries.

In: calls, and the recording. Out: requests that present what the emulator of today accepts. Knows no socket: it is given
functions that read and that send.

An emulator computes them with keys, or remembers them in tables, that are new after a restart, and so refuses what it gave out
before. But the recording knows what was encrypted, signed, or who had logged in. So such a call is recorded, although it
changes nothing, and a restore leaves it out. When a client presents what it gave out, the call is made again, and the value of
today stands in for the old one. This costs nothing until then, however many were given out.

- `issuing_calls`: which calls give out what, and which take it (`data/issuing_calls.json`).
- `issued_lookup`: the recorded call that gave out a value, by a digest of the value.
- `revocations`: whether a token had been revoked before the restart.
- `passwords`: the password with which a user logs in today.
- `token_signing`: signing tokens whose claims were translated.
- `stand_ins`: the values of today; and requests with these in the place of old ones.
"""
