"""The functions, one module for each family. Importing this package fills the catalogue."""

from lockstep.engine.expressions.functions import (
    encoding,
    lists,
    logic,
    numbers,
    random,
    redaction,
    roles,
    text,
    unique,
)

__all__ = ["encoding", "lists", "logic", "numbers", "random", "redaction", "roles", "text", "unique"]
