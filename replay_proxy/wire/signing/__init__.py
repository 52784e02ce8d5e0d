"""Signatures: reading whose they are, taking them off, and signing again.

In: a request. Out: its credential scope; the request without secrets of signing; a stored request that is signed again.
May import `codecs` and `models`.

- `credentials`: access key id, region and signing name of a request, in every form that signatures take.
- `sigv4`: `scrub` a request before it is stored, `sign_again` before it is sent.
- `scrub_form`: signatures in bodies: SigV2 forms, uploads from browsers.
- `issued_keys`: access keys in the answers of calls that give credentials.
"""
