"""Turn a plan into a row of a preview, which people read."""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.engine.decisions.fingerprints import fingerprint
from lockstep.engine.records import Reason, SourceObject
from lockstep.storage.log_record import change_json
from lockstep.storage.preview_objects import PreviewedObject
from lockstep.sync.planning.planner import PlanResult


def shown_plan(found: PlanResult, why: Reason, *, effects: Sequence[str] = (), is_due: bool = True) -> PreviewedObject:
    """Return the row of a plan that is not held."""
    obj, plan = found.prepared.obj, found.plan
    return PreviewedObject(
        kind=obj.kind.value,
        id=obj.id,
        name=obj.display,
        display_name=display_name(obj),
        action=plan.action.value,
        is_held=False,
        is_due=is_due,
        effects=effects,
        code=why.code,
        reason=why.text,
        next_step=why.next_step,
        target_id=plan.target_id or (plan.link_to.id if plan.link_to else ""),
        changes=[change_json(change) for change in plan.changes],
        fingerprint=fingerprint(plan, found.prepared.mapping),
    )


def display_name(obj: SourceObject) -> str:
    """Return the display name of the object, or "" if another column already shows that name."""
    name = str(obj.attributes.get("displayName") or "")
    return name if name != obj.display else ""
