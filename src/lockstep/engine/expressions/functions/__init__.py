"""The functions, one module per family. Importing this package fills the catalogue."""

from lockstep.engine.expressions.functions import (
    date_formats,
    dates,
    encoding,
    lists,
    logic,
    numbers,
    random,
    redaction,
    replace,
    roles,
    text,
    unique,
)

__all__ = [
    "date_formats",
    "dates",
    "encoding",
    "lists",
    "logic",
    "numbers",
    "random",
    "redaction",
    "replace",
    "roles",
    "text",
    "unique",
]
