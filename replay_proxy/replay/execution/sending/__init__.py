"""Sending a replayed call, until it is known what became of it.

In: a request, and the function that sends it. Out: the answer, or the certainty that nobody can know whether the call was carried
out. May import `execution.restore_target` and what is below `replay.execution`.

| module | subject |
|---|---|
| `delivery` | sending one call again until an answer says what became of it |
| `sender` | one request: signed, and no more under way than allowed |
| `read_back` | which read shows what a call has made, by the models |
| `doubt` | whether a call may have been carried out although no answer says so: three states |
| `repeatable` | which calls may be sent twice (`data/repeating.json`); what an answer says about its call |
| `retry` | how often and how long, and the log line of each retry |
"""
