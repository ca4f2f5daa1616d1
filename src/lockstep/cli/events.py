"""Send log events to stderr, as text on a terminal and as JSON elsewhere. stdout is for data only."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from lockstep.process.log_lines import write_log_lines
from lockstep.settings import Settings

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def log_to_stderr(*, level: str, form: str) -> None:
    """Send events of *level* and above to stderr. *form* is auto, text or json."""
    _configure(level, form)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("psycopg.pool").setLevel(
        logging.ERROR
    )  # it retries automatically and would log every retry, twice a second


@contextmanager
def events_on_stderr(settings: Settings) -> Iterator[None]:
    """Set up logging for one command. By default, only errors are logged, because the command's output already says what happened. The
    settings can ask for more events.
    """
    before = structlog.get_config()
    _configure(settings.log_level if settings.origins["log_level"] != "default" else "error", settings.log_format)
    try:
        yield
    finally:
        structlog.configure(**before)


def _configure(level: str, form: str) -> None:
    is_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if is_text else structlog.processors.JSONRenderer(sort_keys=True)
    write_log_lines(renderer, LEVELS[level], keeps_loggers=False)


class OneLine(logging.Formatter):
    """Formats a log record of a library on one line, with the type of an exception but never its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        kind = record.exc_info[0] if record.exc_info else None
        record.exc_info = record.exc_text = record.stack_info = None
        line = " ".join(super().format(record).split())
        return f"{line} ({kind.__name__})" if kind else line
