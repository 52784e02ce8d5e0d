"""Receipts of messages that a client holds while the emulator loses its memory.

    handles   which message each receipt handle stands for, and which handles are of an earlier generation of the emulator
    renewal   a request that names such a handle goes on with the handle of today

May import `wire`, `exchange` and `held.held_file`, where receipts are written down. Sends nothing by itself:
`renewal` is given a function that asks the emulator.
"""
