"""Merging: what comes of the recording of a living emulator when a pod is loaded into it.

**In:** the live part of a recording, a version of a pod, a strategy. **Out:** the calls that make the merged state, and a
report of what is added, changed, replaced and removed. Pure but for reading: nothing is sent, nothing is written.

| strategy | the outcome |
|---|---|
| `overwrite` | exactly the pod |
| `account-region-merge` | services of an account and region of both sides; where both have one, the pod's is taken |
| `service-merge` | resources of both sides; of the same one the data and attributes of both, the pod's where both have one |

Resources are the same where account, region, type and names are, or what a service allows only one of (`data/natural_keys.json`).
A call is the same where it was recorded at the same moment for
the same account and place: so a pod that is loaded again, or into the state that it was saved from, adds nothing.

| module | subject |
|---|---|
| `strategies` | the ways to merge |
| `merge_recordings` | a merge of two recordings into a third; also as a process |
| `merging` | a merge by its strategy: the calls in their order |
| `side` | one side: its calls, and the resources that they add up to |
| `collisions` | identifiers that mean one thing in ours and another one in the pod |
| `made_along` | such identifiers of what is made along with something else |
| `twins` | one resource that both sides know under identifiers that their emulators drew |
| `pieces` | a call about several things, taken apart and joined again |
| `call_edits` | calls that lose what the pod sets, or get what it lacks |
| `overwriting` | what a call would set otherwise than the pod has |
| `data_edits` | writes of data that lose the parts which the pod has |
| `kept_writes` | writes of data that stay ours although the pod has them: what it has ended since |
| `bucket_versions` | versions of objects that both sides have: ours come before the pod's |
| `fifo_messages` | messages of FIFO queues that the pod has under the same deduplication id |
| `report` | what a merge does to which resource; conflicts |
"""
