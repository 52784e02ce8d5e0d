"""The proxy's own endpoints: LocalStack's for health and state, as its clients expect them, and `/_replay/` for the rest.

In comes a request from a door; out goes an answer, or nothing where the request is for the emulator. What the endpoints ask
of the proxy is done by `proxy/lifecycle`; only `cli` stands above this package.

- `routes`: which request is for the proxy itself, and who answers it; the list of all endpoints.
- `health`: the emulator's health, with the proxy's word on persistence.
- `state`: saving and loading, one JSON line for each service.
- `init`: how far the init scripts are, and whether the proxy is ready.
- `pods`: saving and loading pods; LocalStack's endpoints for them, and for their remotes.
- `doctor`: diagnoses, repairs and smoke tests of a running proxy.
- `observing`: looking at the emulator because somebody asks for it.
- `console`: the page at `/_replay/`, and what it is told.
- `metrics`: what was counted, for Prometheus.
- `answers`, `methods`: JSON answers, and the guard against web pages that post to a local port; which methods an endpoint takes.
"""
