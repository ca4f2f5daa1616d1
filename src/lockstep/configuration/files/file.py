"""Configuration as code: read the documents of a file, check them completely, and convert each section to its canonical JSON form.

Omitted sections stay unchanged. A section that is present replaces the stored one. Secrets appear only
as references (`env:NAME`, `file:/path`); a value that could be a secret is refused and never repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lockstep.configuration.document.strict_json import ConfigurationError, Part
from lockstep.configuration.files.names import (
    APPLICATION_RULE,
    ORGANISATION_RULE,
    SOURCE_RULE,
    is_application_name,
    is_organisation_name,
    is_source_name,
)
from lockstep.configuration.files.sections import application_from_json, group_from_json, tenant_from_json
from lockstep.configuration.files.source import source_from_json
from lockstep.configuration.files.yaml_reading import YamlDocument, read_yaml
from lockstep.errors import LockstepError, invalid

API_VERSION = "lockstep/v1"


class DocumentKind(StrEnum):
    TENANT = "Tenant"
    SOURCE = "Source"
    GROUP = "Group"
    APPLICATION = "Application"


# The check of a document's name for each kind, and the rule as a sentence.
_NAMES: Mapping[DocumentKind, tuple[Callable[[str], bool], str]] = {
    DocumentKind.TENANT: (is_organisation_name, ORGANISATION_RULE),
    DocumentKind.SOURCE: (is_source_name, SOURCE_RULE),
    DocumentKind.APPLICATION: (is_application_name, APPLICATION_RULE),
}
_SECTIONS: Mapping[DocumentKind, Callable[[Part], dict[str, Any]]] = {
    DocumentKind.TENANT: tenant_from_json,
    DocumentKind.SOURCE: source_from_json,
    DocumentKind.GROUP: group_from_json,
    DocumentKind.APPLICATION: application_from_json,
}


@dataclass(frozen=True)
class ConfigDocument:
    """One document. *spec* has only the sections of the file, in canonical form. *origin* says where it was read."""

    kind: DocumentKind
    name: str
    spec: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    origin: YamlDocument | None = field(default=None, compare=False, repr=False)

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}"

    def wrong(self, place: str, error: LockstepError) -> LockstepError:
        """Return *error* with a position in the file added: the position of *place*, such as `spec.template`, whose content caused the
        error.
        """
        if self.origin is None:
            return error
        line, column = self.origin.position(place)
        detail = f"{self.origin.file}:{line}:{column}: {error.detail}"
        return LockstepError(error.kind, detail, why=error.why, next_step=error.next_step, code=error.code)


def read_documents(text: str, file: str) -> tuple[ConfigDocument, ...]:
    """Read the documents of one file. Raises LockstepError with file, line, column, the key's path and a suggestion."""
    return tuple(_document(document) for document in read_yaml(text, file))


def refuse_doubles(documents: Sequence[ConfigDocument]) -> None:
    """Raise LockstepError if two documents describe the same object."""
    seen: dict[tuple[str, str], ConfigDocument] = {}
    for document in documents:
        key = (document.kind, document.name)
        if key in seen:
            origin = seen[key].origin
            first = f", first in {origin.file}:{origin.position('')[0]}" if origin else ""
            raise document.wrong("metadata.name", invalid(f"{document.title} is defined twice{first}"))
        seen[key] = document


def document_to_json(document: ConfigDocument) -> dict[str, Any]:
    """Convert *document* to its form in a file, with keys in their usual order."""
    metadata: dict[str, Any] = {"name": document.name}
    if document.labels:
        metadata["labels"] = dict(document.labels)
    return {
        "apiVersion": API_VERSION,
        "kind": document.kind.value,
        "metadata": metadata,
        "spec": dict(document.spec),
    }


def _checked_name(metadata: Part, kind: DocumentKind) -> str:
    name = metadata.text("name", required=True)
    if kind in _NAMES:
        is_possible, rule = _NAMES[kind]
        if not is_possible(name):
            raise metadata.error("name", f'"{name[:80]}" is not a valid name for this {kind.lower()}', next_step=rule)
    return name


def _document(origin: YamlDocument) -> ConfigDocument:
    try:
        part = Part(origin.value)
        version = part.text("apiVersion", required=True)
        if version != API_VERSION:
            raise part.error("apiVersion", f'"{version[:40]}" is not supported; use {API_VERSION}')
        part.text("kind", required=True)
        kind = part.word("kind", DocumentKind, DocumentKind.APPLICATION)
        metadata = part.part("metadata")
        name = _checked_name(metadata, kind)
        labels = {} if kind is DocumentKind.GROUP else metadata.part("labels").whole()  # groups have no labels
        for key, value in labels.items():
            if not isinstance(value, str):
                raise ConfigurationError(f"metadata.labels.{key}", "must be text")
        metadata.done()
        spec = _SECTIONS[kind](part.part("spec"))
        part.done()
    except ConfigurationError as error:
        raise origin.located(error) from None
    return ConfigDocument(kind, name, spec, labels, origin)
