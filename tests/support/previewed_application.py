"""Documo as an application that answers over real HTTP, with people assigned to it, ready to be previewed and switched on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from lockstep.actions import applications, assignments, credentials, sources
from lockstep.actions.jobs import job_row, new_services
from lockstep.sync.drain.drain import drain_job
from lockstep.sync.drive import Drive
from lockstep.targets.opener import ScimTargets
from lockstep.vault import Secret
from tests.support.admin_centre import Centre
from tests.support.hub import person, upn, write_csv
from tests.support.scripted_scim import ScriptedScim, scripted_scim


@asynccontextmanager
async def previewed_application(centre: Centre, folder: Path) -> AsyncIterator[ScriptedScim]:
    """Documo with the account of Bo; Anna, Bo and =Cy are assigned to it."""
    async with scripted_scim() as served:
        targets = ScimTargets((served.origin,))
        centre.hub.context = context = replace(centre.hub.context, opener=targets)
        await applications.add_application(context, "documo")
        rows = [person("anna"), person("bo"), person("cy", displayName="=Cy", givenName="")]
        file = write_csv(folder / "people.csv", rows)
        await sources.import_file(context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
        await assignments.assign(context, "documo", users=[upn("anna"), upn("bo"), upn("cy")], role="member")
        await credentials.set_credentials(
            context, "documo", tenant_url=f"{served.origin}/scim/v2", secret_token=Secret("t0ken")
        )
        served.resources["b1"] = {"id": "b1", "kind": "Users", "userName": upn("bo"), "active": True}
        yield served
        await targets.close()


async def drained(centre: Centre) -> None:
    """Do the work of the application as a worker does."""
    context = centre.hub.context
    async with context.pool.connection() as connection:
        row = await job_row(connection, "documo")
    await drain_job(new_services(context), Drive(pool=context.pool), row.id)
