"""Names of resources, in whichever form they are written.

In: texts. Out: canonical names, parts of ARNs, references in a text. May import `wire` and what is below it.

| module | subject |
|---|---|
| `resource_names` | the canonical name of a resource; what an ARN says; the names in an identifier |
| `name_index` | the names of known resources, and which of them stand in a text |
| `places` | accounts and regions, which are no resources |
"""
