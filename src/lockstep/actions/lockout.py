"""The limits on failed sign-ins of administrators, and the audit entries of failed sign-ins."""

from __future__ import annotations

from lockstep.actions.context import NOT_SIGNED_IN, Context
from lockstep.credentials import lockout
from lockstep.postgres.pool import Connection
from lockstep.storage import audit_log


async def admit(context: Context, email: str, *, address: str = "") -> None:
    """Count the attempt as failed before its credentials are checked, so that even parallel attempts cannot exceed the limit. Raises
    LockstepError while earlier failures delay sign-in; the error does not say whether the e-mail address or the network address caused the
    delay.
    """
    await lockout.admit(context.recording, email, address=address, now=context.now())


async def failed(context: Context, email: str, *, who: str, address: str = "") -> None:
    """Write the audit entries of a failed attempt. If the entered e-mail address belongs to no administrator, the entries do not contain
    it, because somebody may have typed a password into that field.
    """
    async with context.recording() as connection:
        await audit_log.append(
            connection,
            actor=who or NOT_SIGNED_IN.name,
            activity="Sign-in failed",
            target=who or "An unknown address",
            after={"clientAddress": address} if address else None,
        )
        for subject, so_far in await lockout.locked_now(connection, email, address=address, now=context.now()):
            until = so_far.locked_until.isoformat(timespec="seconds") if so_far.locked_until is not None else None
            await audit_log.append(
                connection,
                actor=who or NOT_SIGNED_IN.name,
                activity="Lock sign-in",
                target=subject.shown or who or "An unknown address",
                after={"failures": so_far.failures, "lockedUntil": until},
            )


async def forgiven(context: Context, email: str, *, address: str = "") -> None:
    """Take back the attempt that `admit` counted. Used if the attempt was not wrong but incomplete: for example, the code was missing."""
    await lockout.forgiven(context.recording, email, address=address)


async def succeeded(connection: Connection, email: str, *, address: str = "") -> None:
    """Clear the failures of this e-mail address, and take back the attempt that was counted for the network address."""
    await lockout.succeeded(connection, email, address=address)
