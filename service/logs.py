"""Log lines: JSON for machines, coloured on a terminal. Values are escaped, so no name can break a line."""

from __future__ import annotations

import logging
import sys

import orjson
import structlog


def configure(level: str, form: str) -> None:
    """Set up logging for this process; `form` is json, console, or auto: console where stderr is a terminal."""
    on_terminal = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if on_terminal:
        structlog.configure(
            processors=[*shared, _on_terminal()],
            wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
            cache_logger_on_first_use=True,
        )
        return
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


def _on_terminal() -> structlog.dev.ConsoleRenderer:
    """With plain tracebacks: by default they show the values of local variables, among them what is secret."""
    return structlog.dev.ConsoleRenderer(pad_event_to=0, exception_formatter=structlog.dev.plain_traceback)


def _dumps(value: object, **_: object) -> bytes:
    return orjson.dumps(value, default=str)
