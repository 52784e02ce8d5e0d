"""Logging, set up once: readable lines for a terminal, or one JSON object a line; always on standard error."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

import orjson
import structlog


def _dumps(event: Any, **_options: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def set_up(log_format: str = "console", log_level: str = "info") -> None:
    """Send every log line to standard error, as `console` text or as `json`; colours only on a terminal."""
    renderer: Any
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer(serializer=_dumps)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _LenientStandardError())),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_LibraryLogHandler()], level=logging.WARNING, force=True)


class _LenientStandardError:
    """Standard error that never raises: where it is a file on a full disk, a line is lost, and no request."""

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            return sys.stderr.write(text)
        return 0

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


class _LibraryLogHandler(logging.Handler):
    """Writes log lines of libraries (aiohttp, asyncio) in the form of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        get(record.name).log(level, record.getMessage(), exc_info=record.exc_info or None)


def get(name: str) -> Any:
    """Return a logger whose lines name the part of the program that they are from."""
    return structlog.get_logger(part=name)
