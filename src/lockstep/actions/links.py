"""Links between people and accounts: list them, set or forget one, and find accounts without a link.

A link determines the owner of an account. Every change of a link is therefore audited, and its person or group is re-evaluated at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.jobs import job_row, new_services, read_job
from lockstep.actions.permissions import Permission
from lockstep.actions.previews import find_anybody, read_failed
from lockstep.directory.edit import Edit
from lockstep.directory.objects import read_objects
from lockstep.engine.decisions.matching import MatchQuery, match_key, matching_value
from lockstep.engine.decisions.owners import Suggestion, search_words, suggest_owners
from lockstep.engine.records import Account, Lane, Link, LinkState, ObjectKind, SourceObject
from lockstep.errors import conflict, not_found
from lockstep.ports import TargetError
from lockstep.postgres.pool import Connection
from lockstep.storage import dirty_marks, link_list, links, made_accounts, orphan_owners, target_members
from lockstep.storage.jobs import JobRow
from lockstep.storage.link_list import LinkRow as LinkRow
from lockstep.storage.made_accounts import MadeAccount
from lockstep.sync.services import Job

_USER = ObjectKind.USER


@dataclass(frozen=True, slots=True)
class Orphan:
    """An account in the application that has no link."""

    kind: str
    target_id: str
    display: str
    owners: tuple[Suggestion, ...] = ()  # possible owners, the most likely first
    made: MadeAccount | None = None  # our create request that created it


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_links(
    context: Context,
    app: str,
    *,
    user: str = "",
    state: str = "",
    limit: int = 100,
    after: tuple[str, str, str] = ("", "", ""),
) -> list[LinkRow]:
    """Return links sorted by name, people before groups. With *user*, return only the links of that person.

    *after* is the kind, name and id of the last link on the previous page.
    """
    async with context.reading() as connection:
        row = await job_row(connection, app)
        source_id = (await find_anybody(connection, user)).id if user else ""
        return await link_list.list_links(
            connection, row.id, source_id=source_id, state=state, limit=limit, after=after
        )


@needs(Permission.APPLICATIONS_READ, app="app")
async def page_of_links(
    context: Context,
    app: str,
    *,
    search: str = "",
    state: str = "",
    after: tuple[str, str, str] = ("", "", ""),
    limit: int = 50,
) -> list[LinkRow]:
    """Return one page of links sorted by name, people before groups.

    *search* is a part of a name, or the beginning of an account's id. *after* is the kind, name and `source_id` of the last link on the
    previous page.
    """
    async with context.reading() as connection:
        row = await job_row(connection, app)
        return await link_list.page_of_links(connection, row.id, search=search, state=state, after=after, limit=limit)


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_orphans(
    context: Context, app: str, *, limit: int = 1_000, after: tuple[str, str] = ("", "")
) -> list[Orphan]:
    """Return at most *limit* accounts of the application that have no link. Accounts of people come before groups, each sorted by account
    id.

    *after* is the kind and account id of the last account on the previous page. Reads all accounts of the application page by page, but
    keeps in memory only those that are returned. Writes nothing.
    """
    found: list[Orphan] = []
    begin = _place(*after) if any(after) else None
    async for job, kind, free in _without_link(context, app):
        end = _place(found[-1].kind, found[-1].target_id) if len(found) >= limit else None
        near = [one for one in free if _is_within(_place(kind.value, one.id), begin, end)]
        async with context.reading() as connection:
            people = await _possible_owners(connection, job, near) if kind is _USER else ()
            made = await _made_for(connection, job, kind, near)
        found += [
            Orphan(kind.value, one.id, one.display, suggest_owners(one, people), made.get(one.id)) for one in near
        ]
        found = sorted(found, key=lambda one: _place(one.kind, one.target_id))[:limit]
    return found


def _place(kind: str, account: str) -> tuple[bool, str]:
    return kind != _USER.value, account


def _is_within(place: tuple[bool, str], begin: tuple[bool, str] | None, end: tuple[bool, str] | None) -> bool:
    return (begin is None or place > begin) and (end is None or place < end)


async def _without_link(context: Context, app: str) -> AsyncIterator[tuple[Job, ObjectKind, Sequence[Account]]]:
    """Read all accounts of the application. Yields, for each page, the accounts without a link."""
    services = new_services(context)
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
    kinds = [mapping.source for mapping in job.configuration.objects if mapping.enabled]
    target, _ = await services.open_target(job)
    try:
        for kind in kinds:
            async for page in target.pages(kind):
                async with context.reading() as connection:
                    held = await links.holders(connection, job.id, kind.value, [one.id for one in page.accounts])
                yield job, kind, [one for one in page.accounts if one.id not in held]
    except TargetError as failed:
        raise read_failed(failed) from None


async def _made_accounts(context: Context, app: str) -> list[MadeAccount]:
    """Return the create operations in the journal whose accounts exist in the application but have no link."""
    found: list[MadeAccount] = []
    async for job, kind, free in _without_link(context, app):
        async with context.reading() as connection:
            found += (await _made_for(connection, job, kind, free)).values()
    return found


async def _possible_owners(connection: Connection, job: Job, accounts: Sequence[Account]) -> Sequence[SourceObject]:
    words = frozenset[str]().union(*(search_words(account) for account in accounts))
    ids = await orphan_owners.people_without_account(connection, job.id, words) if words else []
    return list((await read_objects(connection, job.row.app, _USER, ids)).values()) if ids else ()


async def _made_for(
    connection: Connection, job: Job, kind: ObjectKind, accounts: Sequence[Account]
) -> dict[str, MadeAccount]:
    mapping = job.configuration.mapping_for(kind)
    keys: dict[str, list[str]] = {}
    for account in accounts:
        values = [(one, matching_value(account.resource, one.target)) for one in (mapping.matching if mapping else ())]
        keys[account.id] = [
            match_key(job.id, kind, MatchQuery(one.target, value, one.match))
            for one, value in values
            if value is not None
        ]
    return await made_accounts.made_for(connection, job.id, kind.value, keys) if keys else {}


@needs(Permission.LINKS_WRITE, app="app")
async def settle_orphans(context: Context, app: str, found: Sequence[Orphan] | None = None) -> list[MadeAccount]:
    """Reopen the create operations whose accounts have no link. The next run searches for each account in the application, and links it to
    the person or group for which Lockstep created it. Returns the reopened operations.

    *found* contains all unlinked accounts of the application; if it is None, the application is read first. If a person should have no
    account, the usual plan disables the account after it was linked, subject to the guards.
    """
    made = await _made_accounts(context, app) if found is None else [one.made for one in found if one.made is not None]
    async with context.changing() as edit:
        job = await job_row(edit.connection, app)
        known = {one.id: one for one in await made_accounts.unclaimed(edit.connection, [job.id])}
        known |= {one.id: one for one in made}
        if known:
            await made_accounts.look_for(edit.connection, job.id, list(known.values()))
            names = ", ".join(sorted({one.display for one in known.values()})[:20])
            await audit(edit, "Settle accounts", f"{app}: {names}", after={"accounts": len(known)})
    await context.after_commit(frozenset({job.id}))
    return list(known.values())


@needs(Permission.LINKS_WRITE, app="app")
async def choose_link(context: Context, app: str, user: str, target_id: str) -> LinkRow:
    """Link the person *user* to the account *target_id*. Raises LockstepError if the account does not exist or belongs to somebody else."""
    services = new_services(context)
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
        person = await find_anybody(connection, user)
    target, _ = await services.open_target(job)
    try:
        account = await target.get(_USER, target_id)
    except TargetError as failed:
        raise read_failed(failed) from None
    if account is None:
        raise not_found(
            f"{job.row.app_display_name} has no account {target_id}", next_step=f"See: lockstep links {app} --orphans"
        )
    async with context.changing() as edit:
        held = (await links.holders(edit.connection, job.id, _USER.value, [target_id])).get(target_id)
        if held is not None and held.source_id != person.id:
            raise conflict(
                f"The account {target_id} belongs to {held.display or held.source_id}",
                next_step=f"If that is wrong: lockstep links {app} --user {held.display} --forget",
            )
        await dirty_marks.overrule_claims(edit.connection, job.id, [person.id])
        # Stored without a base, so that the account is read before anything is written to it.
        chosen = Link(_USER, person.id, target_id, LinkState.LIVE, {}, display=person.user_principal_name)
        freed = await links.save_links(edit.connection, job.id, [chosen])
        await dirty_marks.wake_for_accounts(edit.connection, job.id, freed)
        await _look_again(edit, job.row, person.id, "linkChosen")
        groups = job.configuration.mapping_for(ObjectKind.GROUP)
        if job.row.started and groups is not None and groups.enabled and groups.has_members:
            await target_members.note_groups_of(edit.connection, job.id, [person.id])
        await audit(edit, "Choose account", f"{app}: {person.user_principal_name}", after={"account": target_id})
        [row] = await link_list.list_links(edit.connection, job.id, source_id=person.id)
    await context.after_commit(frozenset({job.id}))
    return row


@needs(Permission.LINKS_WRITE, app="app")
async def forget_link(context: Context, app: str, user: str) -> LinkRow:
    """Delete the link of a person. The account stays in the application. If the person is in scope, Lockstep then matches or creates an
    account again.

    Lockstep also removes the account from every group to which Lockstep added it for this person. If the account belongs to another member
    of a group by then, the account stays in that group.
    """
    async with context.changing() as edit:
        job = await job_row(edit.connection, app)
        person = await find_anybody(edit.connection, user)
        found = await link_list.list_links(edit.connection, job.id, source_id=person.id)
        if not found:
            raise not_found(f"{person.user_principal_name} has no account in {job.app_display_name}")
        await dirty_marks.overrule_claims(edit.connection, job.id, [person.id])
        await links.remove_links(edit.connection, job.id, [(_USER.value, person.id)])
        await dirty_marks.wake_for_accounts(edit.connection, job.id, [found[0].target_id])
        if job.started:
            await target_members.note_accounts_of(edit.connection, job.id, person.id)
        await _look_again(edit, job, person.id, "linkForgotten")
        before = {"account": found[0].target_id, "state": found[0].state}
        await audit(edit, "Forget account", f"{app}: {person.user_principal_name}", before=before)
    await context.after_commit(frozenset({job.id}))
    return found[0]


async def _look_again(edit: Edit, job: JobRow, source_id: str, reason: str) -> None:
    if job.started:
        await dirty_marks.mark(edit.connection, job.id, _USER.value, [source_id], lane=Lane.UPDATES, reason=reason)
