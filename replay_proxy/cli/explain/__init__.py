"""`replay-proxy explain`: what the proxy makes of a request or an operation, and why.

In: a name, or a request that a person pasted. Out: a view of what is known, as text or JSON. May import what `cli` may.

- `command`: the arguments, and which of the three views they ask for.
- `pasted`: a HAR entry, the text of an HTTP request, or a curl command line to a request.
- `curl`: curl command lines.
- `views`: the views (a call, an operation, a service), printed and as JSON.
"""
