"""Throws odd messages at a build of `_fast_parser.c`, and compares what it returns with what Python returns.

python -m tests.proxy.fuzz_fast_parser EXTENSION SEED COUNT
"""

from __future__ import annotations

import importlib.util
import random
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from replay_proxy.proxy.http import fast_parser_py

MESSAGES = [
    b"POST /a/b?x=%20 HTTP/1.1\r\nHost: h:1\r\nX-Amz-Target: S.O\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nX-Odd: caf\xe9 x\r\nContent-Length: 3\r\n\r\nabc",
    b"",
]
PIECES = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b": ",
        b"\0",
        b"\x7f",
        b"\x80",
        b"\xe9",
        b"0",
        b"X",
        b",",
        b"/",
        b"\r\n\r\n",
    ),
    *(
        b"Content-Length: 3\r\n",
        b"content-length: 12\r\n",
        b"Content-Length: 1234567890\r\n",
        b"Host: x\r\n",
        b"host: y\r\n",
    ),
    *(b"Connection: close\r\n", b"connection: keep-alive\r\n", b"TE: x\r\n", b"trailer: x\r\n", b"Trailers: x\r\n"),
    *(b"Proxy-A: b\r\n", b"proxy-1: b\r\n", b"Expect: x\r\n", b"upgrade: x\r\n", b"GET", b"HTTP/1.1", b"204", b"304"),
]


def load(path: Path) -> Any:
    """The extension at `path`."""
    spec = importlib.util.spec_from_file_location("_fast_parser", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def odd_message(noise: random.Random) -> bytes:
    """One, made of a plain one."""
    data = bytearray(noise.choice([*MESSAGES, noise.randbytes(20)]))
    for _ in range(noise.choice((0, 1, 1, 2, 3))):
        at = noise.randint(0, len(data))
        data[at : at + noise.choice((0, 0, 1, 2, 5))] = noise.choice(PIECES)
    if noise.random() < 0.01:
        data = data.replace(
            b"x",
            b"x" * noise.randint(fast_parser_py.PLAIN_HEAD_BYTES_MAX - 90, fast_parser_py.PLAIN_HEAD_BYTES_MAX + 90),
            1,
        )
    if noise.random() < 0.1:
        del data[noise.randint(0, len(data)) :]
    return bytes(data)


def compare(compiled: Any, data: bytes, limit: int) -> bool:
    """Fails where the two differ. Is the message plain?"""
    request, answer = compiled.frame_request(data), compiled.frame_answer(data, limit)
    assert (request and tuple(request)) == fast_parser_py.frame_request(data), data
    assert (answer and tuple(answer)) == fast_parser_py.frame_answer(data, limit), data
    if request or (answer and answer.status):
        assert compiled.split_message(data) == fast_parser_py.split_message(data), data
        return True
    with suppress(ValueError):
        compiled.split_message(data)
    return False


def main() -> None:
    """Compare, and print how many messages were plain."""
    compiled, noise = load(Path(sys.argv[1])), random.Random(int(sys.argv[2]))
    count = int(sys.argv[3])
    print(sum(compare(compiled, odd_message(noise), noise.choice((0, 2, 3, 65536))) for _ in range(count)))


if __name__ == "__main__":
    main()
