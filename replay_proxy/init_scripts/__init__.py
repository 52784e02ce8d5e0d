"""Init scripts: what users have run at certain moments of the proxy's life, in directories as LocalStack has them.

In: a directory with `boot.d`, `start.d`, `ready.d` and `shutdown.d`, and the address of the proxy. Out: processes, one after the
other, and what became of each.

- `stages`: the stages, and which scripts belong to each, in which order.
- `script_process`: one script as a process: its environment, its output in the log, its end.
- `done_scripts`: which scripts of `ready.d` a recording has had already, for those that run once per recording.
- `init_scripts`: the stages in the life of one proxy, and what `GET /_localstack/init` says of them.
"""
