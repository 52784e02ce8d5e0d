"""Making recorded calls again, one by one or several in one request.

In: a record, and the target of a restore. Out: its entry in the report; what its answer teaches. May import `sending`,
`reporting` and the single subjects beside this package; not `executor`.

| module | subject |
|---|---|
| `replay_call` | making one call again |
| `replay_batch` | making several calls again in one request |
| `batch_request` | building the request for several calls, and taking its answer apart |
| `lost_answer` | asking the emulator for what a call has made whose answer was lost |
| `page_walk` | reading a page of a listing again |
| `call_in_progress` | one call while it is made: its messages, and whether it may be sent again |
| `answer_learning` | what an answer teaches, and how it compares with the recorded one |
"""
