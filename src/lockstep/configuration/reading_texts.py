"""Parse the reading options of a file (columns, words, date formats) as people type them: `COLUMN=ATTRIBUTE`, `COLUMN:WORD=VALUE`,
`[COLUMN:]FORMAT`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lockstep.errors import LockstepError, invalid


def read_columns(texts: Sequence[str]) -> dict[str, str | list[str]]:
    """Parse texts of the form COLUMN=ATTRIBUTE. Returns the attribute or attributes of each column. Raises LockstepError for any other
    form.
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        column, equals, attribute = text.rpartition("=")
        if not equals or not column:
            raise _badly_written("--map", text, "COLUMN=ATTRIBUTE")
        found.setdefault(column, []).append(attribute.strip())
    return {column: names[0] if len(names) == 1 else names for column, names in found.items()}


def read_words(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Parse texts of the form COLUMN:WORD=VALUE. Returns, for each column, the value of each word. Raises LockstepError for other forms."""
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        place, equals, value = text.rpartition("=")
        column, colon, word = place.partition(":")
        if not equals or not colon or not column or not word:
            raise _badly_written("--value", text, "COLUMN:WORD=VALUE")
        found.setdefault(column, {})[word] = value.strip()
    return found


def read_formats(texts: Sequence[str]) -> dict[str, str]:
    """Parse texts of the form [COLUMN:]FORMAT. Returns the date format of each column. The column "" stands for all columns."""
    found = {}
    for text in texts:
        column, colon, form = text.partition(":")
        # A colon may also be part of a time: DD/MM/YYYY HH:mm
        names_column = bool(colon) and not any(token in column for token in ("DD", "MM", "YY", "%"))
        found[column if names_column else ""] = form if names_column else text
    return found


def word_texts(values: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the texts that `read_words` reads as *values*."""
    return [f"{column}:{word}={meaning}" for column, words in values.items() for word, meaning in words.items()]


def format_texts(formats: Mapping[str, str]) -> list[str]:
    """Return the texts that `read_formats` reads as *formats*."""
    return [f"{column}:{form}" if column else form for column, form in formats.items()]


def _badly_written(option: str, text: str, form: str) -> LockstepError:
    return invalid(f'{option} "{text}" does not have the form {form}', next_step=f"Write it as {option} {form}")
