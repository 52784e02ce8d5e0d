"""The same for many things, a few at a time: bounded in memory, and ended by the first failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def in_parallel(function: Callable[[_T], _R], items: Iterable[_T], workers: int) -> list[_R]:
    """Return what `function` returns for each item, in their order, called by up to `workers` threads.

    Raises what the first call raises that fails; nothing is begun after it, and what was under way is waited for.
    """
    source = enumerate(items)
    lock = threading.Lock()
    results: dict[int, _R] = {}
    failures: list[BaseException] = []
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            with lock:
                following = next(source, None)
            if following is None:
                return
            number, item = following
            try:
                result = function(item)
            except BaseException as error:  # it is raised below, in the thread that asked
                failures.append(error)
                stopped.set()
                return
            with lock:
                results[number] = result

    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    for each in threads:
        each.start()
    try:
        for each in threads:
            each.join()
    finally:
        stopped.set()
    if failures:
        raise failures[0]
    return [results[number] for number in sorted(results)]
