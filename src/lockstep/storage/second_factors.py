"""The second factor of administrators: the sealed TOTP seed, the newest time step that was used, and the hashes of recovery codes."""

from __future__ import annotations

from collections.abc import Iterable

from lockstep.postgres.pool import Connection
from lockstep.storage.passkeys import PasskeyOwner, delete_passkeys


async def sealed_seed(connection: Connection, administrator: str) -> bytes | None:
    """Return the envelope of the seed, or None if the administrator has none."""
    cursor = await connection.execute("select second_factor from administrator where id = %s", (administrator,))
    row = await cursor.fetchone()
    return bytes(row[0]) if row and row[0] is not None else None


async def save_seed(connection: Connection, administrator: str, sealed: bytes | None) -> None:
    """Store a seed, which takes effect when it is confirmed. If *sealed* is None, remove the second factor. Recovery codes and passkeys are
    deleted in both cases.
    """
    await connection.execute(
        "update administrator set second_factor = %s, second_factor_confirmed = false, last_step = 0 where id = %s",
        (sealed, administrator),
    )
    await connection.execute("delete from recovery_code where administrator = %s", (administrator,))
    await delete_passkeys(connection, PasskeyOwner("administrator", administrator))


async def use_step(connection: Connection, administrator: str, step: int) -> bool:
    """Record that the code of this time step was used. Returns False if this code or a newer one has already been used."""
    cursor = await connection.execute(
        "update administrator set last_step = %(step)s where id = %(id)s and last_step < %(step)s",
        {"step": step, "id": administrator},
    )
    return cursor.rowcount == 1


async def confirm(connection: Connection, administrator: str, code_hashes: Iterable[bytes]) -> None:
    """Enable the second factor and store these recovery codes."""
    await connection.execute("update administrator set second_factor_confirmed = true where id = %s", (administrator,))
    for code_hash in code_hashes:
        await connection.execute(
            "insert into recovery_code (administrator, code_hash) values (%s, %s)", (administrator, code_hash)
        )


async def use_recovery_code(connection: Connection, administrator: str, code_hash: bytes) -> bool:
    """Use up a recovery code. Returns False if the code does not exist or was used before."""
    cursor = await connection.execute(
        "delete from recovery_code where administrator = %s and code_hash = %s", (administrator, code_hash)
    )
    return cursor.rowcount == 1
