"""The form *Edit Attribute*: convert a stored mapping to the form's fields, and the fields to a change of the mapping. Also format the
values of mappings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.datastructures import FormData

from lockstep.actions.mapping_pages import Sample
from lockstep.engine.records import ObjectKind
from lockstep.errors import not_found

TYPES = (("direct", "Direct"), ("constant", "Constant"), ("expression", "Expression"), ("none", "None"))
APPLIES = (("always", "Always"), ("createOnly", "Only during creation"))
_KEYS = {"direct": "source", "constant": "constant", "expression": "expression"}
_LONG_APPLIES = {
    "attributeAddOnly": "Only if the application has no value",
    "valueAddOnly": "Only add values",
    "multiValueAddOnly": "Only add values of a multi-valued attribute",
}
KINDS = {"user": ObjectKind.USER, "group": ObjectKind.GROUP}


def kind_of(word: str) -> ObjectKind:
    """Return the kind of object that *word* means in an address. Raises LockstepError for an unknown word."""
    if word not in KINDS:
        raise not_found("There is no page at this address", next_step="There are only mappings of users and of groups")
    return KINDS[word]


@dataclass(frozen=True, slots=True)
class AttributeForm:
    """The fields of the form. *original* is the target attribute of the mapping that is edited, or "" for a new one."""

    original: str = ""
    target: str = ""
    type: str = "direct"
    source: str = ""
    constant: str = ""
    expression: str = ""
    default: str = ""
    is_matching: bool = False
    precedence: str = "1"
    apply: str = "always"

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> AttributeForm:
        """Return the fields for a stored mapping."""
        kind = next((kind for kind, key in _KEYS.items() if key in row), "none")
        match = int(row.get("match", 0))
        return cls(
            original=row["target"],
            target=row["target"],
            type=kind,
            source=str(row.get("source", "")),
            constant=typed(row.get("constant")),
            expression=str(row.get("expression", "")),
            default=typed(row.get("default")),
            is_matching=match > 0,
            precedence=str(match or 1),
            apply=str(row.get("apply", "always")),
        )

    @classmethod
    def of_form(cls, form: FormData | Mapping[str, Any]) -> AttributeForm:
        def text(name: str, otherwise: str = "") -> str:
            return str(form.get(name, otherwise)).replace("\r\n", "\n").strip()

        return cls(
            original=text("original"),
            target=text("target"),
            type=text("type", "direct"),
            source=text("source"),
            constant=text("constant"),
            expression=text("expression"),
            default=text("default"),
            is_matching=text("match") == "yes",
            precedence=text("precedence", "1"),
            apply=text("apply", "always"),
        )

    @property
    def applies(self) -> Sequence[tuple[str, str]]:
        """The choices of *Apply this mapping*. Rare choices are offered only if an imported mapping uses them."""
        if self.apply in _LONG_APPLIES:
            return (*APPLIES, (self.apply, _LONG_APPLIES[self.apply]))
        return APPLIES

    def problem(self) -> tuple[str, str]:
        """Return the first missing or invalid field and what to do about it, or ("", "") if there is none."""
        if not self.target:
            return "target", "Choose the target attribute"
        if self.type == "direct" and not self.source:
            return "source", "Choose a source attribute"
        if self.type == "expression" and not self.expression:
            return "expression", "Write an expression"
        if self.type == "constant" and not self.constant:
            return "constant", "Enter the value"
        if self.is_matching and not (self.precedence.isdecimal() and 1 <= int(self.precedence) <= 99):
            return "precedence", "Matching precedence must be a whole number from 1 to 99"
        return "", ""

    def changes(self) -> dict[str, Any]:
        """Return the argument of `set_mapping`. It contains every key, so that emptied fields are removed."""
        key = _KEYS.get(self.type, "")
        given = {"source": self.source, "constant": _read(self.constant), "expression": self.expression}
        return {
            **{one: (given[one] if one == key else None) for one in given},
            "default": _read(self.default),
            "match": int(self.precedence) if self.is_matching else None,
            "apply": None if self.apply == "always" else self.apply,
        }


def typed(value: Any) -> str:
    """Format a constant or default as an administrator types it: text unchanged, other values as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _read(text: str) -> Any:
    """Parse a typed value: true, false and lists are JSON, everything else is text."""
    if text in ("true", "false") or text[:1] == "[":
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return text or None


def shown(value: Any) -> str:
    """Format a value for the cell of a table."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return orjson.dumps(value, default=str).decode()


def source_text(row: Mapping[str, Any]) -> str:
    """Return the source of a mapping for the column *Source attribute*."""
    if "constant" in row:
        return f'"{shown(row["constant"])}"'
    return str(row.get("source") or row.get("expression") or "")


@dataclass(frozen=True, slots=True)
class LiveValue:
    """The values of the sample person in one row. *now* is the value in the application. *state* is "same", "differs", or "" if unknown."""

    value: str = ""
    note: str = ""
    now: str = ""
    state: str = ""


def live_value(sample: Sample, target: str) -> LiveValue:
    mapped = sample.mapped
    if target in sample.hidden:
        return LiveValue(note="hidden")
    held = sample.held.get(target) if sample.held is not None else None
    now = shown(held)
    if mapped.problem is not None:
        return LiveValue(note="not evaluated", now=now)
    if target not in mapped.values:
        waits = any(target == missing for missing, _ in mapped.missing_references)
        note = "cleared" if target in mapped.cleared else "waits for another account" if waits else "no value"
        return LiveValue(note=note, now=now)
    value = shown(mapped.values[target])
    state = "" if sample.held is None else "same" if value == now else "differs"
    return LiveValue(value=value, now=now, state=state)
