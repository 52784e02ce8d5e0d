"""The state of an HTTP/2 connection as the `h2` library keeps it, with three decisions of our own."""

from __future__ import annotations

from typing import Any

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings
from hpack import Encoder
from hyperframe.frame import GoAwayFrame

from replay_proxy.proxy.http.limits import HEAD_BYTES_MAX

STREAMS_MAX = 100
WINDOW_BYTES = 65_535
"""Of a stream: HTTP/2's own first value, so that it holds from a client's first frame. All streams have room at the same time."""
_CLOSED_STREAMS_MAX = 1000


class _ServerConnection(H2Connection):
    MAX_CLOSED_STREAMS = _CLOSED_STREAMS_MAX

    @property
    def open_inbound_streams(self) -> int:
        """As h2 counts, but below what was offered: it would end the connections of clients that could not know the offer yet."""
        return min(super().open_inbound_streams, STREAMS_MAX - 1)

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Any], list[events.Event]]:
        """Report that the client opens no more streams. h2 would write nothing from now on."""
        terminated = events.ConnectionTerminated()
        terminated.error_code = frame.error_code
        return [], [terminated]


class _Encoder(Encoder):
    """Writes fields without Huffman's code: it takes hpack some 3 µs a byte, and what it saves need not travel far."""

    def encode(self, headers: Any, huffman: bool = False) -> bytes:
        """As hpack has it, `huffman` aside."""
        return super().encode(headers, huffman=False)


def server_connection() -> H2Connection:
    """Return the state of a new connection, with our limits. The caller initiates it."""
    connection = _ServerConnection(H2Configuration(client_side=False, header_encoding=None))
    connection.local_settings = Settings(
        client=False,
        initial_values={
            SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS_MAX,
            SettingCodes.MAX_HEADER_LIST_SIZE: HEAD_BYTES_MAX,
        },
    )
    connection.encoder = _Encoder()
    connection.decoder.max_header_list_size = HEAD_BYTES_MAX
    return connection
