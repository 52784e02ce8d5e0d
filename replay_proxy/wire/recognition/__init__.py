"""Which call a request makes: service, operation, protocol, account, region.

In: a request. Out: a `CallHead`, or None for what is no AWS call. Never raises. May import `signing`, `codecs`, `models`.

- `recognise`: the order of the evidence, and what follows from it.
- `evidence`: method, path, query, credential scope and host of a request, read once.
- `candidates`: the services that a request may be for.
- `form_fields`: single fields of a form, without parsing it.
- `query_actions`: the service of an action that nothing else tells.
- `rest_routes`: method and path to an operation, by one tree over path segments.
- `s3_routes`: the same for S3, whose keys may be any text.
- `likely_call`: a guess at an unrecognised request, to refuse it in its protocol.
"""
