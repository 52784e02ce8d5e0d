"""The process over time: start, restore, loss of the emulator, loads that are asked for, the end.

In comes a recording, an emulator (`backend`) and the settings; out go restored emulators, and a gate that is opened and
shut. It may import everything below `proxy/requests`; `control` and `cli` stand above it.

| word | meaning |
|---|---|
| managed, external emulator | one that the proxy starts, and ends; one that somebody else runs, and that may outlive the proxy |
| session | the time from a restore until the emulator loses what it holds; its aliases hold for so long |
| session mark | what the proxy leaves in the emulator, to find out later whether the session goes on |
| position | how far a restore in parts has come |
| renewal | an order to empty the emulator, and to restore the recorded state |

- `proxy`: wires all parts; from the first request to the last.
- `emulator_recovery`: keeps the emulator alive with its state, and carries out renewals.
- `shutdown`: the steps of the end, each of which is taken.
- `status`: what `/_replay/status` shows.
- `restoring`: bringing the state back: at once, in parts, or when it is asked for; the session.
- `repair`, `repair_progress`: makes single recorded calls again, for the doctor; how far that has come.
- `backend`: the emulator, managed or external: brought up, watched, emptied, stopped.
- `sender`: sends stored requests to the emulator.
- `background_compaction`, `compaction_worker`: the recording is compacted beside the traffic, in a child process.
"""
