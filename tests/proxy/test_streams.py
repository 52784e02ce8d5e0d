from __future__ import annotations

from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.proxy.http.streams import close_stream, collect, rejoin


class Source:
    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = list(chunks)
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self.chunks:
            raise StopAsyncIteration
        return self.chunks.pop(0)

    async def aclose(self) -> None:
        self.closed = True


CHUNKS = st.lists(st.binary(min_size=1, max_size=8), max_size=12)


@given(CHUNKS, st.integers(0, 60))
async def test_what_was_collected_and_the_rest_are_the_body(chunks: list[bytes], limit: int) -> None:
    whole = b"".join(chunks)
    prefix, rest = await collect(Source(chunks), limit)
    assert (rest is None) == (len(whole) <= limit)
    assert len(prefix) <= limit + 8
    body = rejoin(prefix, rest)
    again = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
    assert again == whole


async def test_bodies_that_are_no_streams() -> None:
    assert await collect(None, 0) == (b"", None)
    assert await collect(b"abc", 0) == (b"abc", None)


async def test_closing_what_was_rejoined_closes_the_source_even_if_it_was_never_read() -> None:
    source = Source([b"abc", b"def"])
    prefix, rest = await collect(source, 1)
    await close_stream(rejoin(prefix, rest))
    assert source.closed


async def test_closing_bytes_or_nothing_is_harmless() -> None:
    await close_stream(b"abc")
    await close_stream(None)
