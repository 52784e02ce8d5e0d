"""One module a wire format: from bytes to values by the shape of a model. Imports nothing of the packages above.

- `json`, `cbor`: documents to plain values, and plain values to parameters by shape.
- `query`: forms of the `query` and `ec2` protocols.
- `rest`: labels of the path, query string, headers.
- `xml`: REST XML bodies, and answers of every XML protocol.
- `s3_form_upload`: a browser's upload to S3.
- `scalars`, `timestamps`: texts to scalar values.
- `limits`: how much is read before a message is called malformed.
"""
