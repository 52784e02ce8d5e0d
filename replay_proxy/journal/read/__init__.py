"""Reading a journal: lazily, in bounded memory, and saying where anything is wrong. It changes nothing but its own cache.

**In:** a data directory. **Out:** a `Recording`: warnings, an index of its calls, and the calls, decoded when they are asked for.

| module | subject |
|---|---|
| `journal_file` | a journal that is held open, its layout by a look at both ends, and its lines as bytes |
| `torn_tail` | where it ends: a torn tail told from damage |
| `index` | one pass over its lines: checksums, order, and where each call stands |
| `index_cache` | that index, kept beside the journal for the next reader |
| `save_points` | which calls are in effect, and which a reset has ended |
| `reader` | `read` and `Recording`, which put these together |
| `lookup` | some calls of a recording by its index, without reading the others |
"""
