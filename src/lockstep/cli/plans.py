"""Show plans and their results with the same signs and words in every command.

+ create, ~ update, o disable, - delete, = link, . nothing to do, ! cannot. A word repeats each sign, for readers who cannot see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lockstep.actions.previews import change_json
from lockstep.actions.provisioning import LogRecord
from lockstep.engine.plans import Plan
from lockstep.engine.records import Action

SIGNS: Mapping[Action, str] = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.ENABLE: "~",
    Action.DISABLE: "o",
    Action.DELETE: "-",
    Action.LINK: "=",
    Action.RELEASE: "-",
    Action.NONE: ".",
    Action.SKIP: ".",
    Action.REFUSE: "!",
    Action.HELD: "!",
}
_WORDS = {Action.NONE: "in step", Action.REFUSE: "cannot"}
_LOG_SIGNS = {"create": "+", "update": "~", "disable": "o", "delete": "-", "stagedDelete": "!", "other": "="}


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield a plan as text: operation, object and reason, then each changed value."""
    word = _WORDS.get(plan.action, plan.action.value)
    yield f"  {SIGNS[plan.action]} {word:<8} {plan.display}   {plan.reason.text}"
    yield from change_lines([change_json(change) for change in plan.changes])
    if plan.reason.next_step and plan.action in (Action.REFUSE, Action.HELD, Action.SKIP):
        yield f"      {plan.reason.next_step}"


def change_lines(changes: list[dict[str, Any]]) -> Iterator[str]:
    width = max((len(change["displayName"]) for change in changes), default=0)
    for change in changes:
        old, new = _quoted(change["oldValue"]), _quoted(change["newValue"])
        is_new = change["oldValue"] is None
        sign, text = ("+", f"= {new}") if is_new else ("~", f": {old} -> {new}")
        yield f"      {sign} {change['displayName']:<{width}} {text}"


def done_lines(record: LogRecord) -> Iterator[str]:
    """Yield the result for one object from its log record: outcome, steps, changes, and the error with its remedy."""
    status = record.status
    sign = (
        "!" if status in ("failure", "warning") else "." if status == "skipped" else _LOG_SIGNS.get(record.action, "=")
    )
    yield f"  {sign} {status:<8} {record.source_display}   {record.reason}"
    for number, step in enumerate(record.steps, 1):
        yield f"      {number}. {step.type.value:<19} {step.status.value:<8} {step.description}"
    yield from change_lines([change_json(change) for change in record.changes])
    if record.error is not None and record.error.next_step:
        yield f"      next: {record.error.next_step}"


def _quoted(value: object) -> str:
    return "(none)" if value is None else f'"{value}"'
