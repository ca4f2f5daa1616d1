"""Forecast an assignment: how many people would get an account, and which of them already have one in the application.

The assignment is made in a transaction that is rolled back, and the application is only read. At most `MOST_LOOKED_UP` people are looked
up, by the matching attributes. The result contains the number of people who were looked up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lockstep.actions.access import needs
from lockstep.actions.assignments import assign
from lockstep.actions.context import Context, Rehearsal
from lockstep.actions.jobs import new_services, read_job
from lockstep.actions.permissions import Permission
from lockstep.actions.previews import LazyReader, read_failed
from lockstep.configuration.rules import Scope
from lockstep.engine.decisions.effects import predicted_plan
from lockstep.engine.decisions.matching import MatchQuery
from lockstep.engine.decisions.prepare import prepare
from lockstep.engine.records import Action, ObjectKind
from lockstep.errors import Kind, LockstepError
from lockstep.ports import AccountReader, TargetError
from lockstep.postgres.pool import Connection
from lockstep.storage import touched
from lockstep.sync.planning import planner
from lockstep.sync.services import Job
from lockstep.wording import counted

MOST_LOOKED_UP = 100
_AT_ONCE = 4
_LONGEST_SECONDS = 10.0  # a person waits for the answer
_SLICE = 500


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account that a person already has. *attribute* is the matching attribute that found it; "" if Lockstep knew the account before."""

    name: str
    account: str
    attribute: str


@dataclass(frozen=True, slots=True)
class AssignmentForecast:
    """The effect of an assignment. *total* is the number of people that the assignment would add to *application*. *found* contains the
    accounts that these people already have.

    *looked_up* counts the people whose account Lockstep already knew, and the people that it looked up in the application. *is_asked* is
    true if the lookup has been made, or if there was nobody to look up. *problem* says why some people were not looked up.
    """

    application: str
    total: int
    found: Sequence[FoundAccount] = ()
    looked_up: int = 0
    is_asked: bool = False
    problem: str = ""
    next_step: str = ""

    @property
    def sentence(self) -> str:
        """Return a sentence such as "Will add 3 people, 1 already exists in Documo"."""
        if not self.total:
            return f"Will add no people to {self.application}"
        added, app, number = f"Will add {counted(self.total, 'person')}", self.application, len(self.found)
        if number:
            return f"{added}, {number:,} already {'exists' if number == 1 else 'exist'} in {app}"
        if self.looked_up == self.total:
            return f"{added}, {'who does not exist' if self.total == 1 else 'none of them exists'} in {app} yet"
        return f"{added} to {app}"

    @property
    def limits(self) -> str:
        """Return a text that says how many people were looked up, and why the others were not; "" if everybody was looked up."""
        if self.looked_up == self.total:
            return ""
        who = f"Only {self.looked_up:,} of them were looked up" if self.looked_up else "They were not looked up"
        return f"{who} in {self.application}{f': {self.problem}' if self.problem else ''}"


@dataclass(frozen=True, slots=True)
class _NewPerson:
    name: str
    account: str  # the account that Lockstep knows; "" if there is none
    queries: Sequence[MatchQuery]


@needs(Permission.ASSIGNMENTS_WRITE, app="app")
async def forecast_assignment(
    context: Context,
    app: str,
    *,
    users: Sequence[str] = (),
    groups: Sequence[str] = (),
    role: str | None = None,
    looks_up: bool = True,
) -> AssignmentForecast:
    """Return how many people this assignment would add, and which of them already have an account. Nothing is written, in Lockstep or in
    the application. The application is read only if *looks_up* is true.

    Raises LockstepError, with suggestions, for an unknown name or role.
    """
    job, added = await _added(context, app, users, groups, role)
    known = [FoundAccount(one.name, one.account, "") for one in added if one.account]
    unknown = [one for one in added if not one.account]
    forecast = AssignmentForecast(job.row.app_display_name, len(added), known, len(known))
    if not looks_up or not unknown:
        return replace(forecast, is_asked=not unknown)
    found, problem = await _look_up(LazyReader(new_services(context), job), unknown[:MOST_LOOKED_UP])
    accounts = sorted((*known, *(one for one in found if one is not None)), key=lambda one: one.name.casefold())
    limit = f"at most {MOST_LOOKED_UP} people are looked up at once" if len(unknown) > MOST_LOOKED_UP else ""
    return replace(
        forecast,
        found=accounts,
        looked_up=len(known) + len(found),
        is_asked=True,
        problem=problem.detail.rstrip(".") if problem else limit,
        next_step=problem.next_step if problem else "",
    )


