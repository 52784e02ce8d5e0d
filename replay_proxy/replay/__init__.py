"""Putting the recorded state back.

`execute` sends recorded calls to an emulator, in order, through a sender that it is given (it knows no socket), learns
from each answer which identifiers changed, and rewrites the calls that follow. `patience` says which failures mean "not
yet". `report` is the honest account of it all: only calls with an equivalent outcome are counted as restored.
"""
