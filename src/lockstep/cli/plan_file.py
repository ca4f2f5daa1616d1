"""Plan files: `plan --out` writes them and `apply` carries them out.

A plan contains the documents themselves, so that `apply` carries out what was reviewed even if the files have changed. It contains
references to secrets, never the secrets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from lockstep.actions.configuration import ConfigurationPlan
from lockstep.actions.configuration_state import with_absolute_paths
from lockstep.actions.rows.configuration import change_json
from lockstep.configuration.files.file import ConfigDocument, DocumentKind, read_documents
from lockstep.configuration.files.write import write_documents
from lockstep.errors import CHECK_WRITING, conflict, invalid

KIND, FORMAT = "lockstep/plan", 1


@dataclass(frozen=True)
class KeptPlan:
    """A plan from a file. *changes* are the reviewed changes as JSON."""

    documents: tuple[ConfigDocument, ...]
    prune: bool
    changes: Any


def write_plan(file: Path, documents: Sequence[ConfigDocument], plan: ConfigurationPlan, *, prune: bool) -> None:
    """Write *plan* to a file for `apply`."""
    whole = [
        replace(one, spec=with_absolute_paths(one)) if one.kind is DocumentKind.SOURCE else one for one in documents
    ]
    content = {
        "kind": KIND,
        "format": FORMAT,
        "prune": prune,
        "changes": _changes(plan),
        "documents": write_documents(whole),
    }
    try:
        file.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as refused:
        raise invalid(f"{file} cannot be written: {refused.strerror}", next_step=CHECK_WRITING) from None


def read_plan(files: Sequence[str]) -> KeptPlan | None:
    """Return the plan in *files*, or None if they are configuration files. Raises LockstepError for a damaged plan."""
    if len(files) != 1 or not Path(files[0]).is_file():
        return None
    data = Path(files[0]).read_bytes()
    if f'"{KIND}"'.encode() not in data[:100]:
        return None
    try:
        content = orjson.loads(data)
        text, prune, changes = content["documents"], bool(content["prune"]), content["changes"]
        known = content["format"] == FORMAT
    except (ValueError, KeyError, TypeError):
        raise invalid(
            f"{files[0]} is a damaged plan", next_step="Create it again: lockstep plan FILES --out FILE"
        ) from None
    if not known:
        raise invalid(
            f"{files[0]} was written by another version of Lockstep",
            next_step="Create the plan again: lockstep plan FILES --out FILE",
        )
    return KeptPlan(read_documents(text, files[0]), prune, changes)


def refuse_stale(kept: KeptPlan, plan: ConfigurationPlan) -> None:
    """Raise LockstepError if applying the plan now would make other changes than the reviewed ones."""
    if _changes(plan) != kept.changes:
        raise conflict(
            "The configuration has changed since this plan was created",
            next_step="Create the plan again and review it: lockstep plan FILES --out FILE",
            code="StalePlan",
        )


def _changes(plan: ConfigurationPlan) -> Any:
    return orjson.loads(orjson.dumps([change_json(change) for change in plan.changes]))
