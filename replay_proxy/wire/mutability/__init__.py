"""Whether a call changes state, what kind of state it writes, and why.

In: service, operation, and where needed the request. Out: an effect (mutates, reads, transient) and a kind
(infrastructure, data), each with its reason. May import `codecs` and `models`.

- `judge`: the layers that are asked, and their order. Its docstring has the theory.
- `tables`: the hand-checked tables and generated facts in `data/mutability_*.json`.
- `by_request`: requests that decide themselves: statements, dry runs, challenges, retained messages.
- `sql`: whether an SQL or PartiQL statement only reads.
- `build`: generates the facts; used by `scripts/build-mutability` only.
"""
