"""An S3-compatible bucket as a remote.

- `bucket`: pods below a prefix, as an OCI image layout: blobs, versions, claims.
- `bucket_numbers`, `bucket_index`: the numbers of its versions; the index that tells of them.
- `bucket_session`: its client and endpoint.
- `multipart`: uploads that go on where they ended.
"""
