"""Show the consequences of a change before it is made. A change that removes accounts, grants privileges or renames people needs an
administrator's consent, whether it is made by a command, a page or the API.

The change is rehearsed in a transaction that is rolled back: every affected object is planned before and after the change. The numbers
therefore come from the same code that provisions the accounts. A new action gets this behaviour by calling `consented`. A deletion of many
objects is only noted in the rehearsal and then planned in slices (`foreseen_deletions`), so that it does not lock the directory for long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from lockstep.actions.context import Context, Deletion, Rehearsal
from lockstep.actions.forecasts import ReportProgress
from lockstep.actions.foreseen_deletions import SLICE, EffectsById, ForeseenJob, effects_among, foresee_deletion
from lockstep.actions.jobs import new_services
from lockstep.configuration.findings import Finding
from lockstep.configuration.lint_switch import check_switch
from lockstep.configuration.rules import JobConfiguration, Scope
from lockstep.engine.decisions.effects import Effect, caused
from lockstep.engine.records import ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage import jobs, touched
from lockstep.sync.planning import planner
from lockstep.sync.services import Job

ASKED_FROM = (
    10  # an effect needs consent from this many people on, as guards apply percentages only from ten accounts on
)
Result = TypeVar("Result")
ChangeWork = Callable[[Context], Awaitable[Result]]
_TAKEN = (Effect.LOSES_ACCESS, Effect.RELEASED)


@dataclass(frozen=True, slots=True)
class Consequences:
    """The effects of a change on the people and groups of the application with the short name *app*. *names* lists the affected objects
    for each effect. *words* describes each effect in more detail; the text is "" if the details differ between the objects.

    *findings* are the mistakes that the change introduces into the mappings that disable and enable accounts.
    """

    app: str
    display_name: str
    kind: ObjectKind
    names: Mapping[Effect, tuple[str, ...]]
    words: Mapping[Effect, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def count(self, effect: Effect) -> int:
        return len(self.names.get(effect, ()))

    def needs_consent(self, named: int) -> bool:
        """Whether an administrator must confirm the change. *named* is the number of people that the administrator named in the command or
        chose on the page.

        A finding always needs consent. Loss of access, including the release of accounts, needs consent if it affects more than *named*
        people. A gained privilege, a new name or a failure needs consent if it affects more than *named* people and at least ASKED_FROM
        people.
        """
        if self.findings or sum(map(self.count, _TAKEN)) > named:
            return True
        asked = (Effect.GAINS_PRIVILEGE, Effect.RENAMED, Effect.FAILS)
        return any(self.count(effect) >= max(ASKED_FROM, named + 1) for effect in asked)


class _Undo(Exception):
    """Raised inside the transaction to roll the rehearsal back."""


class _Noted(Exception):
    """Raised inside the transaction if deletions were noted instead of made. *deletion* is the noted deletion if the change consists of
    this deletion alone, otherwise None.
    """

    def __init__(self, deletion: Deletion | None) -> None:
        super().__init__()
        self.deletion = deletion


async def consented(
    context: Context, work: ChangeWork[Result], agree: Callable[[Sequence[Consequences]], None], *, named: int = 0
) -> tuple[Result, list[Consequences]]:
    """Do *work*, and return its result and its consequences. If the consequences for an application need consent, *agree* is called before
    *work* is done. To refuse, *agree* raises an error. *named* is the number of people that the administrator named
    (`Consequences.needs_consent`).
    """
    found = await foresee(context, work)
    if any(one.needs_consent(named) for one in found):
        agree(found)
    return await work(context), found


async def foresee(
    context: Context, work: ChangeWork[object], *, report: ReportProgress = lambda *_: None
) -> list[Consequences]:
    """Return the effects of *work* on people, for each application. Writes nothing. Raises the errors of *work*.

    If *work* deletes a group or the objects of a source, *report* is called with two numbers: the objects planned so far, and all objects
    to plan.
    """
    if context.elsewhere is not None:
        return await context.elsewhere.foresee(context, work)
    try:
        found = await _rehearsed(context, work, Rehearsal(deletions=[]))
    except _Noted as noted:
        if noted.deletion is not None:
            found = await foresee_deletion(context, noted.deletion, report)
        else:
            found = await _rehearsed(context, work, Rehearsal())
    return [one for part in found if (one := _compared(part))]


async def _rehearsed(context: Context, work: ChangeWork[object], rehearsal: Rehearsal) -> list[ForeseenJob]:
    """Do *work* in a transaction that is rolled back, and return its effects on each job and kind of object. Raises _Noted if *work* only
    noted deletions in *rehearsal* and did not make them.
    """
    after: dict[tuple[str, ObjectKind], EffectsById] = {}
    marked: dict[str, dict[ObjectKind, list[str]]] = {}
    candidates: dict[str, Job] = {}
    try:
        async with context.together() as inner:
            assert inner.within is not None  # noqa: S101  # `together` sets it
            mark = await touched.newest_mark(inner.within)
            await work(replace(inner, rehearsal=rehearsal))
            marked = await touched.marked_since(inner.within, mark)
            if rehearsal.deletions:
                is_all = len(rehearsal.deletions) == 1 and not marked and not rehearsal.whole_jobs
                raise _Noted(rehearsal.deletions[0] if is_all else None)
            candidates = await _jobs(inner, inner.within, {*marked, *rehearsal.whole_jobs})
            for job_id, by_kind in marked.items():
                ids = {} if job_id in rehearsal.whole_jobs else by_kind
                for kind, some in ids.items():
                    after[job_id, kind] = await _effects(inner, inner.within, candidates[job_id], kind, some)
            if marked:  # the directory is different inside the rehearsal
                await _whole(inner, inner.within, candidates, rehearsal.whole_jobs, after)
            raise _Undo
    except _Undo:
        pass
    async with context.reading() as connection:
        now = await _jobs(context, connection, candidates)
        if not marked:
            await _whole(context, connection, candidates, rehearsal.whole_jobs, after, now)
        return [
            await _without_change(
                context, connection, ForeseenJob(candidates[job_id], kind, found, {}, now.get(job_id))
            )
            for (job_id, kind), found in after.items()
        ]


async def _jobs(context: Context, connection: Connection, ids: Iterable[str]) -> dict[str, Job]:
    services = new_services(context)
    wanted = set(ids)
    rows = [row for row in await jobs.read_jobs(connection) if row.id in wanted]
    return {row.id: await services.compiled(connection, row) for row in rows}


async def _whole(
    context: Context,
    connection: Connection,
    candidates: Mapping[str, Job],
    whole: Collection[str],
    after: dict[tuple[str, ObjectKind], EffectsById],
    now: Mapping[str, Job] | None = None,
) -> None:
    """Plan all objects of the jobs in *whole*, because the change affects the configuration of these jobs. Add the effects to *after*."""
    for job_id in whole:
        job = candidates[job_id]
        before = (now or {}).get(job_id, job)
        for mapping in job.configuration.objects:
            everybody = Scope.ALL in (job.configuration.scope, before.configuration.scope)
            ids = await touched.concerned(connection, job.id, job.row.app, mapping.source.value, everybody=everybody)
            after[job_id, mapping.source] = await _effects(context, connection, job, mapping.source, ids)


async def _without_change(context: Context, connection: Connection, one: ForeseenJob) -> ForeseenJob:
    if one.job_before is not None:
        one.before = await _effects(context, connection, one.job_before, one.kind, list(one.after))
    return one


async def _effects(
    context: Context, connection: Connection, job: Job, kind: ObjectKind, ids: Sequence[str]
) -> EffectsById:
    """Return the effects on these objects in the present state. Objects without an effect are left out."""
    moment = new_services(context).moment()
    found: EffectsById = {}
    for start in range(0, len(ids), SLICE):
        known = await planner.load(connection, job, kind, ids[start : start + SLICE])
        found |= await effects_among(known, job, moment)
    return found


def _compared(one: ForeseenJob) -> Consequences | None:
    """Return the consequences of the change: the effects after the change, except those that would also occur without it."""
    names: dict[Effect, list[str]] = {}
    words: dict[Effect, set[str]] = {}
    for source_id, (name, effects) in one.after.items():
        known = one.before[source_id][1] if source_id in one.before else {}
        for effect, word in caused(effects, known).items():
            names.setdefault(effect, []).append(name)
            words.setdefault(effect, set()).add(word)
    findings = _new_findings(one.job_before, one.job.configuration, one.kind)
    if not names and not findings:
        return None
    return Consequences(
        one.job.row.app_name,
        one.job.row.app_display_name,
        one.kind,
        {effect: tuple(sorted(found)) for effect, found in names.items()},
        {effect: next(iter(found)) if len(found) == 1 else "" for effect, found in words.items()},
        findings,
    )


def _new_findings(before: Job | None, after: JobConfiguration, kind: ObjectKind) -> tuple[Finding, ...]:
    mapping, old = after.mapping_for(kind), before.configuration.mapping_for(kind) if before is not None else None
    if mapping is None or old is None:
        return ()
    known = {one.message for one in check_switch(old, "")}
    return tuple(one for one in check_switch(mapping, "") if one.message not in known)
