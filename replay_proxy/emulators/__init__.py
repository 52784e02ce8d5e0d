"""What differs between emulators, and the processes they run in.

- `kinds`: how each known emulator is started and asked about itself; nothing else in the program knows their names.
- `process`: one child process: started, watched, stopped, and never outliving the proxy.
- `ready`: waiting, with a bound, until an emulator answers.
- `session`: telling whether the emulator still holds what we put into it, by a mark that we leave there.
"""
