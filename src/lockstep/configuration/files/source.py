"""Read the `spec` of a source and convert it to its canonical JSON form.

Every kind of source has its own keys, so that a misspelt key is refused instead of being stored without effect. Only csv sources can be
opened so far. Documents of other kinds are read and planned, but their keys are not checked.
"""

from __future__ import annotations

from typing import Any

from lockstep.configuration.document.strict_json import Part, unknown_word
from lockstep.configuration.files.secrets import refuse_secrets

SOURCE_TYPES = ("csv", "ldap", "graph", "sql", "scim", "demo")
OPENED_SOURCE_TYPES = ("csv",)
FILE_KINDS = ("people", "groups", "members")


def source_from_json(part: Part) -> dict[str, Any]:
    kind = part.text("type", required=True)
    if kind not in SOURCE_TYPES:
        raise part.error("type", unknown_word(kind, SOURCE_TYPES, "type of source"))
    spec: dict[str, Any] = {"type": kind}
    if "displayName" in part:
        spec["displayName"] = part.text("displayName")
    if "connection" in part:
        refuse_secrets(part.part("connection").whole(), part.place_of("connection"))
        connection = part.part("connection")
        spec["connection"] = _csv_connection(connection) if kind == "csv" else dict(connection.whole())
    if kind != "csv" and "delta" in part:
        refuse_secrets(part.part("delta").whole(), part.place_of("delta"))
        spec["delta"] = dict(part.part("delta").whole())
    elif part.has("delta"):
        raise part.error(
            "delta",
            "CSV files cannot be read in part: each import reads the whole file",
            next_step="Remove it; connection.partial keeps people who are not in the file",
        )
    if "attributes" in part:
        inner = part.part("attributes")
        for name, meaning in inner.whole().items():
            if not (isinstance(meaning, list) and meaning and all(isinstance(one, str) and one for one in meaning)):
                inner.text(name, required=True)
        spec["attributes"] = dict(inner.whole())
    part.done()
    return spec


def _csv_connection(part: Part) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "files" in part:
        found["files"] = [_csv_file(file) for file in part.parts("files")]
    for key in ("every", "encoding", "delimiter"):
        if key in part:
            found[key] = part.text(key)
    for key in ("values", "dateFormats"):
        if key in part:
            found[key] = dict(part.part(key).whole())
    if "partial" in part:
        found["partial"] = part.boolean("partial", default=False)
    part.done()
    return found


def _csv_file(part: Part) -> dict[str, Any]:
    found = {"path": part.text("path", required=True)}
    if "kind" in part:
        kind = found["kind"] = part.text("kind")
        if kind not in FILE_KINDS:
            raise part.error("kind", unknown_word(kind, FILE_KINDS, "kind of file"))
    if "group" in part:
        found["group"] = part.text("group")
    part.done()
    return found
