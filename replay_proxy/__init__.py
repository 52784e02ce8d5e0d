"""A proxy in front of AWS emulators that records the calls that change state, and replays them after a restart.

From top to bottom; each package may import those below it (`import-linter` holds this, see pyproject.toml):

- `cli`: the commands that a person types.
- `control`: the proxy's own endpoints: health, state, status. `testing`: the plugin of pytest, beside these two.
- `reports`: views of recordings, for people and programs.
- `proxy`: `http` (connections), `requests` (what happens to one request), `lifecycle` (the process over time), `observation`
  (when the emulator is looked at), `intercept` (the interception door).
- `pods`, `init_scripts`: states with names and versions; scripts of users at the stages of the proxy's life.
- `doctor`, `resources`: is everything there, and is it wired; from calls to resources and their links.
- `observing`: what the emulator did by itself.
- `replay`: which recorded calls a restore sends, in which order, and what came of them.
- `identifiers`, `journal`, `emulators`: stable identifiers; the recording on disk; starting, watching and asking
  emulators.
- `footprint`: what a call touches: names, references, identifiers.
- `call_filter`, `supervision`: which services and kinds are recorded and restored; background tasks.
- `wire`: from bytes to calls, through botocore's service models.
- `priority`: how a process that works for the proxy gives way to it.
- `config`, `settings`, `values`, `client_environment`: every setting, and how its value is read; what clients need in order to
  reach the proxy.
- `exchange`, `errors`: the records that travel between all of these; what can go wrong.
- `wording`, `log`: counts and durations in messages; log lines.
"""
