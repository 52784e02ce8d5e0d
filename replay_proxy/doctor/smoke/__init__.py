"""Smoke tests: checks that a user declares in a YAML file (docs/doctor.md), carried out without leaving a trace.

In: a file, and functions that send requests. Out: of each check whether it passed, and why not. May import what is below
`doctor`.

| module | subject |
|---|---|
| `document` | the file: read, held against its schema (`data/smoke.schema.json`), mistakes told with their lines |
| `lines` | YAML as JSON values, and in which line each stands |
| `meaning` | what the schema cannot say: commands, expressions, items |
| `commands` | a command of the AWS CLI, as an operation with its parameters |
| `expectations` | whether what came is what is expected |
| `checks` | carrying out one check of each kind |
| `queue_check` | passing a message through a queue, beside the messages of others |
"""
