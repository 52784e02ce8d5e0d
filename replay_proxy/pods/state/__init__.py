"""The state that a version holds: the live part of a recording, cut into layers, and made into a recording again.

In: a recording, or the layers of a version. Out: layers, or a recording. May import `oci`, `store` and what is below them.

| module | subject |
|---|---|
| `save`, `save_request` | the live part of a recording as a new version; what is asked for, and the report |
| `live_records` | what lives of a recording, in the order of its replay |
| `segments` | the journal of a version: its lines, cut and packed, and read from strangers |
| `metamodel` | what people read of a version: resources, data, links, counts |
| `unpack` | a version as a recording again |
| `stated` | what a version says of itself, compared with what it holds |
| `smoke_file` | the file of smoke tests that a recording carries, and a version with it |
| `held_secrets` | which secrets a version holds, by member |
"""
