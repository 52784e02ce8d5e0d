"""Commands on recordings: none of them needs a running proxy. One module a command.

In: a recording, or files of other tools. Out: text, JSON, pages, another recording. May import every package but `cli`'s
other commands.

- `inspect`, `diff`, `report`: what is in a recording, what changed, and both for people and CI systems.
- `plan`, `aliases`: what a restore would do; which identifiers stand for which.
- `source`, `opening`: the argument RECORDING, which several of them have, and what it may be.
- `check`, `compact`, `export`, `import_`: keep recordings.
"""
