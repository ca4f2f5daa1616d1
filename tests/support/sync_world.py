"""A small world: a directory, one application with its job, and the model of the application."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from lockstep.configuration.rules import configuration_from_json, dependencies
from lockstep.engine.records import ObjectKind
from lockstep.postgres.pool import Pool, transaction
from lockstep.storage import cycles, jobs
from lockstep.storage.batches import as_rows
from lockstep.sync.connections import TOKEN
from lockstep.sync.cycle import frame as cycle_frame
from lockstep.sync.drain.drain import drain_job
from lockstep.sync.drive import Drive
from lockstep.sync.services import Services, Times
from lockstep.vault import Secret, Vault, parse_key
from tests.support.model_target import ModelOpener, ModelTarget

SWITCH = 'Switch([IsSoftDeleted], , "False", "True", "True", "False")'
USERS: dict[str, Any] = {
    "name": "Users",
    "source": "User",
    "attributes": [
        {"target": "userName", "source": "userPrincipalName", "match": 1},
        {"target": "active", "expression": SWITCH},
        {"target": "name.givenName", "source": "givenName"},
        {"target": "name.familyName", "source": "surname"},
    ],
}
CONFIG: dict[str, Any] = {"scope": "assigned", "mappings": [USERS]}
NAMESPACE = UUID("8c5d2f5c-6b0e-4ba8-a9b9-111111111111")
FAST = Times(
    ambiguous_wait=timedelta(seconds=0.05),
    lease_margin_seconds=1.0,
    lease_renewal_seconds=0.5,
    probe_interval=timedelta(hours=1),
    first_pause=timedelta(seconds=0.1),
    late_arrival_seconds=0.3,
    search_lag_seconds=0.05,
)


def person_id(number: int) -> str:
    return str(uuid5(NAMESPACE, str(number)))


def upn(number: int) -> str:
    return f"person{number:05}@contoso.com"


@dataclass
class World:
    pool: Pool
    services: Services
    drive: Drive
    target: ModelTarget
    app: str
    job: str
    woken: list[str] = field(default_factory=list)

    async def add_people(self, numbers: Sequence[int], *, assigned: bool = True, **attributes: Any) -> None:
        rows = [
            {
                "id": person_id(number),
                "upn": upn(number),
                "attributes": {
                    "userPrincipalName": upn(number),
                    "givenName": f"Given{number}",
                    "surname": f"Sur{number}",
                    "accountEnabled": True,
                    **attributes,
                },
            }
            for number in numbers
        ]
        async with self.pool.connection() as connection:
            await connection.execute(
                """insert into person (id, source, anchor, user_principal_name, attributes)
                select id, 'admin', id::text, upn, attributes
                from jsonb_to_recordset(%s::jsonb) as given (id uuid, upn text, attributes jsonb)""",
                (as_rows(rows),),
            )
        if assigned:
            await self.assign(numbers)

    async def assign(self, numbers: Sequence[int]) -> None:
        async with transaction(self.pool) as connection:
            await connection.execute(
                """insert into assignment (app, principal_kind, principal_id)
                select %s, 'User', unnest(%s::uuid[]) on conflict do nothing""",
                (self.app, [person_id(number) for number in numbers]),
            )
            await self._mark(connection, numbers, 3, "assigned")

    async def unassign(self, numbers: Sequence[int]) -> None:
        async with transaction(self.pool) as connection:
            await connection.execute(
                "delete from assignment where app = %s and principal_id = any(%s::uuid[])",
                (self.app, [person_id(number) for number in numbers]),
            )
            await self._mark(connection, numbers, 1, "unassigned")

    async def change(self, numbers: Sequence[int], **attributes: Any) -> None:
        async with transaction(self.pool) as connection:
            await connection.execute(
                """update person set attributes = attributes || %s::jsonb, version = nextval('object_version')
                where id = any(%s::uuid[])""",
                (as_rows([attributes])[1:-1], [person_id(number) for number in numbers]),
            )
            await self._mark(connection, numbers, 4, "changed")

    async def _mark(self, connection: Any, numbers: Sequence[int], lane: int, reason: str) -> None:
        await connection.execute(
            """select mark_dirty(id, 'User', %s::uuid[], %s::smallint, %s) from job where id = %s and started""",
            ([person_id(number) for number in numbers], lane, reason, self.job),
        )

    async def configure(self, config: dict[str, Any]) -> None:
        configuration = configuration_from_json(config, version=1)
        async with transaction(self.pool) as connection:
            await jobs.save_configuration(
                connection,
                self.job,
                config,
                dependencies={
                    kind.value: sorted(dependencies(configuration, kind))
                    for kind in ObjectKind
                    if configuration.mapping_for(kind)
                },
                syncs_all=config.get("scope") == "all",
                author="test",
            )

    async def start(self) -> None:
        """Begin the initial cycle, without draining."""
        async with transaction(self.pool) as connection:
            await jobs.set_status(connection, self.job, "on", actor="test")
            await cycle_frame.begin_initial(connection, self.job)

    async def drain(self) -> None:
        await asyncio.wait_for(drain_job(self.services, self.drive, self.job), 60)

    async def sync(self) -> cycles.Cycle:
        """Start and drain; returns the cycle."""
        await self.start()
        await self.drain()
        return await self.cycle()

    async def cycle(self) -> cycles.Cycle:
        async with self.pool.connection() as connection:
            return (await cycles.latest_cycles(connection, self.job, limit=1))[0]

    async def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(statement, parameters or None)
            return await cursor.fetchall()

    async def value(self, statement: str, *parameters: Any) -> Any:
        return (await self.rows(statement, *parameters))[0][0]


async def make_world(pool: Pool, target: ModelTarget, *, times: Times = FAST) -> World:
    vault = Vault(parse_key(secrets.token_hex(32), where="test"))
    drive = Drive(pool=pool)
    services = Services(pool, vault, ModelOpener(target), drive.wake, times=times)
    async with transaction(pool) as connection:
        await connection.execute(
            "insert into source (name, kind, display_name) values ('admin', 'admin', 'Test') on conflict do nothing"
        )
        cursor = await connection.execute(
            "insert into application (name, display_name, template) values ('model', 'Model', 'custom') returning id::text"
        )
        app = (await cursor.fetchone())[0]  # type: ignore[index]
        job = f"scim.tenant.{app}"
        await connection.execute("insert into job (id, app) values (%s, %s)", (job, app))
        sealed = vault.seal(Secret("token"), purpose=TOKEN, name=app)
        await connection.execute(
            "insert into credential (app, tenant_url, secret) values (%s, 'https://model.test/scim/v2', %s)",
            (app, sealed),
        )
    world = World(pool, services, drive, target, app, job)
    await world.configure(CONFIG)
    return world
