"""Is everything back, and is it wired? Each resource of a recording, and each of its links, held against the emulator.

In: the resources of a recording (`resources`), and a function that asks the emulator in clients' identifiers. Out: a diagnosis,
with what is missing, what points at nothing, and which recorded calls mend it. Only reads are sent, but for a repair and a
removal. May import
`resources`, `replay` and what is below them; knows no socket.

Words:

| word | meaning |
|---|---|
| reading | an operation that shows a resource, with its parameters |
| state | what a reading says of a resource: there, absent, not ready, unknown |
| check | a resource or a link, with what came of asking for it |
| finding | a check that failed, with what was recorded, what the emulator answered, and the likely cause |
| consequence | a failed link whose target is missing: that target has the finding |
| repair | the recorded calls that mend a finding, made again |

| module | subject |
|---|---|
| `readings` | which operations show a resource, by the models; `data/readings.json` where these are silent |
| `answers` | what an answer says: there, absent, not offered, refused |
| `texts` | the texts in an answer, and whether they name a resource |
| `diagnosis` | the records: a check, a finding, a diagnosis |
| `asking` | sends reads, each once, page by page |
| `links` | whether a link is still shown |
| `attributes` | whether attributes are as recorded |
| `attribute_changes` | which attributes are other than recorded, or gone, and whether the emulator is known to keep them |
| `switches` | what is switched off, or waits for its end |
| `contents` | whether content that no read shows (code) is the recorded one |
| `seen_right` | which attributes earlier diagnoses saw as they were recorded |
| `tags` | which read shows tags, which are lost, what sets them |
| `entries` | entries of lists that are shown in another form: rules of security groups and of network ACLs |
| `stack_members` | the resources of a stack, which no recorded call made |
| `pending` | what is under way, and would not be in a state that is saved now |
| `conclusions` | what follows from the answers: links that hold, findings |
| `examination` | asks for all resources, some at a time, and puts the diagnosis together |
| `causes` | the likely cause of a finding, in words |
| `repair` | which recorded calls mend which finding |
| `updates` | which operation sets what a creation had set |
| `members` | where an operation takes an attribute, and in which form |
| `removal` | deletes what is recorded, where an emulator cannot forget it |
| `smoke` | checks that a user declares: read, carried out, judged |
"""
