"""Which call of a restore waits for which, and which share a request.

In: the records to be replayed, in recorded order. Out: a dependency graph, and a schedule that hands out calls as they become
ready. Pure: nothing here sends anything or looks at a clock. May import `replay.recorded_call`, `replay.waiters`, `footprint` and
what is below them; neither `replay.planning` nor `replay.execution`.

| module | subject |
|---|---|
| `witness_order` | the recorded order, with each witness at the place where it was read |
| `footprint` | what a call touches, as far as its order is concerned |
| `drawn_beside` | what an emulator drew beside resources (secrets, revisions, blocks of addresses), as things to wait for |
| `order_table` | which operations are barriers, triggers and senders (`data/order.json`) |
| `trigger_roles` | which calls only make or set a trigger, so that little has to come after them |
| `stack_triggers` | the triggers that a stack makes, and how they are put to rest (the same file) |
| `dependency_graph` | which call waits for which |
| `batch_key` | which calls may share one request, judged by each call alone |
| `batch_groups` | which of those do share one, as far as the graph allows it |
| `schedule` | which call comes next, while others are under way |
| `estimate` | how long a restore will take, by the recorded durations |
"""
