"""Stable identifiers: what clients were shown once stays valid, whatever the emulator calls it today.

After a restart an emulator makes the same resources under other identifiers. Clients must not notice: a Terraform
state file, a `.env` with a queue URL, a stack's outputs hold the old ones. So identifiers have two namespaces, the
clients' and the emulator's of this boot, and everything that passes is translated. This package holds every decision
about that, and knows no socket and no clock.

    learn     recorded and replayed outcome of one call  ->  aliases        (align, members, forms)
    rewrite   request or answer, in either direction     ->  the same message in the other namespace
                                                                            (scan, tokens, bodies, payload, spans, cbor,
                                                                             dependents, mint)
    compare   recorded and replayed outcome of one call  ->  equivalent or not, and what differs
    endpoints URLs of the emulator                      <->  URLs of the proxy
    aliases   the table that all of them share                                  (pairs)

Two data files sharpen what the service models leave open: `data/members.json` (what members are, by their names) and
`data/payload.json` (what is never rewritten). Every entry has its reason.

Rules that hold throughout:

* A message changes in the bytes of identifiers, and in what depends on them; a message without known identifiers does
  not change at all, and costs one look.
* An identifier is a whole token, in every encoding. User payload is never touched.
* What cannot be decided is left as it is, and reported.
"""
