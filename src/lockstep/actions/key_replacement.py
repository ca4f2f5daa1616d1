"""Encrypt all stored secrets with a new key, in one transaction: either all of them are encrypted again, or none."""

from __future__ import annotations

from collections.abc import Callable

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.permissions import Permission
from lockstep.errors import Kind, LockstepError, conflict
from lockstep.storage.sealed import SEALED_COLUMNS, SealedColumn, is_key_used, other_clients, replace_envelopes
from lockstep.vault import Vault


@needs(Permission.ORGANISATION_WRITE)
async def encrypt_again(context: Context, *, abandon: Callable[[], None]) -> int:
    """Find all stored secrets that are encrypted with a key other than the vault's current key, and encrypt them with the current key.
    Returns the number of these secrets. A response that is kept for repeated requests stays as it is if it cannot be decrypted; it expires
    within a day.

    Raises LockstepError and changes nothing if a secret cannot be decrypted. Also raises LockstepError if another process of Lockstep is
    connected, because that process would go on using the former key. If no stored secret is encrypted with the current key, that key can be
    discarded, and *abandon* is called before the error is raised.
    """
    try:
        return await _encrypt_again(context)
    except LockstepError:
        async with context.reading() as connection:
            is_used = await is_key_used(connection, context.vault.key_id)
        if not is_used:
            abandon()
        raise


async def _encrypt_again(context: Context) -> int:
    async with context.changing() as edit:
        if await other_clients(edit.connection):
            raise conflict(
                "Lockstep is running on this database, and would continue to use the old key",
                next_step="Stop all servers, workers and commands, then run: lockstep key rotate",
            )
        count = 0
        for one in SEALED_COLUMNS:
            count += await replace_envelopes(edit.connection, one, _replacing(context.vault, one))
        await audit(edit, "Encrypt secrets again", "key", after={"secrets": count})
    return count


def _replacing(vault: Vault, one: SealedColumn) -> Callable[[bytes, str], bytes | None]:
    def replaced(envelope: bytes, name: str) -> bytes | None:
        try:
            return vault.sealed_again(envelope, purpose=one.purpose, name=name)
        except LockstepError as unreadable:
            if one.table == "api_answer":
                return None
            raise LockstepError(
                Kind.FORBIDDEN, unreadable.detail, why=unreadable.why, code=unreadable.code,
                next_step="Nothing was re-encrypted. See what cannot be decrypted: lockstep doctor",
            ) from None  # fmt: skip

    return replaced
