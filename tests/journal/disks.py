"""Disks that fail on purpose: `Files` with faults, and a model of what a power cut leaves behind."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from replay_proxy.journal.storage.files import Files

CHANGES = ("write", "sync", "cut", "rename", "link", "unlink", "create", "make_dir")
"""The operations that change something, in the words of `Files`."""

Decide = Callable[[str], int]
"""Told an operation; 0 to let it pass, an errno to fail it, -1 for a write that takes one byte less than asked."""


class FaultyFiles(Files):
    """Asks `decide` before each operation that changes something. A failing write takes half of its bytes first."""

    def __init__(self, root: Path, decide: Decide) -> None:
        super().__init__(root)
        self.decide = decide

    def write(self, fd: int, data: bytes | memoryview) -> int:
        fault = self.decide("write")
        if fault > 0:
            super().write(fd, bytes(data)[: len(data) // 2])
            raise OSError(fault, os.strerror(fault))
        if fault < 0 and len(data) > 1:
            return super().write(fd, bytes(data)[:-1])
        return super().write(fd, data)

    def _ask(self, operation: str) -> None:
        fault = self.decide(operation)
        if fault > 0:
            raise OSError(fault, os.strerror(fault))

    def sync(self, fd: int) -> None:
        self._ask("sync")
        super().sync(fd)

    def cut(self, fd: int, size: int) -> None:
        self._ask("cut")
        super().cut(fd, size)

    def rename(self, old: str, new: str) -> None:
        self._ask("rename")
        super().rename(old, new)

    def link(self, old: str, new: str) -> None:
        self._ask("link")
        super().link(old, new)

    def unlink(self, name: str) -> None:
        self._ask("unlink")
        super().unlink(name)

    def create(self, name: str) -> int:
        self._ask("create")
        return super().create(name)

    def make_dir(self, name: str) -> None:
        self._ask("make_dir")
        super().make_dir(name)


class DyingFiles(FaultyFiles):
    """Kills its own process with SIGKILL at the `step`-th change: before it, or (writes) when half of it is done."""

    def __init__(self, root: Path, step: int) -> None:
        super().__init__(root, self._count)
        self.left = step

    def _count(self, operation: str) -> int:
        self.left -= 1
        if self.left == 0 and operation != "write":
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    def write(self, fd: int, data: bytes | memoryview) -> int:
        self._count("write")
        if self.left == 0:
            Files.write(self, fd, bytes(data)[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return Files.write(self, fd, data)


class FullDisk:
    """A `Decide` that fails writes with `error` while `full` is set."""

    def __init__(self, error: int = errno.ENOSPC) -> None:
        self.full = False
        self.error = error

    def __call__(self, operation: str) -> int:
        return self.error if self.full and operation in ("write", "create", "make_dir") else 0


SECTOR = 64
"""Bytes that a power cut keeps or loses together. Smaller than any real one, so that every line is cut somewhere."""


class VolatileDisk(Files):
    """Real files below `root`, and beside them a model of what is on stable storage.

    Content is stable up to the last `sync` of its file, names up to the last `sync_dir` of their directory. What a
    power cut leaves of the rest is drawn by the test: each unsynced sector is there or reads as zeros, the length is
    any between the synced and the present one, and each directory has its stable names or its present ones.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.content: dict[int, bytearray] = {}
        self.stable_content: dict[int, bytes] = {}
        self.names: dict[str, dict[str, int]] = {"": {}}
        self.stable_names: dict[str, dict[str, int]] = {"": {}}

    def _inode(self, fd: int) -> int:
        return os.fstat(fd).st_ino

    def make_dir(self, name: str) -> None:
        super().make_dir(name)
        if name not in self.names:
            parent, _, leaf = name.rpartition("/")
            self.names[name], self.stable_names[name] = {}, {}
            self.names[parent][leaf + "/"] = 0

    def _created(self, name: str, fd: int) -> int:
        inode = self._inode(fd)
        parent, _, leaf = name.rpartition("/")
        if leaf not in self.names[parent]:
            self.content[inode], self.stable_content[inode] = bytearray(), b""
            self.names[parent][leaf] = inode
        return fd

    def create(self, name: str) -> int:
        return self._created(name, super().create(name))

    def open_lock(self, name: str) -> int:
        return self._created(name, super().open_lock(name))

    def write(self, fd: int, data: bytes | memoryview) -> int:
        taken = super().write(fd, data)
        self.content[self._inode(fd)] += bytes(data)[:taken]
        return taken

    def cut(self, fd: int, size: int) -> None:
        super().cut(fd, size)
        inode = self._inode(fd)
        del self.content[inode][size:]
        # A cut that is not synced yet may or may not have happened: the longer stable content is the worse case.

    def sync(self, fd: int) -> None:
        super().sync(fd)
        inode = self._inode(fd)
        if inode in self.content:
            self.stable_content[inode] = bytes(self.content[inode])

    def sync_dir(self, name: str = "") -> None:
        super().sync_dir(name)
        self.stable_names[name] = dict(self.names[name])

    def rename(self, old: str, new: str) -> None:
        super().rename(old, new)
        old_parent, _, old_leaf = old.rpartition("/")
        new_parent, _, new_leaf = new.rpartition("/")
        self.names[new_parent][new_leaf] = self.names[old_parent].pop(old_leaf)

    def link(self, old: str, new: str) -> None:
        super().link(old, new)
        parent, _, leaf = old.rpartition("/")
        new_parent, _, new_leaf = new.rpartition("/")
        self.names[new_parent][new_leaf] = self.names[parent][leaf]

    def unlink(self, name: str) -> None:
        super().unlink(name)
        parent, _, leaf = name.rpartition("/")
        self.names[parent].pop(leaf, None)

    def power_cut(self, target: Path, draw: Any) -> None:
        """Lay out in `target` what is left. `draw(n)` gives a number below `n`."""
        self._lay_out("", target, draw)

    def _lay_out(self, directory: str, target: Path, draw: Any) -> None:
        target.mkdir(parents=True)
        names = (self.names if draw(2) else self.stable_names)[directory]
        for leaf, inode in names.items():
            if leaf.endswith("/"):
                below = f"{directory}/{leaf[:-1]}" if directory else leaf[:-1]
                self._lay_out(below, target / leaf[:-1], draw)
            else:
                (target / leaf).write_bytes(self._left_of(inode, draw))

    def _left_of(self, inode: int, draw: Any) -> bytes:
        stable, present = self.stable_content[inode], bytes(self.content[inode])
        if not present.startswith(stable):
            return stable if draw(2) else present
        length = len(stable) + draw(len(present) - len(stable) + 1)
        left = bytearray(present[:length])
        for begin in range(len(stable), length, SECTOR):
            if not draw(4):
                end = min(begin + SECTOR, length)
                left[begin:end] = bytes(end - begin)
        return bytes(left)
