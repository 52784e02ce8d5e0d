"""A recording as one encrypted file.

    magic (8) | log2 N, r, p of scrypt (1 each) | salt (16) | nonce prefix (7)       <- the header, authenticated
    chunks of 64 KiB of plaintext, each AES-256-GCM: ciphertext and tag (16)

The key is scrypt(passphrase, salt). The nonce of a chunk is the prefix, its number (4 bytes, big endian) and 1 for the
last chunk, else 0: the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015), so that chunks cannot be left
out, exchanged, repeated or cut off. The header is associated data of every chunk. The plaintext is a tar archive.
Memory is bounded by the chunk and by scrypt (32 MiB), whatever the size.
"""

from __future__ import annotations

import io
import os
import struct
from typing import IO, TYPE_CHECKING, Final

from replay_proxy.errors import RecordingError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC: Final = b"RPXSEAL\x01"
CHUNK: Final = 64 * 1024
TAG: Final = 16
_HEADER: Final = struct.Struct(">8sBBB16s7s")
_LOG2_N, _R, _P = 15, 8, 1
# What a file may ask for: 128 MiB of memory, and some seconds.
_MOST_LOG2_N, _MOST_R, _MOST_P = 17, 8, 4
_LAST_NUMBER: Final = (1 << 32) - 1


def is_encrypted(start: bytes) -> bool:
    """Whether a file that begins with `start` looks like an encrypted recording."""
    return start.startswith(MAGIC[:7])


class EncryptingWriter(io.RawIOBase):
    """Encrypts what is written into `sink`; `finish` completes it. An unfinished file cannot be opened."""

    def __init__(self, sink: IO[bytes], passphrase: str) -> None:
        self._sink = sink
        self._prefix = os.urandom(7)
        salt = os.urandom(16)
        self._header = _HEADER.pack(MAGIC, _LOG2_N, _R, _P, salt, self._prefix)
        self._cipher = _cipher(passphrase, salt, _LOG2_N, _R, _P)
        self._held = bytearray()
        self._number = 0
        sink.write(self._header)

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # what tarfile gives
        self._held += data
        while len(self._held) > CHUNK:  # the last chunk is only known at the end
            self._put(bytes(self._held[:CHUNK]), last=False)
            del self._held[:CHUNK]
        return len(data)

    def finish(self) -> None:
        """Write the last chunk."""
        self._put(bytes(self._held), last=True)
        self._held.clear()

    def _put(self, plain: bytes, *, last: bool) -> None:
        if self._number >= _LAST_NUMBER:
            raise UsageError(
                "the recording is too large to be encrypted into one file", hint="export it without --encrypt"
            )
        nonce = _nonce(self._prefix, self._number, last=last)
        self._sink.write(self._cipher.encrypt(nonce, plain, self._header))
        self._number += 1


class DecryptingReader(io.RawIOBase):
    """Decrypts `source` as it is read. Raises RecordingError where it is damaged, or the passphrase is another."""

    def __init__(self, source: IO[bytes], passphrase: str, name: str) -> None:
        self._source = source
        self._name = name
        self._header = source.read(_HEADER.size)
        if len(self._header) < _HEADER.size or not is_encrypted(self._header):
            raise RecordingError(f"{name} is no encrypted recording", hint="`replay-proxy export --encrypt` makes one")
        magic, log2_n, r, p, salt, self._prefix = _HEADER.unpack(self._header)
        if magic != MAGIC:
            raise RecordingError(f"{name} is of a newer format", hint="use the version of replay-proxy that wrote it")
        if not (10 <= log2_n <= _MOST_LOG2_N and 1 <= r <= _MOST_R and 1 <= p <= _MOST_P):
            raise RecordingError(f"{name} is damaged: its header asks for too much memory", hint="bring back a copy")
        self._cipher = _cipher(passphrase, salt, log2_n, r, p)
        self._next = source.read(CHUNK + TAG)
        self._plain = b""
        self._number = 0
        self.done = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the buffer that BufferedReader gives
        while not self._plain and not self.done:
            self._open()
        taken = self._plain[: len(buffer)]
        buffer[: len(taken)] = taken
        self._plain = self._plain[len(taken) :]
        return len(taken)

    def _open(self) -> None:
        from cryptography.exceptions import InvalidTag

        sealed, self._next = self._next, self._source.read(CHUNK + TAG)
        last = not self._next
        try:
            nonce = _nonce(self._prefix, self._number, last=last)
            self._plain = self._cipher.decrypt(nonce, sealed, self._header)
        except InvalidTag:
            hint = "check REPLAY_PASSPHRASE" if self._number == 0 else "bring the file back from a copy"
            what = (
                "the passphrase is wrong, or the file is damaged"
                if self._number == 0
                else "the file is damaged or cut off"
            )
            raise RecordingError(f"{self._name} cannot be decrypted: {what}", hint=hint) from None
        self._number += 1
        self.done = last


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])


def _cipher(passphrase: str, salt: bytes, log2_n: int, r: int, p: int) -> AESGCM:
    if not passphrase:
        raise UsageError("an empty passphrase protects nothing", hint="set REPLAY_PASSPHRASE")
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    except ImportError as error:
        raise UsageError(
            "encryption needs the package cryptography, which is not installed",
            hint="pip install 'replay-proxy[encrypt]'",
        ) from error
    return AESGCM(Scrypt(salt=salt, length=32, n=1 << log2_n, r=r, p=p).derive(passphrase.encode()))
