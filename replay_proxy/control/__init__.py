"""The proxy's own endpoints: health as LocalStack's clients expect it, and `/_replay/` for everything else.

- `routes`: which request is for the proxy itself, and who answers it.
- `health`: the emulator's health, with our word on persistence.
- `answers`: JSON answers, and the guard against web pages that post to a local port.
"""
