"""The child process of the console: reads a recording, follows it, answers questions about it, tells what is new.

It is told a data directory. Each line of its standard input is a question: `{"id": 1, "ask": "rows", "at": 0}`. On standard
output a line of JSON comes before each body: `{"id": 1, "bytes": 20, "gzip": true}` for an answer, `{"event": "changed",
"bytes": 20}` for an event. A body is JSON as the page reads it (`reports.page.data`).

| question | answer |
|---|---|
| `overview` | what the recording says of itself |
| `rows`, `at` | calls from a place on, some thousands of them |
| `resources`, `at` | resources whose numbers are above one, some hundreds of them |
| `calls`, `at` | requests and answers of the calls from a place on |
| `call`, `at` | request and answer of the call with a number |

| event | what it says |
|---|---|
| `progress` | how many calls were read, of how many |
| `renewed` | all was read (anew): what was known before is not true any more |
| `changed` | calls and resources that came or changed |
| `trouble` | why the recording cannot be read; empty once it can |

It has a low priority, and ends with its parent.
"""

from __future__ import annotations

import gzip
import os
import select
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.control.console.followed_recording import LINES_MAX, FollowedRecording, News
from replay_proxy.errors import ReplayProxyError
from replay_proxy.priority import give_way
from replay_proxy.reports.page.data import call_details, call_row, gone_row, overview, resource_row
from replay_proxy.reports.page.preview import page_json

LOOK_INTERVAL_S: Final = 0.2
TROUBLE_INTERVAL_S: Final = 2.0
ROWS_MAX, RESOURCES_MAX, CALLS_MAX = 5000, 500, 500
"""Of one answer or event."""
_PROGRESS_S: Final = 0.3
_TEXTS: Final = (2000, 12_000)
_TEXTS_OF_MANY: Final = (1000, 4000)
_MANY: Final = 2000
_PACKED_MIN: Final = 2048


class Worker:
    """Answers questions about one recording."""

    def __init__(self, data_dir: Path) -> None:
        self._followed = FollowedRecording(data_dir, self._progress)
        self._told_progress_s = time.monotonic()
        self._is_loaded = False
        self._trouble = ""
        self._parent = os.getppid()
        self._questions = b""

    def run(self) -> None:
        """Work until standard input ends."""
        while True:
            busy = self._look()
            pause = 0.0 if busy else LOOK_INTERVAL_S if self._is_loaded else TROUBLE_INTERVAL_S
            readable, _, _ = select.select([0], [], [], pause)
            if readable and not self._take_questions():
                return

    # The recording.

    def _look(self) -> bool:
        """Read what is new. Returns whether there may be more already."""
        try:
            news = self._followed.follow() if self._is_loaded else None
            if news is None:
                self._is_loaded = False
                self._followed.load()
                self._is_loaded = True
                self._event("renewed", page_json({"generation": self._generation}))
            elif news:
                self._tell(news)
        except ReplayProxyError as error:
            self._say_trouble(f"{error.message}; {error.hint}" if error.hint else error.message)
            return False
        self._say_trouble("")
        return news is not None and len(news.calls) >= LINES_MAX // 2

    def _tell(self, news: News) -> None:
        rows = _joined(map(call_row, news.calls))
        changed = [self._resource(number) for number in news.changed]
        for begin in range(0, max(len(changed), 1), RESOURCES_MAX):
            resources = _joined(changed[begin : begin + RESOURCES_MAX])
            self._event("changed", f'{{"rows":[{rows}],"resources":[{resources}]}}')
            rows = ""

    def _say_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._event("trouble", page_json({"reason": trouble}))

    def _progress(self, done: int, total: int) -> None:
        if os.getppid() != self._parent:
            sys.exit(1)  # standard input, which tells that otherwise, is not looked at meanwhile
        now = time.monotonic()
        if now - self._told_progress_s > _PROGRESS_S:
            self._told_progress_s = now
            self._event("progress", page_json({"done": done, "total": total}))

    @property
    def _generation(self) -> str:
        return f"{os.getpid()}.{self._followed.generation}"

    @property
    def _texts(self) -> tuple[int, int]:
        """How long texts and documents may be."""
        model = self._followed.model
        return _TEXTS_OF_MANY if len(model.calls) + len(model.resources) > _MANY else _TEXTS

    def _resource(self, number: int) -> str:
        model = self._followed.model
        resource = model.resources.get(number)
        if resource is not None:
            return resource_row(model, resource, *self._texts)
        gone = model.gone.get(number)
        return page_json({"number": number, "left": True}) if gone is None else gone_row(model, gone)

    # Questions.

    def _take_questions(self) -> bool:
        data = os.read(0, 1 << 16)
        *lines, self._questions = (self._questions + data).split(b"\n")
        for line in lines:
            question = orjson.loads(line)
            self._send({"id": question["id"]}, self._answer(question["ask"], int(question.get("at", 0))))
        return bool(data)

    def _answer(self, ask: str, at: int) -> str:
        """Return an answer as JSON; one with `error` where there is none."""
        if not self._is_loaded:
            return page_json({"error": self._trouble or "the recording is being read"})
        answers: dict[str, Callable[[int], str]] = {
            "overview": self._overview,
            "rows": self._rows,
            "resources": self._resources,
            "calls": self._calls,
            "call": self._call,
        }
        try:
            return answers[ask](at)
        except ReplayProxyError as error:
            return page_json({"error": error.message, "hint": error.hint})

    def _overview(self, _at: int) -> str:
        shown = overview(self._followed.recording, self._followed.model, None)
        return page_json({**shown, "generation": self._generation})

    def _rows(self, at: int) -> str:
        return f"[{_joined(map(call_row, self._followed.model.calls[at : at + ROWS_MAX]))}]"

    def _resources(self, at: int) -> str:
        numbers = sorted(self._followed.model.resources.keys() | self._followed.model.gone.keys())
        begin = bisect_right(numbers, at)
        return f"[{_joined(map(self._resource, numbers[begin : begin + RESOURCES_MAX]))}]"

    def _calls(self, at: int) -> str:
        load = self._followed.load_body
        details = (call_details(record, load, *self._texts) for record in self._followed.details(at, CALLS_MAX))
        return f"[\n{_joined(details)}\n]"

    def _call(self, seq: int) -> str:
        try:
            record = self._followed.recording.fetch(seq)
        except KeyError:
            return page_json({"error": f"the recording has no call {seq}"})
        return f"[\n{call_details(record, self._followed.load_body, *_TEXTS)}\n]"

    # Output.

    def _event(self, name: str, body: str) -> None:
        self._send({"event": name}, body, packed=False)

    def _send(self, head: dict[str, Any], text: str, *, packed: bool = True) -> None:
        body = text.encode("utf-8", "surrogatepass")
        if packed and len(body) > _PACKED_MIN:
            body, head = gzip.compress(body, 4), {**head, "gzip": True}
        out = sys.stdout.buffer
        out.write(orjson.dumps({**head, "bytes": len(body)}) + b"\n")
        out.write(body)
        out.flush()


def _joined(documents: Iterable[str]) -> str:
    return ",\n".join(documents)


def main(data_dir: str) -> int:
    """Work for the proxy that started this process; the exit code."""
    give_way()
    with suppress(BrokenPipeError, KeyboardInterrupt):
        Worker(Path(data_dir)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
