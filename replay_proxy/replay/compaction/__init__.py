"""Which recorded calls no longer matter to the state: pure decisions over a recording, a reason for each call left out.

The theory. A call may be left out of a restore when the state that the remaining calls build is the same. Each rule
finds such calls in one subject: `messages` (sent and deleted), `objects` and `items` (overwritten values), `resources`
(created and deleted, with what hung on them), `settings` (values set again). When a rule is in doubt it keeps.

Rules depend on each other: a bucket that is gone takes its objects with it, but not as long as a call that stays reads
from it. So a rule says either that a call is surely superseded, or that it can go *unless one of these calls stays*;
`decisions` finds the largest set of calls that can go together. A call that nobody spoke of stays, and what it needs
stays with it.

Memory. A recording is walked once, and of each call only numbers and short keys are remembered; bodies are looked at
one at a time, and the recording is walked again to yield what is kept (`replay_proxy.replay.compact`). Of a batch, single
entries can go: `batches` rewrites the record to those that survive.
"""
