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
    """What one document changes. *spec*: the sections that differ, as they will be; *current*: what is in force.

    *is_gone*: the files speak for everything and do not have it; pruning removes it.
    *looked_at_again*: about how many objects are evaluated again when this is saved; only what then differs is written.
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
        """With what has to be said of the file itself, whether it changes anything or not."""
        return replace(self, notes=(*self.notes, *file_notes(self.document.spec)))


@dataclass(frozen=True)
class ConfigurationPlan:
    """What all documents change, in the order in which it is applied: sources first."""

    documents: tuple[DocumentPlan, ...]

    @property
    def changes(self) -> tuple[ConfigChange, ...]:
        return tuple(change for document in self.documents for change in document.changes)

    @property
    def effective(self) -> tuple[ConfigChange, ...]:
        """The changes that applying would make: all but what stays."""
        return tuple(change for change in self.changes if not change.is_kept)
