"""The files of a recording, on a disk that may fail, fill up, or lose its power.

**In:** names below a data directory, and bytes. **Out:** files that are there or not, and never something else. Every file
operation of the journal goes through `Files`, so that tests can put a failing disk in its place.

| module | subject |
|---|---|
| `files` | what written, synced and named mean; every file operation; the errors for a user |
| `lock` | one writer a recording |
| `blobs` | large bodies, each in a file that is named by its content |
| `disk_reserve` | space put aside, so that a full disk loses no call |
| `scratch` | files and folders for a while, whose full disk is told as one |
"""
