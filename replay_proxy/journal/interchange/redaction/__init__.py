"""The secrets of a recording: found, and taken out of its calls, so that a copy can leave the machine.

In: recorded calls. Out: the same calls with placeholders for secrets, one placeholder a secret.

| module | subject |
|---|---|
| `secret_catalogue` | learn the secrets of a recording |
| `redact` | take them out of its calls |
| `messages` | what a redaction asks of messages |
| `body_values` | values replaced in a body of any format |
"""
