"""The format of a journal: what a line means, and how it is spelled. No files.

**In:** requests and answers, or the bytes of lines. **Out:** lines, or records. It may import `wire` and `exchange`.

| module | subject |
|---|---|
| `records` | what a journal holds: its header, records and control records |
| `checksum` | the checksum at the end of a line |
| `encode`, `decode` | records to lines and back, exact to the byte |
| `recorded_headers` | which header fields are kept, and which are secret or belong to one connection |
| `sendable` | whether HTTP can carry a recorded call; the flaw where it cannot |
| `localstack_legacy` | the lines of LocalStack's old file |
"""
