"""Send log events to stderr, one line each. stdout is reserved for data."""

from __future__ import annotations

import sys
from typing import Any

import structlog


def write_log_lines(renderer: Any, level: int, *, keeps_loggers: bool) -> None:
    """Configure the log. *renderer* formats each line. Events below *level* (a number as in `logging`) are dropped.

    *keeps_loggers* caches each logger after its first use, which is faster. Use it only in a process that configures the log once.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=keeps_loggers,
    )
