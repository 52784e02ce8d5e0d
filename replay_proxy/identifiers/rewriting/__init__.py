"""Messages in the other namespace: requests to the emulator, answers to the client.

In: a request or an answer, the call that it belongs to, the table. Out: the message with other bytes where identifiers
stand; the identical object where none does. May import `table`, not
`learning`.

- `rewrite`: identifiers in target, headers and body, by the table.
- `chosen_names`: which names the client of a request chooses.
- `endpoints`: URLs of the emulator to those of the proxy, and back.
- `aws_hosts`: the same for clients that believe they talk to AWS.
- `queue_hosts`: the region in the address of a queue.
- `body`: the body of a message: its payload, its values, its bytes after a change.
- `times`: the original times of what a restore has made again.
- `user_pools`: secrets, hashes and tokens of user pools and their clients.
"""
