"""Links: what a resource refers to, and by which member.

In: attributes of resources. Out: links, to resources or to what is missing. May import `kinds` and `resource`.

| module | subject |
|---|---|
| `links` | the links of a resource |
| `references` | what a text refers to: ARNs, addresses, identifiers |
| `documents` | JSON inside texts: policies, templates |
"""
