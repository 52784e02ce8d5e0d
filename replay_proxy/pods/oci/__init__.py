"""The OCI image layout, in which pods are kept: blobs named by their content, manifests, an index.

In: bytes, or the files of strangers. Out: the same, checked: digests, sizes, counts. May import `limits` and `names`.

| module | subject |
|---|---|
| `descriptor` | how a manifest or an index names a blob; digests, media types |
| `manifest` | the manifest of a version: written, and read from strangers |
| `parts` | a version of many bodies as an index of several manifests |
| `index` | the index of a layout: written, and read from strangers |
| `layout` | one layout in a folder: blobs, and an index that several processes change |
"""
