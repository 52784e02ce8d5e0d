"""`replay-proxy pod`: save, load, look at and share states. One module an action.

Each action's module has `add_arguments(parser)` and `run(args) -> exit code`, as the module of a verb has; `command` lists them.

- `command`: the list of actions, and their parsers.
- `save`, `load`: a state as a new version, and back; of a running proxy, or of a recording at rest.
- `list_`, `versions`, `show`, `inspect`, `diff`: look at what there is.
- `remove`, `prune`, `tag`: keep the store.
- `remotes`: push, pull, and what else needs a remote.
- `places`: the store, and pods that lie elsewhere: in files and folders. `running`: the proxy that is running.
- `at_start`: pods that are loaded when a proxy starts.
- `asking`, `showing`: consent before something is lost; tables, JSON and progress bars.
"""
