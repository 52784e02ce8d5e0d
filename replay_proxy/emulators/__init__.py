"""What differs between emulators, and the processes they run in.

In come a name or an address; out come a process that runs, an emulator that answers, a mark that is kept in it. The package
knows nothing of recordings and of the proxy; it may import `wire`, to build the calls that leave a mark.

- `kinds`: how each known emulator is started; nothing else in the program knows their names, but for the tables below.
- `environment`: which variables of the proxy's environment emulators do not get, and why.
- `process`: one child process: started, watched, stopped, and never outliving the proxy.
- `loopback`: starts an emulator that does not heed its own setting with all of its servers on loopback.
- `ready`: waiting, with a bound, until an emulator answers.
- `seeds`: what an emulator makes by itself at its start, and when that is done.
- `liveness`: an open connection that breaks when an external emulator ends.
- `reset`: how external emulators are made to forget everything.
- `reset_requests`: the requests by which clients do that, and how it is told that it was done.
- `session_mark`: the mark by which an emulator is known to hold what was put into it.
- `mark_places`: where an emulator can keep that mark: a place in each of eight services.
- `queue_look`: how a queue is looked into without taking its messages, where an emulator has an endpoint for that.
"""
