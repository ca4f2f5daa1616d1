"""The changes that applying configuration files would make, document by document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lockstep.configuration.files.change import ConfigChange
from lockstep.configuration.files.file import ConfigDocument
from lockstep.configuration.unsent_mail import file_notes


@dataclass(frozen=True)
class DocumentPlan:
    """The changes that one document makes. *spec* contains the new values of the sections that differ, and *current* the values in force.

    *is_gone* is true for an application or source that is missing from a set of files for the whole organisation. Pruning removes it.
    *looked_at_again* estimates the number of objects that are re-evaluated after saving. Re-evaluation writes to the application only the
    values that differ.
    """

    document: ConfigDocument
    is_new: bool
    changes: tuple[ConfigChange, ...]
    spec: Mapping[str, Any]
    current: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    looked_at_again: int = 0
    is_gone: bool = False

    def with_file_notes(self, *, sends_mail: bool) -> DocumentPlan:
        """Return the plan together with the notes on the file itself. A file that changes nothing can have notes, too."""
        return replace(self, notes=(*self.notes, *file_notes(self.document.spec, sends_mail=sends_mail)))


@dataclass(frozen=True)
class ConfigurationPlan:
    """The changes of all documents, in the order in which they are applied: sources come first."""

    documents: tuple[DocumentPlan, ...]

    @property
    def changes(self) -> tuple[ConfigChange, ...]:
        return tuple(change for document in self.documents for change in document.changes)

    @property
    def effective(self) -> tuple[ConfigChange, ...]:
        """Return the changes that applying would make. Leaves out changes that are listed only for information."""
        return tuple(change for change in self.changes if not change.is_kept)
