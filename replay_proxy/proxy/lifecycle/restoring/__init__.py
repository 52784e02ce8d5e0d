"""Bringing the state back: at once, in parts while requests pass, or when somebody asks for it.

In: a recording, and an emulator that is up. Out: a restored emulator, its session and its aliases. May import `backend`,
`sender` and what is below the lifecycle. The words are those of `proxy.lifecycle`.

- `load_strategy`: what is restored when, and how far that has come.
- `left_state`: what an emulator still holds that lived on: taken up, or emptied.
- `load_states`: how far the recorded state has come, and what may follow.
- `recorded_state`: which part of the recording is to be restored, and whether it can be read.
- `held_requests`: which requests wait while the gate is open, for parts or for what settles.
- `progress_notes`: what is put down of a restore while it goes on: the session's file, the mark in the emulator.
- `requested_load`: what comes of a load that somebody asks for.
- `requested_reset`: what comes of a reset that a client sends.
- `trial`: another recorded state, put into the emulator whole or not at all.
- `trial_emptying`: how the emulator is emptied for that, and once more where it fails.
- `requested_pods`: what comes of a pod that somebody saves or loads.
- `restore`: a recording in use; one restore of it, as a whole or in parts.
- `kept_plan`: the plan of the latest restore, for the next one that restores the same.
- `staged_restore`: a restore in parts, while requests pass.
- `service_stages`: how far each service of a restore in parts has come, as a table.
- `session_store`: whether the emulator is still in the session of before.
- `session_file`: what `session.json` holds of a session: its aliases, and how far a restore has come.
- `resource_lookup`: asks an emulator that keeps no mark for what was recorded.
"""
