"""The journal: what was recorded, as a file format and a small library of its own. It knows files, and nothing above.

`docs/journal-format.md` is the contract of the format, `docs/durability.md` says what is promised and how that is tested.

**In:** calls with their answers, in the order in which the emulator could have executed them; files of other tools. **Out:** the
recorded calls, in order, each verified; copies for other machines. It may import `wire`, `exchange`, `errors`, `log` and what is
below them, and no package beside or above it. Inside, a package imports only those below it in this table:

| package | what it does |
|---|---|
| `check` | verify a recording from end to end, and repair what can be repaired safely |
| `interchange` | import files of other tools, and export copies: plain, redacted, encrypted |
| `write` | append calls, keep the save strategy's promise, record concurrent calls in a possible order |
| `compaction` | write a journal without the calls that no restore needs, and put it in place of the old one |
| `read` | read a journal: where it ends, whether it is whole, which calls count, where each stands |
| `storage` | files, the lock, large bodies, space put aside |
| `format` | headers, records and control records, and the lines that they are |

Words:

- *journal*: the file `recorded_api_calls.json`; *recording*: the journal with its `blobs/`; *data directory*: where both lie.
- *record*: a line that holds a recorded call, a *mutation* or a *witness*; *control record*: a line that is no call (`session`,
  `save`, `gap`); *seq*: the number of a line; *flaw*: why the call of a record cannot be sent.
- *written*, *synced*, *named*: how safe bytes are; `storage.files` defines the three.
- *torn tail*: an end of the journal that was never acknowledged (`read.torn_tail`). Everything else that cannot be read is
  *damage*.
- *in effect*, *pending*, *void*: whether a call counts, may still be saved, or never will (`read.save_points`).
- *blob*: a large body in a file of its own; *spool*: one that is still being written.
- *staged journal*: a new journal that is written beside the present one; *dual write*: each line goes to both for a moment.
- *displacement*: what somebody did to the files while they are in use (`write.displacement`).
- *conflict lock*: keeps calls that could touch the same thing from overlapping (`write.conflict_locks`).
"""
