"""The table of aliases, and finding its identifiers in bytes.

In: aliases that `learning` found; text. Out: the replacements that a text needs. May import
`footprint` and what is below it.

- `scope`: account and region of a call.
- `alias`: one alias, and the index of all of them in one direction (`AliasIndex`).
- `alias_table`: both directions, collisions, chains of addresses. Its docstring has the rules.
- `networks`: blocks of IPv6 addresses, and what lies inside them.
- `distinctive`: could a text stand somewhere by chance, or as another thing's name?
- `drawn_forms`: which texts are drawn alike, so that what one of them says all say.
- `identifier_places`: where identifiers stand in a message, as far as the text around a place tells.
- `account_places`: where the number of an account stands for that account, and not for a name or a value of its own.
- `chosen_names`: names that clients chose, in which no part is an identifier.
- `tokens`: words, addresses and compounds in bytes, through every encoding. Its docstring has the theory.
- `scan`: which bytes of a message name known identifiers, and what they become.
- `mint`: a fresh client id that looks like a given one.
"""
