"""Check a whole file before anything is written: the order of day and month in its dates, and whether most of its rows are
unreadable.

Only the whole file can show the order: 25/03/2026 in the last row proves how 03/04/2026 in the first row must be read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lockstep.directory.attributes import Cause, shown
from lockstep.directory.dates import DayOrder, is_clocked_in_halves, orders_of
from lockstep.directory.rows import BadRow, Survey
from lockstep.errors import LockstepError, invalid

_MOST_WORDS = 8


@dataclass(slots=True)
class DateEvidence:
    """Evidence for the order of day and month in one column. Each piece of evidence is stored with the line of an example."""

    column: str
    proofs: dict[DayOrder, tuple[str, int]] = field(default_factory=dict)
    open: tuple[str, int] | None = None
    is_open_without_halves: bool = False

    def add(self, text: str, line: int) -> None:
        orders = orders_of(text)
        if len(orders) == 1:
            self.proofs.setdefault(next(iter(orders)), (text, line))
        elif orders:
            self.open = self.open or (text, line)
            if not is_clocked_in_halves(text):
                self.is_open_without_halves = True

    def order(self) -> DayOrder | None:
        """Return the order of day and month in the dates of the column, or None if the order makes no difference.

        Raises LockstepError if the dates contradict each other, or if the administrator has to specify the order.
        """
        if len(self.proofs) == 2:
            (day, day_line), (month, month_line) = self.proofs[DayOrder.DAY_FIRST], self.proofs[DayOrder.MONTH_FIRST]
            raise self._unclear(
                f'In line {day_line} ("{shown(day)}") the day comes first, but in line {month_line} ("{shown(month)}") the month does',
                "Write all dates in one format, preferably 2026-03-31",
            )
        if self.proofs:
            return next(iter(self.proofs))
        if self.open is None:
            return None
        if not self.is_open_without_halves:
            return DayOrder.MONTH_FIRST  # 3/4/2026 8:12:00 AM, as in Entra's downloads
        text, line = self.open
        cure = " or ".join(f'--date-format "{self.column}:{order.value}"' for order in DayOrder)
        raise self._unclear(
            f'"{shown(text)}" on line {line} is ambiguous, and no other date in the column shows which comes first',
            cure,
        )

    def _unclear(self, why: str, cure: str) -> LockstepError:
        return invalid(
            f"The dates in the column {shown(self.column)} can be read in two ways",
            why=why,
            next_step=cure,
            code="DatesUnclear",
        )


@dataclass(slots=True)
class Findings:
    """The findings of the rows that were read so far."""

    of_accounts: frozenset[str] = frozenset()  # columns that show whether accounts are enabled or disabled
    rows: int = 0
    causes: Counter[tuple[str, Cause]] = field(default_factory=Counter)
    examples: dict[tuple[str, Cause], BadRow] = field(default_factory=dict)
    words: dict[str, dict[str, None]] = field(default_factory=dict)  # by column, in the order of their appearance

    def reject(self, row: BadRow) -> None:
        kind = (row.column, row.cause)
        self.causes[kind] += 1
        self.examples.setdefault(kind, row)
        if row.cause is Cause.WORD and len(self.words.setdefault(row.column, {})) < _MOST_WORDS:
            self.words[row.column][row.word] = None

    def survey(self) -> Survey:
        bad = self.causes.total()
        if not bad:
            return Survey(self.rows)
        kind, alike = self.causes.most_common(1)[0]
        return Survey(self.rows, bad, alike, self.examples[kind], self._cure(*kind))

    def _cure(self, column: str, cause: Cause) -> str:
        match cause:
            case Cause.BYTES:
                return "Specify the encoding of the file: --encoding cp1252"
            case Cause.WORD:
                # Do not suggest a complete command: only the administrator knows which of the meanings is right.
                either = "enabled|disabled" if column in self.of_accounts else "true|false"
                words = [f'--value "{column}:{shown(word)}={either}"' for word in self.words.get(column, {})]
                return f"Specify what the values mean: {' '.join(words)}"
            case Cause.DATE:
                return f'Specify its date format: --date-format "{column}:DD.MM.YYYY"'
            case Cause.CELLS:
                return "Specify the delimiter: --delimiter ';'"
            case Cause.EMPTY | Cause.FORM:
                return f"Map the column that contains it: --map COLUMN={column}"
            case _:
                return "Correct the column, or remove it from the file"
