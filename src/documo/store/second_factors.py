"""SQL of the second factor of members: the TOTP seed, the newest time step that was used, and the hashes of recovery codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class MemberSecondFactor:
    """A second factor as stored. It is in effect once it is confirmed."""

    seed: str = field(repr=False)
    is_confirmed: bool


async def read_factor(connection: Connection, tenant_id: int, member_id: str) -> MemberSecondFactor | None:
    """Return the second factor, locked until the transaction ends, so that a code works only once."""
    cursor = connection.cursor(row_factory=class_row(MemberSecondFactor))
    await cursor.execute(
        "select seed, confirmed_at is not null as is_confirmed from member_second_factors"
        " where tenant_id = %s and member_id = %s for update",
        (tenant_id, member_id),
    )
    return await cursor.fetchone()


async def is_confirmed(connection: Connection, tenant_id: int, member_id: str) -> bool:
    cursor = await connection.execute(
        "select 1 from member_second_factors where tenant_id = %s and member_id = %s and confirmed_at is not null",
        (tenant_id, member_id),
    )
    return await cursor.fetchone() is not None


async def save_seed(connection: Connection, tenant_id: int, member_id: str, seed: str) -> bool:
    """Store an unconfirmed seed. Returns False, and changes nothing, if the member already has a confirmed seed."""
    cursor = await connection.execute(
        "insert into member_second_factors (tenant_id, member_id, seed) values (%s, %s, %s)"
        " on conflict (tenant_id, member_id) do update set seed = excluded.seed, last_step = 0"
        " where member_second_factors.confirmed_at is null",
        (tenant_id, member_id, seed),
    )
    return cursor.rowcount == 1


async def confirm(connection: Connection, tenant_id: int, member_id: str, code_hashes: Iterable[bytes]) -> None:
    """Confirm the second factor, which takes effect now, and store its recovery codes."""
    await connection.execute(
        "update member_second_factors set confirmed_at = now() where tenant_id = %s and member_id = %s",
        (tenant_id, member_id),
    )
    for code_hash in code_hashes:
        await connection.execute(
            "insert into member_recovery_codes values (%s, %s, %s)", (tenant_id, member_id, code_hash)
        )


async def remove(connection: Connection, tenant_id: int, member_id: str) -> bool:
    """Remove the second factor with its recovery codes. Returns False if there was none."""
    cursor = await connection.execute(
        "delete from member_second_factors where tenant_id = %s and member_id = %s", (tenant_id, member_id)
    )
    return cursor.rowcount == 1


async def use_step(connection: Connection, tenant_id: int, member_id: str, step: int) -> bool:
    """Record that the code of this time step was used. Returns False if this code or a newer one has already been used."""
    cursor = await connection.execute(
        "update member_second_factors set last_step = %s where tenant_id = %s and member_id = %s and last_step < %s",
        (step, tenant_id, member_id, step),
    )
    return cursor.rowcount == 1


async def use_recovery_code(connection: Connection, tenant_id: int, member_id: str, code_hash: bytes) -> bool:
    """Use up a recovery code. Returns False if the member has no such code, or has already used it."""
    cursor = await connection.execute(
        "delete from member_recovery_codes where tenant_id = %s and member_id = %s and code_hash = %s",
        (tenant_id, member_id, code_hash),
    )
    return cursor.rowcount == 1
