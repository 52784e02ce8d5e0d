"""Pods: named and versioned states of an emulator, kept as an OCI image layout wherever they lie.

**In:** a recording, or the bytes of somebody else's pod. **Out:** manifests and blobs named by their content, and recordings made
of them again. What each file means is the contract of docs/pod-format.md. It may import everything below `proxy`.

| word | meaning |
|---|---|
| pod | a name, and the versions that were saved under it |
| version | a manifest: the layers of one state, and annotations that say who saved it, when and why; numbered from 1 |
| tag | a second name of a version, which can be moved to another one |
| layer | a blob that a manifest names: a segment of the journal, a large body, the metamodel |
| state digest | the digest of everything that a version holds, whenever and by whomever it was saved |

| module | subject |
|---|---|
| `names` | names, references (`NAME[:VERSION]`), and the reference names of OCI |
| `limits` | how large and how many what others made may be; the error of a pod that cannot be used |
| `places` | where the local store lies |
| `oci` | the OCI image layout: descriptors, manifests, blobs, and an index that several processes change |
| `store` | the pods in a layout: versions, tags, removal, pruning |
| `archive` | a layout as one file |
| `state` | the state of a version: saved from a recording, and made into one again |
| `remotes` | versions in folders, registries and buckets: push and pull |
| `merge` | what comes of a recording into which a pod is loaded |
| `apply`, `load_at_rest` | merged calls, put into a recording; a load into one that nobody uses |
| `worker` | what the processes have in common that work for a proxy |
"""
