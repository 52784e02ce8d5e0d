"""An OCI registry as a remote.

- `registry`: pods in a repository: blobs, manifests, tags, claims.
- `registry_session`: its requests and credentials.
"""
