"""What a person types and reads: one module a command; `explain` is a package.

Each command's module has `add_arguments(parser)` and `run(args) -> exit code`, and imports what it needs inside `run`,
so that `--help` answers at once. Its docstring is the description in `--help`. Data goes to standard output, everything
else to standard error. May import every other package; nothing imports it.

- `main`: the list of commands (`VERBS`), help, and errors as messages with exit codes.
- `serve`, `run`, `restore`: run the proxy; a command beside it; restore once. `serving`: what the first two share.
- `observe`: ask a running proxy to look at what its emulator did by itself.
- `doctor`: ask a running proxy whether everything is there and wired. `control_client`: asks a proxy; `interrupted`: what
  is said where that is ended early.
- `env`, `completion`: lines and a script for a shell. What clients need to reach the proxy: `replay_proxy.client_environment`.
- `explain`: what a request is, and why.
- `reset`: have the emulator behind a running proxy forget.
- `ca`, `addon`: the certificate authority of the interception door, and the path of `mitmproxy_addon`, for your own mitmproxy.
- `pod`: the actions of `replay-proxy pod`, by which states are saved, loaded and compared.
- `recordings`: commands that read, check, copy or rewrite a recording.
- `progress`, `loop`: the progress bar of a restore; the event loop.
- `service_list`: the option `--services`, which several commands have.
"""
