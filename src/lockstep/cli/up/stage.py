"""The five steps of `up`, each as a person would do it: start Documo and create a key in it, add Documo from the gallery, test the
connection, assign people, switch provisioning on.

A step that was done before, as in a second `up` on the same folder, is only reported.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lockstep.actions import (
    applications,
    assignments,
    credentials,
    following,
    organisation,
    provisioning,
    sources,
    status,
    tenant_urls,
)
from lockstep.actions import connection as connection_actions
from lockstep.actions import settings as settings_actions
from lockstep.actions.context import Context
from lockstep.actions.provisioning import Cycle
from lockstep.actions.sources import PassKind, PassResult
from lockstep.cli.up.documo_process import DocumoProcess, ask_documo
from lockstep.errors import Kind, LockstepError
from lockstep.ports import Probe
from lockstep.sources import demo
from lockstep.vault import Secret

APP = "documo"
SOURCE = "contoso"
ACCOUNT = "Contoso"
ADMIN = "admin@documo.test"
ROLE_ORDER = ("Admin", "Member")  # in the order of the gallery entry


@dataclass(frozen=True, slots=True)
class DemoImport:
    """The result of importing the demo source."""

    people: int
    groups: int
    files: demo.DemoFiles | None
    results: Sequence[PassResult] = ()


async def import_contoso(context: Context, folder: Path, *, people: int, seed: int | None) -> DemoImport:
    """Generate the people and groups of the demo organisation Contoso, once per data folder, and import them like any other CSV files.
    Raises LockstepError.
    """
    known = {view.source.name: view for view in await sources.list_sources(context)}
    if SOURCE in known:
        counts = known[SOURCE].counts
        return DemoImport(counts["people"], counts["groups"], None)
    files = demo.generate(folder, people=people, seed=seed)
    config = {
        "files": [
            {"path": str(files.people.resolve()), "kind": str(PassKind.PEOPLE)},
            {"path": str(files.groups.resolve()), "kind": str(PassKind.GROUPS)},
            {"path": str(files.members.resolve()), "kind": str(PassKind.MEMBERS)},
        ]
    }
    await sources.save_source(context, SOURCE, kind="csv", config=config, display_name="Contoso (demo)")
    results = await sources.import_source(context, SOURCE)
    for result in results:
        if result.error:
            raise LockstepError(Kind.INTERNAL, f"The demo organisation was not imported: {result.error}")
    if not (await organisation.show_organisation(context)).name:
        await organisation.change_organisation(context, name=ACCOUNT)
    return DemoImport(files.people_count, files.group_count, files, results)


async def ensure_account(data: Path) -> None:
    """Create the demo's account (tenant) in Documo if it does not exist."""
    answer = await ask_documo("accounts", "list", "--data", str(data), "-o", "json")
    if not any(account["name"] == ACCOUNT for account in answer["accounts"]):
        await ask_documo("accounts", "create", ACCOUNT, "--admin", ADMIN, "--data", str(data), "-o", "json")


async def make_key(data: Path, name: str = "Lockstep") -> Secret:
    """Create an API key for the account's admin in Documo, as in step 2 of the tutorial."""
    await ensure_account(data)
    whose = ("--account", ACCOUNT, "--member", ADMIN, "--name", name)
    return Secret((await ask_documo("keys", "create", *whose, "--data", str(data), "-o", "json"))["key"])


async def make_password(data: Path) -> Secret:
    """Set a random password with which the account's admin can sign in to Documo's pages, and return the password. The account must
    exist.
    """
    password = secrets.token_urlsafe(18)
    whose = ("--account", ACCOUNT, "--data", str(data), "--password-stdin")
    await ask_documo("members", "set-password", ADMIN, *whose, entered=password + "\n")
    return Secret(password)


async def add_documo(context: Context) -> bool:
    """Add Documo from the gallery. Returns False if it was added earlier."""
    if any(app.name == APP for app in await applications.list_applications(context)):
        return False
    await applications.add_application(context, "documo", name=APP)
    return True


@dataclass(frozen=True, slots=True)
class ConnectionResult:
    """The result of testing the connection. *made_key* is true if a new key was created for it."""

    probes: tuple[Probe, ...]
    made_key: bool


async def has_run(context: Context) -> bool:
    """Whether a cycle has run, so that the decisions about the application are the administrators' and not those of `up`."""
    return bool(await status.list_cycles(context, APP, limit=1))


async def sends_elsewhere(context: Context) -> bool:
    """Whether the tenant URL names another machine, which an administrator chose."""
    return not tenant_urls.is_own_machine((await credentials.show_credentials(context, APP)).tenant_url)


async def connect(context: Context, documo: DocumoProcess) -> ConnectionResult:
    """Store the tenant URL in Lockstep. If Lockstep has no key for this URL, also create a key in Documo and store it. Then test the
    connection.
    """
    view = await credentials.set_credentials(context, APP, tenant_url=documo.base_url)
    has_key = bool(view.secret_token)
    if not has_key:
        await credentials.set_credentials(context, APP, secret_token=await make_key(documo.data))
    return ConnectionResult(tuple(await connection_actions.test_connection(context, APP)), not has_key)


async def assign_demo(context: Context, *, but: frozenset[str] = frozenset()) -> tuple[int, int]:
    """Assign the demo's two groups and one person if nobody is assigned and no cycle has run yet. Returns how many groups and how many
    people are assigned.

    Groups and people whose names are in *but* are left out.
    """
    held = await assignments.list_assignments(context, APP)
    if not held and not await has_run(context):
        for one in demo.demo_assignments():
            if one.principal in but:
                continue
            await assignments.assign(
                context,
                APP,
                users=() if one.is_group else (one.principal,),
                groups=(one.principal,) if one.is_group else (),
                role=one.role,
            )
        held = await assignments.list_assignments(context, APP)
    groups = sum(row.kind == "Group" for row in held)
    return groups, len(held) - groups


async def provision(context: Context, *, on_progress: Callable[[Cycle], None]) -> Cycle:
    """Apply the tutorial's settings, switch provisioning on and follow its cycle to the end. Raises LockstepError."""
    await settings_actions.change_settings(context, APP, mode="automatic", scope="assigned", status="on")
    [cycle] = await status.list_cycles(context, APP, limit=1)
    return await follow(context, cycle, on_progress=on_progress)


async def provision_again(context: Context, *, on_progress: Callable[[Cycle], None]) -> Cycle | None:
    """Run a cycle with the present settings and follow it to the end. Returns None if provisioning was switched off: it stays off."""
    if (await settings_actions.show_settings(context, APP)).status != "on":
        return None
    return await follow(context, await provisioning.run(context, APP), on_progress=on_progress)


async def follow(context: Context, cycle: Cycle, *, on_progress: Callable[[Cycle], None]) -> Cycle:
    """Wait for the end of *cycle*, which the worker in this process runs."""
    async for state in following.follow(context, cycle, helps=False):
        cycle = state
        on_progress(state)
    return cycle


def require_passed(probes: Sequence[Probe]) -> int:
    """Return the number of probes that were run. Raises LockstepError with the message of the first probe that failed."""
    tried = [probe for probe in probes if probe.tried]
    for probe in tried:
        if not probe.passed:
            raise LockstepError(Kind.UNREACHABLE, probe.sentence, next_step=probe.remedy)
    return len(tried)
