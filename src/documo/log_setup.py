"""Send log events to stderr as JSON lines. stdout is reserved for data."""

from __future__ import annotations

import logging

import structlog

from lockstep.process.log_lines import write_log_lines


def log_to_stderr() -> None:
    """Configure the log. Called once, by the commands that serve."""
    write_log_lines(structlog.processors.JSONRenderer(), logging.INFO, keeps_loggers=True)
