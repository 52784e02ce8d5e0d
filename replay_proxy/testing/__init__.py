"""For test suites: an emulator whose state is the same at the beginning of every test.

In: options of pytest, a recording. Out: fixtures. Stands beside `cli`, and runs the proxy as a process of its own, as a
person would.

- `proxy_process`: a proxy with its emulator and a copy of a recording; brings the state of the recording back.
- `control_connection`: how it asks the proxy.
- `calls`: the calls of one test, as lines and as a page.
- `plugin`: the plugin of pytest: options, fixtures, what is shown of a test that failed. Imports nothing of the proxy
  before a test asks for it, because pytest loads it in every session.
"""
