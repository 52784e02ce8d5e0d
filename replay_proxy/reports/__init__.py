"""Views of recordings, for people and programs: of one model, in each form that somebody reads.

In: the resource model, calls with their bodies. Out: text, JSON documents, Markdown, HTML, a browser in the terminal. May import
`resources`, `replay.recorded_call` and what is below them; nothing here changes a recording or talks to an emulator.
Whatever a recording holds is shown and does nothing: every text passes `plain_text` on its way to a terminal.

| module | subject |
|---|---|
| `plain_text` | texts made harmless for a terminal; sizes, times |
| `json_text` | documents as JSON, harmless for a terminal, too |
| `moments` | a recording as it was at a moment: `DIR@42` |
| `selection` | which resources and calls are asked for |
| `call_document` | a call with its request and answer: as JSON, as an `aws` command |
| `aws_command` | a call as a command of the AWS CLI |
| `inspect_document` | resources and calls as JSON (docs/schemas/inspect.schema.json) |
| `inspect_text` | the same as text: a tree, one resource, the journal as a table, one call |
| `comparison_document` | what differs between two recordings, as JSON (docs/schemas/diff.schema.json) |
| `comparison_text` | the same as text and as Markdown |
| `doctor_document` | a diagnosis as JSON (docs/schemas/doctor.schema.json) |
| `doctor_text` | the same as a tree, and as Markdown |
| `restore_report` | what `restore --json` wrote, read from a file |
| `doctor_report` | what `doctor --json` wrote, read from a file |
| `json_file` | a JSON file of a user, whatever it is |
| `summary_markdown` | a recording and its restore as Markdown |
| `junit` | a restore as JUnit XML |
| `page` | all of it as one HTML page |
| `browser` | the interactive browser (textual; the extra `inspect`) |
"""
