"""A state comparison that reads everything back: every List, Describe and Get that the models offer for what exists.

In: clients, the services to read, and the calls that made the state (their parameters and answers). Out: reads, each
with what it showed, and in which two states differ. Nothing here knows a service but by its model, and by the small
tables of `catalogue` and `comparison`, each entry with its reason.

| module | subject |
|---|---|
| `catalogue` | which operations only read, what they need, and what is not asked |
| `known_values` | the values that answers and calls showed, by the members that hold them; sets of parameters made of them |
| `reader` | reads everything that can be named, round by round, and the same reads again later |
| `comparison` | where two states differ: exact identifiers; each excuse is a named rule |
"""
