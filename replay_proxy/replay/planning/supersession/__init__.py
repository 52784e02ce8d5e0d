"""Which recorded calls no longer matter to the state: pure decisions over a recording, with a reason for each superseded call.

In: the calls of a recording, in order. Out: which of them are superseded, and what batches and conditional writes lose. May
import `replay.recorded_call`, `footprint` and what is below them.

The theory. A call is superseded when the state that the remaining calls build is the same without it. Each rule finds such calls
in one subject. When a rule is in doubt, the call stays.

Rules depend on each other: a bucket that is gone takes its objects with it, but not as long as a call that stays reads one of
them. So a rule says either that a call is surely superseded, or that it is superseded *unless one of these calls stays*. The
largest set of calls that can go together is found at the end (`decisions`). A call that no rule spoke of stays, and what it needs
stays with it.

Memory. A recording is walked once, and of each call only numbers and short keys are remembered. Bodies are looked at one at a
time, and the recording is read again to yield what is replayed (`planning.plan`).

| module | subject |
|---|---|
| `rules` | all rules, and which of them a call is shown to |
| `messages` | messages that were sent and deleted, or purged |
| `objects` | objects that were overwritten or deleted, and uploads in parts |
| `items` | items that were overwritten or deleted |
| `settings` | values that were set again |
| `credentials` | temporary credentials that are over |
| `retention` | data that is older than its queue, stream or log group keeps it |
| `resources` | resources that were created and deleted, with the calls that concerned nothing else |
| `runs` | runs, which are not started again |
| `without_effect` | calls that leave nothing behind, by today's mutability tables |
| `decisions` | the largest set of calls that can go together |
| `batches` | reducing a record to what is left of it |
| `reviewed` | what the models do not say about the ends of resources and values (`data/superseded.json`) |
"""
