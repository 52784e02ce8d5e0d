"""Looking at what the emulator did by itself: which data that can concern, reading it, and what is other than recorded.

In: recorded calls, and the answers to reads. Out: *findings*, each as the plain call that makes what was seen (an item, a
message, an object), to be recorded as an observation. May import `replay.recorded_call`, `footprint` and what is below them.
When it is looked, and that what was found is recorded, is the subject of `proxy/lifecycle/observer.py`.

The theory. Calls alone tell the state, as long as nothing but calls changes it. A topic that delivers, a function that writes,
a consumer that does not pass the proxy change data of *exposed* containers: queues, tables, buckets, streams that a call has
linked to something that acts. Of each that is looked at, the *expected contents* are kept, as far as recorded calls tell them.
A look reads the container, and what differs is found. What calls touched while it was being read is left to the next look,
because nobody knows whether the read was before or after them.

Nothing is found to be gone that was never seen since the emulator's last restart: a restore that failed must not look like
a deletion.

| module | subject |
|---|---|
| `container` | containers of data, and the names by which calls and ARNs name them |
| `exposure` | which containers are exposed, and which of them a call may have changed |
| `finding` | what a look found, as the plain call that makes it |
| `reader` | asking the emulator, in clients' identifiers |
| `expected` | what the expected contents of all kinds have in common |
| `messages`, `items`, `objects`, `records` | the expected contents of queues, tables, buckets, streams |
| `unshown_versions` | versions of objects that calls made without naming them |
| `log_events` | the expected contents of log groups |
| `values` | the expected contents of the stores of parameters and secrets |
| `schedules` | the expected schedules of EventBridge Scheduler |
| `watched` | all containers with their contents: calls in, containers to look at out |
| `pace` | how often is looked at what nothing has happened to |

`data/effects.json` says which members name what, what acts by itself, and what acts by the clock.
"""
