"""What a recorded and a replayed outcome of one call tell: aliases, and whether both say the same.

In: two outcomes (`wire.codecs.answers.Outcome`) and the table. Out: new aliases in the table, differences. May import
`table` and `footprint`, not `rewriting`.

- `align`: walk both outcomes together; elements of lists are paired by what does not vary.
- `positions`: lists in answers whose elements belong to those of a list in the request by position.
- `identifier_pairs`: the pairs of identifiers in two values that differ.
- `learn`: put these pairs into the table, and report contradictions.
- `drawn_values`: pairs of secrets, fingerprints and IPv6 blocks that the emulator drew.
- `compare`: are two outcomes equivalent, once identifiers are the clients'?
- `accounts`: was what was in several accounts put into one? `shown_accounts`: in which account two answers show a thing.
- `identities`: are credentials still those of the same identity?
- `list_elements`: how elements of lists are called, and which belong to an account of nobody who called.
- `sent_texts`: what a client sent, and is shown again.
- `comparison_rules`: what means the same though it is not equal (`data/comparison.json`).
"""
