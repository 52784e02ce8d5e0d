"""Making recorded calls again.

In: a plan (its dependency graph and its records, see `executor.ExecutablePlan`), and a target to restore into. Out: a report, and
in the target's session state what was learned. May import `replay.ordering` and what is below it; not `replay.planning`.

Each module may import those below it in this table.

| module | subject |
|---|---|
| `executor` | which call is made when; the account of each |
| `calls` | making one call again, or several in one request; what the answers teach |
| `resting` | putting the triggers of stacks to rest until their data is back |
| `echoes` | taking away the messages that a restore itself makes the emulator send |
| `pinned_choices` | asking for what the emulator had chosen at random (`data/choices.json`) |
| `put_back` | writing what an emulator drew inside of a resource, such as a generated secret (`data/put_back.json`) |
| `made_already` | leaving out observed writes of what a stack has made again by itself (`data/made_already.json`) |
| `implied_times` | filling in the time of a record that was sent without one (`data/implied_times.json`) |
| `message_delays` | how long messages that are sent again are still to be hidden |
| `original_times` | when the things that are made again were made at first |
| `time_pairs` | which times answers showed at first, and which they show now |
| `called_things` | what a call has made or changed, and by which names |
| `item_writes` | the same of items whose writes the stream of a table shows |
| `background_waits` | work that calls have started, and that nobody but a client waits for |
| `sending` | one request, until it is known what became of its call: retries, doubt, repeatability |
| `reporting` | the account of a restore: what came back, and why the rest did not |
| `restore_target` | what a restore is given of the emulator |
"""
