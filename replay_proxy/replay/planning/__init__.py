"""What a restore has to do, and what it leaves out.

In: a recording, the settings, the time of the restore. Out: a plan, which a person can print before anything is sent. Nothing
here sends anything. May import `replay.ordering` and what is below it; not `replay.execution`.

| module | subject |
|---|---|
| `plan` | the plan of a recording: which records are replayed, which are left out and why |
| `supersession` | the rules, by subject, that find superseded calls |
| `plan_cache` | the plan, cached beside the recording, and planning on from it |
| `partial_plans` | the plan of some services, with what they need, for a restore in parts |
| `service_dependencies` | which services have to be back before a request can be answered (`data/relatives.json`) |
| `compact_recording` | the compaction of a recording: superseded calls are removed from its file |
| `fifo_deduplication` | superseded calls that must be remembered, since FIFO queues look back five minutes |
"""
