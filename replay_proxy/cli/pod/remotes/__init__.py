"""The actions of `replay-proxy pod` that need a remote. One module an action, as in the package above.

- `push`, `pull`: a version there, and back.
- `url`: a URL for somebody without credentials.
- `names`: `remote add`, `list` and `remove`.
- `listing`: what `list` and `versions` show of a remote.
- `removing`: `remove NAME --remote REMOTE`.
- `choosing`: the remote that an action means.
"""
