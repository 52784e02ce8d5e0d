"""Observing the emulator while the proxy runs: when it is looked, and how what is found comes into the recording.

In: notes of calls (`requests.journaling.effect_notes`), the recording. Out: records of kind `observation`. What is looked at, and
what a difference is, is decided by `replay_proxy.observing`. Stands above `proxy/requests`, below `proxy/lifecycle`.

| module | subject |
|---|---|
| `observer` | when is looked: by the save strategy, when asked, at the end; what is looked at then |
| `knowledge` | what is known of containers, from the recording and from the calls since |
| `look` | one look at one container, and recording what it found |
| `questions` | asking the emulator in clients' identifiers; looking into queues |
| `history` | what the recording of before tells of containers and their contents |
"""
