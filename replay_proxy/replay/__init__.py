"""Putting the recorded state back.

In: a recording, and a function that sends a request to the emulator. Out: the state in the emulator, the aliases that were
learned, and a report in which only calls with an equivalent outcome count as restored. May import `identifiers`, `journal`,
`footprint`, `wire` and what is below them; it knows no socket.

A restore goes through three packages. `planning` decides which calls are made, `ordering` which of them waits for which, and
`execution` makes them. Planning and execution know nothing of each other; both build on ordering.

Words:

| word | meaning |
|---|---|
| plan | which calls a restore makes, and which it leaves out, each with the reason |
| superseded | said of a call that need not be made, because later calls undid or replaced what it did |
| switched off | said of a call that is left out only because a setting says so |
| omission | a call that a plan leaves out: superseded or switched off |
| data call, infrastructure call | a call that writes data into a resource (a message, an object, an item); any other mutation |
| dependency graph | which call waits for which |
| trigger | a call after which data sets something off, such as a subscription; made after the data |
| barrier | a call that may touch anything, such as a stack; everything before it is done first |
| witness | a read that was recorded because its answer shows an identifier that nothing else explains |
| in doubt | said of a call that may have been carried out although no answer says so |
| started work | what goes on in the emulator after the answer to a call, such as the creation of a table |

| module | subject |
|---|---|
| `planning` | which calls a restore makes: plans, their cache, parts of them, and the compaction of a recording |
| `ordering` | the dependency graph, what comes next, and which calls share a request |
| `execution` | making calls again: sending, learning, comparing, reporting |
| `recorded_call` | a recorded call, read: parameters and outcome |
| `waiters` | which calls only begin something, and how to ask whether it goes on (`data/waits.json`) |
| `witness_detector` | which reads are recorded as witnesses, and what the recording explains |
| `fingerprints` | a bounded set of strings that holds 8 bytes of each |
| `resting_trigger` | a trigger of a stack that waits for its data |
| `session_state` | what holds until the emulator ends: aliases, access keys, secrets, times |
| `issued` | what calls gave out and clients present later, such as ciphertexts and tokens: made again when it is presented |
| `runs` | executions, jobs, tasks and the like: which calls start and show them, and how they are answered from the recording |
| `start_positions` | what begins to act as if it had acted before: mappings, pipes, schedules for one moment |
| `access_keys` | the secrets of access keys that the emulator made, and signing with them |
| `presence_probes` | does an emulator that keeps no session mark still hold what was recorded? |
"""
