"""The role of a member of a request or an answer: told by the service models and by reviewed data, never by its value.

In: a service, an operation, names of members. Out: roles, and the values that have them. May import `names` and
`resource_kinds`.

| module | subject |
|---|---|
| `member_roles` | what a member of an answer is: identifier, time, secret, … (`data/members.json`) |
| `naming_members` | which members name something, hold an account, or only a label |
| `account_members` | which members hold the number of an account, also by the patterns of the models |
| `answer_identifiers` | the identifiers in an answer |
| `handed_out` | tokens that a later call must name, told apart from tokens that page |
| `payload_members` | which members are payload: users' data, in which nothing names a resource (`data/payload.json`) |
| `drawn_members` | members that show what an emulator drew, such as secrets and fingerprints |
| `readable_secrets` | which secrets a read of the same service shows |
"""
