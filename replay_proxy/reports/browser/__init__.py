"""The interactive browser of a recording, in a terminal (textual; the extra `inspect`).

On the left the resources by account, region and service, on the right what is known of the chosen one; its links lead to other
resources, its calls to the request and the answer. Everything is shown as plain text: no markup is read from a recording.

| module | subject |
|---|---|
| `app` | the application: what all screens share |
| `resources_screen` | the first screen: layout, search, the way along links and back |
| `resource_tree` | the tree of resources, filtered as one types |
| `details` | one resource: attributes, links, dependents, calls |
| `journal_screen` | the calls as a table |
| `call_screen` | one call: request and answer as text or JSON, or as an `aws` command |
"""
