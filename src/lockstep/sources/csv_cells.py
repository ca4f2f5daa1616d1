"""Convert the cells of one column to values of its attribute.

The administrator's meanings of words take precedence over the built-in meanings. A word without a known meaning never enables an account:
its row is reported as unusable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockstep.directory.attributes import DirectoryAttribute, DirectoryType, parse_boolean, parse_value, plain, shown
from lockstep.directory.dates import ANY_FORM, DateForm, form_from_text
from lockstep.errors import invalid
from lockstep.sources.csv_columns import AttributeColumn
from lockstep.sources.csv_names import ENABLED, find_column

Words = Mapping[str, Mapping[str, str]]  # column to word to meaning
ReadCell = Callable[[str], Any]

# A boolean attribute without the words "enabled" and "disabled", which name the state of an account.
_PLAIN_BOOLEAN = DirectoryAttribute("blockCredential", DirectoryType.BOOLEAN)
_STATES = {"enabled": True, "disabled": False}


@dataclass(frozen=True, slots=True)
class CellReader:
    """Reads the cells of one column. *dates* is the form of the dates in it, which is known only after a survey of the column."""

    column: AttributeColumn
    words: Mapping[str, str]  # in lower case
    dates: DateForm = ANY_FORM

    def reader(self) -> ReadCell:
        """Return the function that reads one cell. It returns the value, or None for an empty cell, and raises UnreadableValue."""
        attribute, words, dates = self.column.attribute, self.words, self.dates
        if attribute.type is DirectoryType.BOOLEAN:
            return self._boolean_reader()
        longest = attribute.max_length
        is_text = attribute.type is DirectoryType.STRING

        def read(text: str) -> Any:
            # The usual case: nothing to check or to compose.
            if is_text and len(text) <= longest and text.isascii() and text.isprintable():
                return text.strip() or None
            return parse_value(attribute, text, dates)

        def read_explained(text: str) -> Any:
            return read(words.get(plain(text).casefold(), text))

        return read_explained if words else read

    def _boolean_reader(self) -> ReadCell:
        attribute, is_inverse = self.column.attribute, self.column.is_inverse
        explained = {word: self._meaning(word, value) for word, value in self.words.items()}
        known: dict[str, bool | None] = {"": None}  # cache, because a column has many cells but few different values

        def read(text: str) -> bool | None:
            if text not in known:
                word = plain(text).casefold()
                if word in explained:
                    known[text] = explained[word]
                else:
                    value = parse_value(attribute, text)
                    if is_inverse and value is not None:
                        # In a column "Block credential", the word "blocked" names the state of the account, but "yes" names its
                        # opposite. Only words like "yes" are inverted.
                        value = not parse_boolean(_PLAIN_BOOLEAN, text)
                    known[text] = value
            return known[text]

        return read

    def _meaning(self, word: str, value: str) -> bool:
        """Return the boolean for *word*. *value* is the meaning that the administrator gave it, such as `true` or `disabled`.

        Raises LockstepError if *value* is not a boolean. In an inverted column (`Blocked`), `true` could mean enabled or blocked, so only
        words such as `enabled` and `disabled` are accepted.
        """
        name = self.column.attribute.name
        if name == ENABLED and value.casefold() in _STATES:
            return _STATES[value.casefold()]
        if self.column.is_inverse:
            raise invalid(
                f'"{shown(word)}" in the column {shown(self.column.name)} cannot mean "{shown(value)}"',
                why="The column name suggests blocked accounts, so true could mean enabled or blocked",
                next_step=f'Write: --value "{self.column.name}:{word}=disabled" or =enabled',
            )
        try:
            return parse_boolean(self.column.attribute, value)
        except ValueError:
            raise invalid(
                f'"{shown(word)}" in the column {shown(self.column.name)} cannot mean "{shown(value)}"',
                next_step=f'Write: --value "{self.column.name}:{word}=true" or =false',
            ) from None


def cell_readers(
    columns: Sequence[AttributeColumn], names: Sequence[str], words: Words, date_formats: Mapping[str, str]
) -> list[CellReader]:
    """Return a reader for each of *columns*. Raises LockstepError for an unknown column or an invalid date format.

    The keys of *date_formats* are columns; the key "" stands for all columns.
    """
    explained: dict[str, dict[str, str]] = {}
    for column, meanings in words.items():
        exact = find_column(names, column)
        explained.setdefault(exact, {}).update({plain(word).casefold(): value for word, value in meanings.items()})
    forms: dict[str, DateForm] = {}
    for column, text in date_formats.items():
        form = form_from_text(text)
        if form is None:
            raise invalid(
                f'"{shown(text)}" is not a date format',
                next_step="Write it with DD, MM and YYYY, for example: --date-format DD/MM/YYYY",
            )
        forms[find_column(names, column) if column else ""] = form
    readers = [
        CellReader(one, explained.get(one.name, {}), forms.get(one.name, forms.get("", ANY_FORM))) for one in columns
    ]
    for reader in readers:
        reader.reader()  # raises now if the meaning of a word is invalid
    return readers
