"""The original times of what a restore has made again: clients see those, not the times of the restore.

In: an answer, and the times that the recording shows. Out: the answer with original times. May import `body`.

- `moments`: when calls were made at first and again, and which of these a time belongs to.
- `rewrite`: which moments are known of what, and putting original times into answers.
- `time_members`: which members are points in time.
- `time_owners`: what these belong to.
- `time_places`: which of several calls one of them tells of, by the words of both.
- `time_texts`: times as texts: read, written in the same form, found.
"""
