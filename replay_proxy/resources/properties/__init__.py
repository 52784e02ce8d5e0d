"""What is known of one resource, folded from the calls that set it.

In: parameters and answers of calls. Out: identifiers, attributes, tags, data. May import `kinds` and `resource`.

| module | subject |
|---|---|
| `identifiers` | what identifies a resource in a creation and its answer |
| `attributes` | the attributes, folded from creations and changes |
| `operation_names` | verb and noun of an operation, and which one takes off what another one added |
| `patches` | what patch operations change in them |
| `tags` | the tags, in the spellings of all services |
| `stored_data` | objects, items, messages, records and events, by key, with sizes |
| `record_sets` | the records of hosted zones |
"""
