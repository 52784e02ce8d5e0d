"""Stable identifiers: what clients were shown once stays valid, whatever the emulator calls it today.

After a restart an emulator makes the same resources under other identifiers. Clients must not notice: a Terraform
state file, a `.env` with a queue URL, a stack's outputs hold the old ones. So identifiers have two namespaces, the
clients' and the emulator's of this session, and every message is translated on its way. This package decides how. It
knows no socket, no file but its data, and no clock.

| package | question | in -> out |
|---|---|---|
| `table` | which client id is which emulator id, and where in a text do they stand? | text -> what to replace |
| `learning` | what do a recorded and a replayed outcome of one call tell? | two outcomes -> aliases, differences |
| `rewriting` | what does a message look like in the other namespace? | message, table -> message |

Imports: `learning` and `rewriting` may import `table`, and not each other; outside of this package, `footprint` (which
says of members whether they are identifiers, times or secrets) and what is below it.

Words:

- *client id*, *emulator id*: the identifier that clients were shown first; the one that the emulator uses now.
- *alias*: a pair of both, with the scope (account and region) in which it holds.
- *word*: at least four characters out of `[A-Za-z0-9_-]` in a row. *compound*: an identifier with other characters,
  too; its *index word* is the word by which it is found.
- *bound alias*: one whose text could be anything (`T3140`, `4401935`). It is replaced only where identifiers stand.
- *collision*: an identifier of the emulator's that equals the client id of another resource.
- *payload*: what users put into a call (object bytes, messages, items). It is never rewritten.

Rules that hold throughout:

- A message changes in the bytes of identifiers, and in what depends on them. A message without known identifiers is
  returned as the identical object, after one scan.
- An identifier is a whole word or compound, in every encoding.
- What cannot be decided is left as it is, and reported.
"""
