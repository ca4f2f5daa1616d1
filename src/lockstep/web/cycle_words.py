"""The words in which pages describe cycles: their kinds, states, phases and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lockstep.actions.status import Cycle
from lockstep.web.status_look import StatusLook

KINDS: Mapping[str, str] = {"initial": "Initial cycle", "incremental": "Incremental cycle", "onDemand": "On demand"}
_STATES: Mapping[str, StatusLook] = {
    "running": StatusLook("Running", "info", "ring"),
    "succeeded": StatusLook("Succeeded", "ok", "check-circle"),
    "entryLevelErrors": StatusLook("Some failed", "warn", "warning"),
    "failed": StatusLook("Failed", "error", "error"),
    "cancelled": StatusLook("Stopped", "neutral", "cross-circle"),
}
PHASES: Sequence[tuple[str, str]] = (
    ("source", "Read source"),
    ("scope", "Scope"),
    ("match", "Match"),
    ("write", "Write"),
    ("references", "References"),
)
# The counts in display order, each with its label and tone.
COUNTS: Sequence[tuple[str, str, str]] = (
    ("created", "Created", ""),
    ("linked", "Linked", ""),
    ("updated", "Updated", ""),
    ("enabled", "Enabled", ""),
    ("disabled", "Disabled", ""),
    ("deleted", "Deleted", ""),
    ("unchanged", "Unchanged", ""),
    ("skipped", "Skipped", ""),
    ("left", "Changed since the preview", "warn"),
    ("held", "Held", "quarantine"),
    ("failed", "Failing", "warn"),
)
_ALWAYS = frozenset({"created", "updated", "disabled", "failed"})


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a cycle. *state* is done, now or waiting."""

    label: str
    state: str


@dataclass(frozen=True, slots=True)
class CycleRow:
    """A cycle as a row in a list or on its detail page."""

    cycle: Cycle

    @property
    def kind(self) -> str:
        if self.cycle.preview is not None:
            return f"Cycle of preview {self.cycle.preview}"
        return KINDS.get(self.cycle.kind, self.cycle.kind)

    @property
    def word(self) -> str:
        """The kind without the noun, such as "initial" or "preview 3"."""
        if self.cycle.preview is not None:
            return f"preview {self.cycle.preview}"
        return self.kind.removesuffix(" cycle").lower()

    @property
    def look(self) -> StatusLook:
        return _STATES.get(self.cycle.state, StatusLook(self.cycle.state, "neutral", "circle"))

    @property
    def seconds(self) -> float | None:
        return (self.cycle.ended_at - self.cycle.started_at).total_seconds() if self.cycle.ended_at else None

    @property
    def counts(self) -> list[tuple[str, int, str]]:
        """The label, number and tone of each count. The usual counts are shown even if they are zero."""
        known = [
            (word, self.cycle.counts.get(name, 0), tone if self.cycle.counts.get(name) else "")
            for name, word, tone in COUNTS
            if self.cycle.counts.get(name) or name in _ALWAYS
        ]
        names = {name for name, _, _ in COUNTS}
        return known + [
            (name, number, "") for name, number in self.cycle.counts.items() if number and name not in names
        ]

    @property
    def did(self) -> str:
        done = [f"{number:,} {word.lower()}" for word, number, _ in self.counts if number]
        return ", ".join(done) or "Nothing to do"

    @property
    def phases(self) -> list[Phase]:
        names = [name for name, _ in PHASES]
        now = names.index(self.cycle.phase) if self.cycle.phase in names else len(names)
        return [
            Phase(label, "done" if place < now else "now" if place == now else "waiting")
            for place, (_, label) in enumerate(PHASES)
        ]
