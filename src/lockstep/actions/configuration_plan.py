"""What applying configuration files would change, document by document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lockstep.configuration.files.change import ConfigChange
from lockstep.configuration.files.file import ConfigDocument
from lockstep.configuration.unsent_mail import file_notes


@dataclass(frozen=True)
class DocumentPlan:
    """The changes of one document. *spec*: the sections that differ, with new values; *current*: what is in force.

    *is_gone*: the files describe the whole organisation and do not contain it, so pruning removes it. *looked_at_again*: about how many
    objects are re-evaluated after saving; only differences are written.
    """

    document: ConfigDocument
    is_new: bool
    changes: tuple[ConfigChange, ...]
    spec: Mapping[str, Any]
    current: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    looked_at_again: int = 0
    is_gone: bool = False

    def with_file_notes(self) -> DocumentPlan:
        """Add the notes on the file itself, even if it changes nothing."""
        return replace(self, notes=(*self.notes, *file_notes(self.document.spec)))


@dataclass(frozen=True)
class ConfigurationPlan:
    """The changes of all documents in the order in which they are applied: sources first."""

    documents: tuple[DocumentPlan, ...]

    @property
    def changes(self) -> tuple[ConfigChange, ...]:
        return tuple(change for document in self.documents for change in document.changes)

    @property
    def effective(self) -> tuple[ConfigChange, ...]:
        """Return the changes that applying would make, without those that are only listed for information."""
        return tuple(change for change in self.changes if not change.is_kept)
