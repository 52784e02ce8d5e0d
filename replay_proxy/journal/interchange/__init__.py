"""Recordings that come from elsewhere, and copies that go elsewhere.

**In:** files of LocalStack, moto, mitmproxy and browsers (HAR), which may hold anything; or a recording. **Out:** a recording, or
a copy of one: as it is, without its secrets, or encrypted. What is read stays within bounds of memory, whatever is in it.

| module | subject |
|---|---|
| `import_` | files of other tools into a recording |
| `foreign` | files of other tools, read within bounds: LocalStack, moto, mitmproxy, HAR |
| `recording_source` | recordings wherever they lie: a directory, a file, an archive, standard input |
| `export` | copies of a recording |
| `redaction` | the secrets of a recording: found, and taken out of its calls |
| `encrypted_archive`, `encryption` | a recording as one encrypted file: what is in it, and how it is encrypted |
"""
