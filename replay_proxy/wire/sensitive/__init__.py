"""What in a call is secret: finding it, hiding it from people, replacing it in a copy.

In: parsed parameters or answers, documents, bytes. Out: secret values with their paths; texts without them. May import
`codecs` and `models`.

- `secrets`: the secret members of a call, by model and by name.
- `secret_names`: whether a name says that its value is secret (`data/secret_names.json`).
- `named_secrets`: secrets that names tell in any document: JSON, XML, forms, CBOR, scripts.
- `spellings`: finding and replacing known texts in every encoding.
- `masking`: parameters and answers with secrets hidden, for people.
"""
