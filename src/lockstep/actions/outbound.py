"""The list of private networks and origins to which Lockstep may send requests. Changing the list needs a separate permission: permission
to set up an application is not sufficient.

Addresses of cloud metadata services are refused, and Lockstep never connects to them even if a network in the list contains them.
"""

from __future__ import annotations

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.permissions import Permission
from lockstep.errors import invalid, not_found
from lockstep.http.origins import network_of, read_entry
from lockstep.storage import jobs, outbound_places
from lockstep.storage.outbound_places import OutboundPlace
from lockstep.wording import did_you_mean

_ACTIVITY = "Change the outbound list"
# Larger than any network of one organisation. The largest private networks are 10.0.0.0/8 and fc00::/7.
_WIDEST = {4: 8, 6: 7}


@needs(Permission.APPLICATIONS_READ)
async def list_places(context: Context) -> list[OutboundPlace]:
    async with context.reading() as connection:
        return await outbound_places.list_places(connection)


@needs(Permission.OUTBOUND_WRITE)
async def add_place(context: Context, word: str, *, reason: str = "") -> tuple[str, bool]:
    """Allow an origin or a network. Returns its canonical form, and whether it is new in the list. Raises LockstepError for an invalid or
    refused entry, with a suggestion.

    Applications that Lockstep had paused because they could not be reached are tried again at once.
    """
    entry = _read(word)
    network = network_of(entry) if "://" not in entry else None
    if network is not None and network.prefixlen < _WIDEST[network.version]:
        raise invalid(
            f"{entry} is larger than any private network",
            next_step="Add the origins of your applications, such as https://app.internal:8443, or their network",
        )
    touched: set[str] = set()
    async with context.changing() as edit:
        is_new = await outbound_places.add_place(edit.connection, entry, reason=reason, actor=edit.actor)
        if is_new:
            for row in await jobs.read_jobs(edit.connection):
                if await jobs.end_connection_wait(edit.connection, row.id):
                    touched.add(row.id)
            await audit(edit, _ACTIVITY, entry, after={"allowed": True, "reason": reason})
    if touched:
        await context.after_commit(frozenset(touched))
    return entry, is_new


@needs(Permission.OUTBOUND_WRITE)
async def remove_place(context: Context, word: str) -> str:
    """Remove an origin or a network from the list, and return its canonical form. Raises LockstepError if it is not in the list."""
    entry = _read(word)
    async with context.changing() as edit:
        there = {one.entry: one for one in await outbound_places.list_places(edit.connection)}
        if not await outbound_places.remove_place(edit.connection, entry):
            raise not_found(
                f"{entry} is not in the outbound list",
                next_step=did_you_mean(entry, there, otherwise="See: lockstep outbound list"),
            )
        before = {"allowed": True, "reason": there[entry].reason}
        await audit(edit, _ACTIVITY, entry, before=before, after={"allowed": False})
    return entry


def _read(word: str) -> str:
    try:
        return read_entry(word.strip())
    except ValueError as wrong:
        text, _, meant = str(wrong).partition(". Did you mean ")
        raise invalid(f"{text[:1].upper()}{text[1:]}", next_step=f"Did you mean {meant}" if meant else "") from None
