"""What a call touches: which resources it names, makes and refers to, and which parts of their data it writes.

In: a call's service, operation, parameters and answer, as boto3 shows them. Out: names, keys and identifiers. Pure: no
socket, no file but data, no clock. May import `wire` and what is below it. Used by the journal (conflict locks), by the
identifiers (roles of members) and by a restore (order, compaction, original times); each of them keeps its own question.

Words:

| word | meaning |
|---|---|
| resource kind | a type of resource of one service: which calls make and end one, which members name it |
| name | what a client or an emulator calls a resource: a name, an id, an ARN, a URL |
| canonical name | what a name, an ARN and a URL of one resource have in common |
| naming member | a member of parameters whose value names a resource |
| identifier | a value in an answer by which later calls can name something |
| addition | a call that makes something new, or adds to a stream of facts |
| data part | the part of a resource that a write of data concerns: an object, an item, the messages of a queue |
| reference | a known name of a resource that is the value of a parameter, or stands in it |
| thing | a resource under the name by which it was known first; what order is about |
| place | an account or a region: told by the member, or by the position in an ARN |

What a text is follows from its member and from what other calls showed, never from its length, letters or digits.

| module | subject |
|---|---|
| `names` | names of resources in every form: canonical names, parts of ARNs, names in a text, accounts and regions |
| `resource_kinds` | the kinds of resources, from the models and from `data/resource_kinds.json`; the names of what a call makes |
| `members` | the roles of members: identifier, name, time, secret, payload, token, drawn value |
| `given_names` | the names that a client gives to what a call makes |
| `given_accounts` | for which account a call gave an access key |
| `additions` | which operations are additions |
| `data_parts` | the parts that writes of objects, items, messages, records and log events concern |
| `statements` | the item that a statement of PartiQL writes |
| `parameter_texts` | the texts in parameters that may name or refer to something |
| `known_resources` | the things that calls have made or named so far, by all their names |
| `account_settings` | which operations set something for a whole account, or make what it has one of |
"""
