"""The form with the reading options of an uploaded file: the attribute for each column, encoding, delimiter, words and dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData

from lockstep.actions.uploads import FileColumn, FileShape
from lockstep.configuration.reading_texts import format_texts, read_formats, read_words, word_texts

AS_NAMED, IGNORED, KEPT = "auto", "-", "kept"
KEY = "id"
ENCODINGS = (
    "utf-8",
    "utf-16",
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1254",
    "iso-8859-1",
    "iso-8859-15",
    "cp850",
    "cp932",
    "gb18030",
    "big5",
)
DELIMITERS = ((",", "Comma ,"), (";", "Semicolon ;"), ("tab", "Tab"), ("|", "Bar |"))
KINDS = (("", "As detected"), ("people", "People"), ("groups", "Groups"), ("members", "Members of groups"))
_OF_MEMBERS = ("group", "member")
_OF_PEOPLE = ("manager", "blockCredential")  # choices besides the attributes of people


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A row of the table: a column of the file, and the attributes to which it may be mapped."""

    place: int
    column: FileColumn
    chosen: str
    as_named: str
    kept: str = ""


def column_rows(shape: FileShape, config: Mapping[str, Any]) -> list[ColumnRow]:
    mapping = {str(name).lower(): meaning for name, meaning in dict(config.get("map") or {}).items()}
    rows = []
    for place, column in enumerate(shape.columns):
        given = mapping.get(column.name.lower())
        meanings = [given] if isinstance(given, str) else list(given or [])
        others = [one for one in meanings if one != KEY]
        if given is None or (meanings and not others):
            said = column.meaning or ("the key only" if column.is_key else "ignored")
            rows.append(ColumnRow(place, column, AS_NAMED, f"By its name: {said}"))
        elif len(others) > 1:
            rows.append(ColumnRow(place, column, KEPT, "By its name", ", ".join(others)))
        else:
            rows.append(ColumnRow(place, column, others[0] if others and others[0] else IGNORED, "By its name"))
    return rows


def key_column(config: Mapping[str, Any]) -> str:
    """Return the key column that the map names, or ""."""
    for name, given in dict(config.get("map") or {}).items():
        if KEY in ([given] if isinstance(given, str) else given):
            return str(name)
    return ""


def attribute_choices(shape: FileShape, names: Sequence[str]) -> list[str]:
    """Return the attributes to which a column may be mapped. *names* are the attributes of people or groups."""
    if shape.kind == "members":
        return list(_OF_MEMBERS)
    return sorted({*names, *_OF_PEOPLE} if shape.kind != "groups" else {*names}, key=str.lower)


def texts_of(config: Mapping[str, Any]) -> tuple[str, str]:
    """Return the contents of the fields for words and dates, one entry per line."""
    return "\n".join(word_texts(config.get("values") or {})), "\n".join(format_texts(config.get("dateFormats") or {}))


def config_of(form: FormData, shape: FileShape, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration that the form describes. Raises LockstepError if a line of the field *values* is not of the form
    COLUMN:WORD=VALUE.
    """
    known = {str(name).lower(): given for name, given in dict(before.get("map") or {}).items()}
    key = str(form.get("key", key_column(before)))
    mapping: dict[str, Any] = {} if shape.columns else dict(before.get("map") or {})
    for place, column in enumerate(shape.columns):
        chosen = str(form.get(f"column-{place}", AS_NAMED))
        meanings: list[str] = []
        if chosen == KEPT:
            given = known.get(column.name.lower(), [])
            meanings = [one for one in ([given] if isinstance(given, str) else given) if one != KEY]
        elif chosen != AS_NAMED:
            meanings = ["" if chosen == IGNORED else chosen]
        if column.name and column.name == key:
            meanings.insert(0, KEY)
        if column.name and meanings:
            mapping[column.name] = meanings[0] if len(meanings) == 1 else meanings
    delimiter = str(form.get("delimiter", ""))
    given_config: dict[str, Any] = {
        "map": mapping,
        "values": read_words(_lines(form, "values")),
        "dateFormats": read_formats(_lines(form, "dateFormats")),
        "encoding": str(form.get("encoding", "")),
        "delimiter": "\t" if delimiter == "tab" else delimiter,
        "partial": form.get("partial") == "on",
        "kind": str(form.get("kind", "")),
        "group": str(form.get("group", "")).strip(),
    }
    return {name: value for name, value in given_config.items() if value}


def _lines(form: FormData, name: str) -> list[str]:
    return [line.strip() for line in str(form.get(name, "")).splitlines() if line.strip()]
