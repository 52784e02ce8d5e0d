"""Putting the recorded state back.

`compact` decides what need not be replayed, `graph` which of the rest has to wait for which (from what each call touches:
`footprint`; `sequence` puts witnesses where they were made); `keeping` keeps both for the next restore. `execute` makes the
calls in that order. `attempt` sends one, or several together (`batching`), through a sender that it is given (it knows no
socket), and learns from the answer which identifiers changed, so that the calls that follow can be rewritten.
`sightings` decides which reads are recorded as witnesses, `choices` what is asked for that the emulator had chosen, `waits`
what is waited for, `patience` which failures mean "not yet". `report` is the honest account of it all: only calls with an
equivalent outcome are counted as restored.
"""
