"""Compaction: a journal without the calls that no restore would repeat. Which these are, the caller decides.

**In:** a journal, and the choices of `replay.planning`. **Out:** a new journal in its place, and the old one kept beside it.
After a crash at any moment the one or the other is there, whole.

| module | subject |
|---|---|
| `rewrite` | write the journal anew, verified, beside the present one |
| `file_swap` | put it in place, keep what was there, and tidy up after a crash |
| `dual_write` | the same under a running writer: for a moment each line goes to both files |
"""
