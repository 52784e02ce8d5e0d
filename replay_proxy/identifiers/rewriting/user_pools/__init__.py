"""Secrets, hashes and tokens of user pools (Cognito), which clients derive from what they were shown.

In: requests and answers. Out: the same in the other namespace. May import `body`.

- `client_secrets`: hashes that callers made with the secret of a client.
- `web_tokens`: what JSON Web Tokens claim, in client ids.
- `oauth_requests`: ids and secrets in requests to the token endpoint.
- `one_time_codes`: codes of authenticators, which callers made with a secret and the time.
"""
