"""Recordings of other tools, as records of ours.

In: files that may hold anything. Out: records, or a refusal with its reason. Memory and time stay within bounds.

| module | subject |
|---|---|
| `formats` | whose file it is, and its calls as records |
| `source_files` | files opened and taken apart within bounds |
| `foreign_calls` | a call as another tool wrote it, as a record of ours, or refused |
| `given_keys` | for which account calls with credentials are that a call of the same file gave |
| `har`, `mitmproxy`, `tnetstring` | HAR files; flow files, and the notation they are written in |
"""
