"""Describe a log record as the end of a sentence that begins with the name of its object."""

from __future__ import annotations

from collections.abc import Mapping

from lockstep.actions.logs import LogRow

_DONE: Mapping[str, str] = {
    "create": "created in",
    "update": "updated in",
    "disable": "disabled in",
    "delete": "deleted from",
    "stagedDelete": "disabled or deleted in",
    "other": "checked in",
}


def sentence_of(row: LogRow, app: str) -> str:
    """Return the end of the sentence, such as `created in Documo`. If the record is not a success, the text says so: `could not be created
    in Documo`, `held for approval: would be created in Documo`, or `skipped in Documo`.
    """
    done = f"{_DONE.get(row.action, f'{row.action} in')} {app}"
    if row.action == "other" and app == (row.source_display or row.target_display):
        done = "checked"  # the record is about the application itself
    match row.status:
        case "success":
            return done
        case "failure":
            return f"could not be {done}"
        case "warning":  # the write waits for a person's decision
            return f"held for approval: would be {done}"
        case _:
            return f"skipped in {app}"
