"""The body of a message: where its payload is, which values are in it, and what follows from its bytes.

In: a body and its format. Out: the same body with other values outside of its payload. May import `table`.

- `bodies`: which bodies may be changed, and changing them outside of their payload.
- `payload`: what is payload, by the models and `footprint.members.payload_members`, as it is spelled in messages.
- `object_spans`: where the keys of objects stand in targets, headers and addresses.
- `payload_spans`: where the payload stands in a body of JSON, XML or form fields.
- `body_values`: values in a body with their neighbours, for `times`.
- `cbor`: text strings in CBOR.
- `reported_headers`: fields in which what ran inside of the emulator tells something, in base64.
- `derived_headers`: length, digests and checksums of a body that changed.
"""
