"""An S3-compatible bucket as a remote.

- `bucket`: pods below a prefix, as an OCI image layout: blobs, versions, claims.
- `bucket_session`: its client and endpoint.
- `multipart`: uploads that go on where they ended.
"""
