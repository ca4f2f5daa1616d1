"""Preview a change of an application's configuration: who would get, change or lose an account, with the new values for some people.

The change is made in a transaction that is rolled back. Every person and group that the change could affect is planned both with and
without the change. The application is not contacted. A person without a link is therefore shown as created, even if the application already
contains an account for this person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from lockstep.actions.access import needs
from lockstep.actions.context import Context, Rehearsal
from lockstep.actions.jobs import new_services, read_job
from lockstep.actions.permissions import Permission
from lockstep.configuration.files.change import shown
from lockstep.configuration.rules import Scope
from lockstep.engine.decisions.effects import predicted_plan
from lockstep.engine.plans import Plan
from lockstep.engine.records import Action, ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage import touched
from lockstep.sync.planning import planner
from lockstep.sync.services import Job

SLICE = 500
MOST_NAMED = 50  # for each action
MOST_WITH_VALUES = 5
_HIDDEN = "[Redact]"
_GROUPS = (
    (Action.DELETE, "-", "Deleted"), (Action.DISABLE, "o", "Disabled"), (Action.RELEASE, "o", "No longer managed, the account stays"),
    (Action.REFUSE, "!", "Cannot be provisioned"), (Action.CREATE, "+", "Created"), (Action.ENABLE, "+", "Enabled"),
    (Action.UPDATE, "~", "Updated"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ForeseenValue:
    """The value of one attribute in the application, before and after the change. *old* is "" if no current value is known."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class ForeseenObject:
    """One person or group whose account the change affects. Only the first few objects of each action have *values*. *reason* says why the
    object cannot be provisioned; "" if it can be provisioned.
    """

    name: str
    values: Sequence[ForeseenValue] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ForeseenAction:
    """The people and groups that the change affects in the same way, for example all whose accounts it would disable. *total* counts all of
    them. *objects* may list only the first ones.
    """

    action: Action
    sign: str
    heading: str
    total: int
    objects: Sequence[ForeseenObject]


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """The effects of a change of the configuration. *evaluated* is the number of people and groups that were planned; most of them do not
    change.
    """

    actions: Sequence[ForeseenAction]
    evaluated: int

    @property
    def unchanged(self) -> int:
        return self.evaluated - sum(one.total for one in self.actions)


class _Undo(Exception):
    """Raised inside the transaction to roll the change back."""


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def preview_change(context: Context, app: str, work: Callable[[Context], Awaitable[object]]) -> ChangePreview:
    """Return the changes that *work* would make to the accounts in *app*. Writes nothing. Raises the errors of *work*."""
    async with context.reading() as connection:
        now = await read_job(context, connection, app)
    after: dict[str, tuple[str, Plan]] = {}
    try:
        async with context.together() as inner:
            assert inner.within is not None  # noqa: S101  # `together` sets it
            await work(replace(inner, rehearsal=Rehearsal()))
            then = await read_job(inner, inner.within, app)
            everybody = Scope.ALL in (now.configuration.scope, then.configuration.scope)
            for kind in _kinds(now, then):
                after |= await _plans(inner, inner.within, then, kind, everybody=everybody)
            raise _Undo
    except _Undo:
        pass
    before: dict[str, tuple[str, Plan]] = {}
    async with context.reading() as connection:
        for kind in _kinds(now, then):
            before |= await _plans(context, connection, now, kind, everybody=everybody)
    caused = [pair for source_id, pair in after.items() if _differs(before.get(source_id), pair[1])]
    return ChangePreview([found for row in _GROUPS if (found := _group(*row, caused)).total], len(after))


def _kinds(now: Job, then: Job) -> list[ObjectKind]:
    both = {mapping.source for job in (now, then) for mapping in job.configuration.objects}
    return sorted(both, key=list(ObjectKind).index)


async def _plans(
    context: Context, connection: Connection, job: Job, kind: ObjectKind, *, everybody: bool
) -> dict[str, tuple[str, Plan]]:
    moment = new_services(context).moment()
    ids = await touched.concerned(connection, job.id, job.row.app, kind.value, everybody=everybody)
    found: dict[str, tuple[str, Plan]] = {}
    for start in range(0, len(ids), SLICE):
        known = await planner.load(connection, job, kind, ids[start : start + SLICE])
        for source_id, obj in known.objects.items():
            plan = predicted_plan(obj, known.links.get(source_id), job.configuration, moment, known.account_ids)
            found[source_id] = (obj.display, plan)
    return found


def _differs(before: tuple[str, Plan] | None, plan: Plan) -> bool:
    return before is None or (before[1].action, before[1].changes) != (plan.action, plan.changes)


def _group(action: Action, sign: str, heading: str, caused: Sequence[tuple[str, Plan]]) -> ForeseenAction:
    some = sorted((pair for pair in caused if pair[1].action is action), key=lambda pair: pair[0].lower())
    objects = [
        ForeseenObject(
            name,
            _values(plan) if place < MOST_WITH_VALUES else (),
            plan.reason.text if action is Action.REFUSE else "",
        )
        for place, (name, plan) in enumerate(some[:MOST_NAMED])
    ]
    return ForeseenAction(action, sign, heading, len(some), objects)


def _values(plan: Plan) -> list[ForeseenValue]:
    return [
        ForeseenValue(
            one.path,
            "" if one.old is None else _HIDDEN if one.redacted else shown(one.old),
            "" if one.new is None else _HIDDEN if one.redacted else shown(one.new),
        )
        for one in plan.changes
    ]
