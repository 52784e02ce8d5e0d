"""Parameters, answers and errors, from bytes and to bytes.

In: a call head and a message. Out: the dictionary that boto3 was given or returns. May import `models`. Malformed input
raises `MalformedMessage`, and nothing else; the bounds are in `protocols.limits`.

- `parameters`: a request to the parameters that its client passed in.
- `answers`: an answer to what its client makes of it (`Outcome`).
- `streamed_values`: the texts of an answer that is too large to be held as values.
- `boto3_edits`: what boto3 changes after parsing an answer.
- `error_bodies`: code and message of an error, by protocol.
- `error_responses`: an error of the proxy in the caller's protocol.
- `build_request`: a request of our own from parameters.
- `content_coding`: compression and framing undone.
- `aws_chunked`: S3's framing of uploads with a signature a chunk.
- `protocols`: one module a wire format.
"""
