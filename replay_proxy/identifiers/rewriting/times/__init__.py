"""The original times of what a restore has made again: clients see those, not the times of the restore.

In: an answer, and the times that the recording shows. Out: the answer with original times. May import `body`.

- `moments`: when calls were made at first and again, and which of these a time belongs to.
- `remembered_times`: what a session remembers: which moments and pairs are known of what.
- `sought_times`: which times in answers are looked at.
- `rewrite`: putting original times into answers.
- `conditions`: the times in requests: conditions on objects, starts of streams.
- `table_records`: which write of an item a record in the stream of a table tells of.
- `time_members`: which members are points in time.
- `time_owners`: what these belong to.
- `time_places`: which of several calls one of them tells of, by the words of both.
- `time_texts`: times as texts: read, written in the same form, found.
"""
