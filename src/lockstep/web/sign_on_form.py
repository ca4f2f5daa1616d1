"""Where the value of a claim comes from, as pages show it and as forms send it."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData

from lockstep.configuration.single_sign_on import ClaimRule, SignOnSettings
from lockstep.engine.rules.mappings import Constant, Direct, Expression, MappingSource

KINDS = (("source", "Attribute"), ("expression", "Expression"), ("constant", "Constant"))


def source_text(of: ClaimRule | SignOnSettings) -> str:
    """The source as one text: an attribute as Entra shows it, user.mail."""
    kind, text = source_parts(of.name_id if isinstance(of, SignOnSettings) else of.source)
    if isinstance(of, SignOnSettings) and of.name_id_format.is_generated:
        return "made by Lockstep"
    return {"source": f"user.{text}", "constant": f'"{text}"'}.get(kind, text)


def source_parts(source: MappingSource) -> tuple[str, str]:
    """The kind of the source and its text, as the form has them."""
    match source:
        case Direct(attribute):
            return "source", attribute
        case Expression(compiled):
            return "expression", compiled.text
        case Constant(value):
            return "constant", str(value)
    return "source", ""


def typed_source(form: FormData) -> dict[str, Any]:
    """The source in a form: the field *kind* says which of the keys *value* is."""
    kind, value = str(form.get("kind", "")), str(form.get("value", "")).strip()
    if kind not in dict(KINDS):
        kind = "source"
    if kind == "source" and value.startswith("user."):
        value = value.removeprefix("user.")
    return {kind: value}
