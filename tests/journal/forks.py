"""Functions that are run in a process of their own each, to be killed there.

The processes are forks of a small one: pytest is large by the time it comes here, and to fork it takes longer than what
its children do.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


class Forks:
    """Forks children of the process that it starts."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT, text=True
        )

    def killed(self, work: Callable[..., None], *arguments: str | int) -> bool:
        """Run `work`, a function of a module, in a child; was it killed?"""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([work.__module__, work.__name__, arguments]), file=self._process.stdin, flush=True)
        status = int(self._process.stdout.readline())
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "see the traceback on stderr"
        return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    made.close()


def _main() -> None:
    for line in sys.stdin:
        module, name, arguments = json.loads(line)
        work = getattr(importlib.import_module(module), name)
        gc.collect()
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            try:
                work(*arguments)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    _main()
