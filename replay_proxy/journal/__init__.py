"""The journal: what was recorded, as a file format and a small library of its own. It knows files, and nothing above.

`docs/journal-format.md` is the contract of the format, `docs/durability.md` of what is promised and how that is tested.

| module | subject |
|---|---|
| `records` | what a journal holds: header, records, marks |
| `codec` | lines to records and back: the format's one definition |
| `fields` | which headers are kept; what is secret and is not |
| `durable` | files: what written, synced and named mean; every file operation of the package |
| `lock` | one writer a recording |
| `tail` | where a journal ends: torn tails told from damage |
| `reader` | reading, lazily, and saying where anything is wrong |
| `effect` | which calls count: the save points of `MANUAL` |
| `opening` | bringing a journal into the state in which a line can be appended |
| `writer` | appending, and keeping the save strategy's promise |
| `reserve` | space put aside, so that a full disk loses nothing |
| `compacting` | writing a journal anew, without some calls |
| `switching`, `twin` | changing journals; changing them under a running writer |
| `blobs` | large bodies |
| `ordering` | in which order concurrent calls are recorded |
| `check` | verifying a recording, and repairing what can be repaired safely |
| `legacy`, `foreign`, `importing` | LocalStack's old file; moto's recorder and HAR files; taking them in |
| `foreign_mitmproxy`, `tnetstring` | mitmproxy's flow files, and their notation |
| `exporting`, `redaction`, `leaves` | copies that leave the machine; taking secrets out of calls, and out of bodies |
| `sealing` | a recording as one encrypted file |
"""
