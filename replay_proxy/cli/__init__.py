"""What a person types and reads: one file a verb.

Each verb's module has `add_arguments(parser)` and `run(args) -> exit code`, and imports what it needs inside `run`, so
that `--help` answers at once. Data goes to standard output, everything else to standard error.
"""
