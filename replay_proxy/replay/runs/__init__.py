"""Runs: executions, jobs, tasks, queries, builds and replays, which act on data when they run.

To start one again would do again what it did: send messages that were consumed long ago, overwrite what was written since. So a
restore does not. What a run *was* (its status, output and history) is kept in the recording as reads that showed it, and the
proxy answers from these where the emulator does not know the run.

Pure: in come calls and answers in clients' identifiers, out go answers. It may import `replay.recorded_call` and what is
below that.

| module | subject |
|---|---|
| `families` | the kinds of runs, as data (`data/runs.json`) |
| `starts` | what else is begun, run or sent, and may be repeated, with the reason (`data/starts.json`) |
| `harmless` | state machines that touch nothing, and may run again |
| `list_defaults` | which defaults of the parameters of lists an emulator applies, and whether it lists all without one |
| `recorded_runs` | what a recording knows of its runs |
| `answers` | answers about runs that the emulator does not know |
| `changes` | answers about changes of what is gone (`data/changes.json`) |
"""
