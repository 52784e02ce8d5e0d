"""Remotes of pods: where versions lie that others shall load, and how they get there and back.

**In:** blobs and manifests of the local store. **Out:** the same bytes in a folder, an OCI registry or an S3-compatible bucket,
and from there in another store. What lies where is the contract of docs/pod-remotes.md. It knows no emulator and no recording.

| word | meaning |
|---|---|
| remote | a place that holds pods, under a name of ours or by its URL |
| claim | a mark in a remote that says: a push takes this number; withdrawn, or followed by the version |
| publish | give a manifest, whose blobs are there, the next free number of its pod |

| module | subject |
|---|---|
| `remote` | what every remote can do, as a protocol; its errors |
| `location` | the URL of a remote, and the remote that is at one |
| `remotes_file` | which names stand for which URLs |
| `numbering` | unique numbers in places that cannot compare and swap |
| `folder` | an OCI image layout in a shared folder |
| `registry` | an OCI registry; its requests and credentials |
| `bucket` | an S3-compatible bucket: its client and endpoint, numbers, index, uploads that go on where they ended |
| `file_part` | a part of a file as a body |
| `transfer`, `parallel` | push and pull: what the other side lacks, verified; a few blobs at a time |
| `encrypted` | versions that a remote holds sealed with a passphrase |
| `shared_file`, `download` | a version as one file behind a URL, and how it is fetched from there |
| `own_proxy` | whether an address is a replay-proxy, whose traffic would be recorded |
"""
