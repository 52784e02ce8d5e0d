"""How large the head of a message may be, and how much is read ahead: of clients and emulators, in HTTP/1 and HTTP/2."""

READ_BUFFER_BYTES = 64 * 1024
"""Bytes of a body that wait to be read before reading from its socket is paused (aiohttp pauses at twice that)."""

HEAD_BYTES_MAX = 256 * 1024
"""Bytes of a head. Generous, because presigned URLs, session tokens and user metadata come back in headers."""

HEADER_FIELDS_MAX = 1000
"""Fields of a head."""
