"""Writing a journal: the one writer of a recording, and the order in which concurrent calls are recorded.

**In:** calls whose answers have arrived. **Out:** lines that are as safe as the save strategy promises, or an error before a
client is told anything.

| module | subject |
|---|---|
| `writer` | the writer and its promises |
| `journal_output` | the open file: numbers, lines, and no part of a line after a write that failed |
| `availability` | the states of a writer: whether calls can be recorded, and why not |
| `group_commit` | one `fsync` for all calls that wait |
| `recovery` | bring a journal into the state in which a line can be appended: at a start, and after damage |
| `displacement`, `file_watch`, `rebuild` | what others do to the files: finding it, mending it, and what is left after a cut |
| `adoption` | a compacted journal takes the place of the present one while calls are recorded |
| `conflict_locks`, `conflict_keys` | which concurrent calls must wait for each other, by what both could touch |
"""
