"""The first bytes of each connection of HTTP/2 (RFC 9113, section 3.4), by which it is told from HTTP/1."""

HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
