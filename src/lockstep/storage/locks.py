"""The advisory locks of Lockstep, by name. A lock that a function of this module takes is held until the transaction ends."""

from __future__ import annotations

from collections.abc import Iterable

from lockstep.postgres.advisory_locks import LockName, lock, lock_all, lock_shared
from lockstep.postgres.pool import Connection


async def lock_directory(connection: Connection) -> None:
    """Wait for all other changes of the directory.

    Call this before changing people, groups, members, roles or assignments, before starting a job, and before changing anything that a job
    depends on. Without the lock, one transaction could assign a group while another adds a member. Neither would see the other's change,
    so neither would mark the new member, who would never be evaluated.
    """
    await lock(connection, LockName("directory"))


async def lock_administrators(connection: Connection) -> None:
    """Wait for other changes of administrators, so that two changes cannot together remove the last Global administrator."""
    await lock(connection, LockName("administrators"))


async def lock_audit_log(connection: Connection) -> None:
    """Let one transaction at a time write to the audit log, because each entry contains the hash of the entry before it."""
    await lock(connection, LockName("audit log"))


async def lock_sign_on(connection: Connection, app: str) -> None:
    """Let one transaction at a time change the single sign-on settings and certificates of *app*."""
    await lock(connection, LockName(f"sign-on of {app}"))


async def lock_openid_keys(connection: Connection) -> None:
    """Wait for other changes of the keys that sign ID tokens."""
    await lock(connection, LockName("OpenID keys"))


async def lock_refusals(connection: Connection, refused_to: bytes) -> None:
    """Let one transaction at a time count the refused sign-ins with the key *refused_to*."""
    await lock(connection, LockName(f"refusals of {refused_to.hex()}"))


async def lock_references(connection: Connection, job: str) -> None:
    """Wait until no other transaction records waiting references or new links of *job*.

    Without the lock, one transaction could record that A waits for B while another one links B, and neither would see the other's change.
    In the same way, a member could join a group while another transaction links that member. Code that reads dirty_member therefore takes
    this lock too.
    """
    await lock(connection, LockName(f"references of {job}"))


async def lock_guarded_writes(connection: Connection, job: str) -> None:
    """Prevent other workers from counting or journalling guarded writes of *job*."""
    await lock(connection, _guarded_writes(job))


async def lock_count_of_guarded_writes(connection: Connection, job: str) -> None:
    """Wait until no worker is journalling guarded writes of *job*, and prevent new ones. Several workers may hold this lock and count at
    the same time.
    """
    await lock_shared(connection, _guarded_writes(job))


async def lock_accounts(connection: Connection, things: Iterable[str]) -> None:
    """Let one transaction at a time take the accounts in *things*: each is a match key, or an account with its job and kind."""
    await lock_all(connection, [LockName(f"account {thing}") for thing in things])


def pass_of_source(source: str) -> LockName:
    """The lock of the process that imports *source*."""
    return LockName(f"pass of {source}")


def preparation_of_cycle(job: str) -> LockName:
    """The lock of the worker that prepares a cycle of *job*."""
    return LockName(f"prepare {job}")


def _guarded_writes(job: str) -> LockName:
    return LockName(f"guarded writes of {job}")
