"""Values that clients hold from one answer to their next request, over a restart of emulator and proxy.

Modules, from the top:

    held_tokens      the tokens that clients hold, and what takes their place when the emulator has forgotten them
    stream_records   the numbers of records in a stream that no call has numbered
    sessions         tokens of readings, told by the models, and what stands behind one
    held_file        what such values stood for, written down

Receipts of messages, which are written down here, too, have a package of their own (`receipts`).
"""