class _Undo(Exception):
    """Raised inside the transaction to roll the assignment back."""


async def _added(
    context: Context, app: str, users: Sequence[str], groups: Sequence[str], role: str | None
) -> tuple[Job, list[_NewPerson]]:
    """Return the job of *app*, and the people who would get access through the assignment. Leaves out people who are not in scope or cannot
    be provisioned.
    """
    found: list[_NewPerson] = []
    try:
        async with context.together() as inner:
            assert inner.within is not None  # noqa: S101  # `together` sets it
            connection = inner.within
            job = await read_job(inner, connection, app)
            before = await touched.assigned(connection, job.row.app, ObjectKind.USER.value)
            await assign(replace(inner, rehearsal=Rehearsal()), app, users=users, groups=groups, role=role)
            job = await read_job(inner, connection, app)
            after = await touched.assigned(connection, job.row.app, ObjectKind.USER.value)
            if job.configuration.scope is not Scope.ALL:  # otherwise the assignment adds nobody
                found = await _new_people(context, connection, job, sorted(after - before))
            raise _Undo
    except _Undo:
        pass
    return job, found


async def _new_people(context: Context, connection: Connection, job: Job, ids: Sequence[str]) -> list[_NewPerson]:
    moment = new_services(context).moment()
    found: list[_NewPerson] = []
    for start in range(0, len(ids), _SLICE):
        known = await planner.load(connection, job, ObjectKind.USER, ids[start : start + _SLICE])
        for source_id, obj in known.objects.items():
            link = known.links.get(source_id)
            plan = predicted_plan(obj, link, job.configuration, moment, known.account_ids)
            if plan.action is Action.CREATE:
                prepared = prepare(obj, link, job.configuration, moment, known.account_ids)
                found.append(_NewPerson(obj.display, "", prepared.queries))
            elif link is not None and link.target_id and plan.action.writes:
                found.append(_NewPerson(obj.display, link.target_id, ()))
    return found


async def _look_up(
    reader: AccountReader, people: Sequence[_NewPerson]
) -> tuple[list[FoundAccount | None], LockstepError | None]:
    """Return one entry for each person who was looked up: the account, or None if there is none. Also return the error that prevented the
    other lookups, if any.
    """
    found: list[FoundAccount | None] = []
    problems: list[LockstepError] = []
    turns = asyncio.Semaphore(_AT_ONCE)

    async def look(person: _NewPerson) -> None:
        async with turns:
            if problems:
                return
            try:
                found.append(await _account_of(reader, person))
            except TargetError as failed:
                problems.append(read_failed(failed))
            except LockstepError as failed:
                problems.append(failed)

    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            await asyncio.gather(*map(look, people))
    except TimeoutError:
        seconds = f"{_LONGEST_SECONDS:.0f} seconds"
        problems.append(LockstepError(Kind.UNREACHABLE, f"the application did not answer within {seconds}"))
    return found, problems[0] if problems else None


async def _account_of(reader: AccountReader, person: _NewPerson) -> FoundAccount | None:
    for query in person.queries:
        accounts = await reader.find(ObjectKind.USER, query.attribute, query.value)
        if accounts:
            return FoundAccount(person.name, accounts[0].id, query.attribute)
    return None
