"""Orders that the command palette understands: pause, start or run the provisioning of an application. Each leads to a page that says what
the order does; Enter on that page carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lockstep.actions import status
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.search import Found
from lockstep.actions.status import JobStatus
from lockstep.wording import counted


@dataclass(frozen=True, slots=True)
class PaletteOrder:
    """One order of the command palette. *title* has a placeholder for the application's name. *words* are the words by which people find
    the order. *done* is the name of the order on the command line, and the last segment of the address to which the confirmation form is
    posted.
    """

    done: str
    title: str
    button: str
    icon: str
    words: Sequence[str]


ORDERS: Mapping[str, PaletteOrder] = {
    one.done: one
    for one in (
        PaletteOrder("pause", "Pause {}", "Pause", "pause", ("pause", "stop", "halt")),
        PaletteOrder("start", "Start {}", "Start", "play", ("start", "resume", "continue")),
        PaletteOrder("run", "Run a cycle of {} now", "Run a cycle now", "refresh", ("run", "cycle", "sync", "now")),
    )
}


async def orders_in(context: Context, found: Found) -> list[tuple[str, str, str]]:
    """Return the orders that the search text matches, for the application that the text names. Each order is a tuple of title, address and
    icon. Orders that the application's state or the caller's permissions do not allow are left out.
    """
    app = next((one for one in found.applications if one.id == found.query.app), None)
    if app is None or not found.query.words or not context.actor.may(Permission.PROVISIONING_CONTROL, app.id):
        return []
    wanted = [one for one in ORDERS.values() if _is_asked(one, found.query.words)]
    state = await status.show_status(context, app.name) if wanted else None
    return [
        (one.title.format(app.display_name), f"/apps/{app.name}/provisioning/order/{one.done}", one.icon)
        for one in wanted
        if state is not None and is_possible(one, state)
    ]


def is_possible(order: PaletteOrder, state: JobStatus) -> bool:
    """Whether the order changes something in the present state."""
    if order.done == "start":
        return not state.is_on and state.has_credentials
    return state.is_on and (order.done == "pause" or (state.running is None and state.quarantine is None))


def consequence_of(order: PaletteOrder, state: JobStatus, *, previews_first: bool = False) -> str:
    """Return a text that says what the order does. If *previews_first* is true, starting shows a preview before it switches on."""
    waiting = counted(state.waiting, "object")
    if order.done == "pause":
        return (
            f"No more changes are sent to {state.display_name}. Requests in progress finish, and accounts stay as they are. "
            "People who leave keep their accounts until provisioning starts again."
        )
    if order.done == "start" and previews_first:
        return (
            "You first see what an initial cycle would do to everyone in scope. It starts when you then select Switch on."
            if state.last is None
            else "You first see what would be done to everyone in scope, because the configuration was changed while provisioning was off."
        )
    if order.done == "start":
        return (
            f"{waiting} waiting for {state.display_name} will be processed. From then on, changes are sent as they happen."
            if state.last is not None
            else f"An initial cycle evaluates everyone in scope and writes their accounts in {state.display_name}."
        )
    return f"A cycle of {state.display_name} begins now. It also retries everything that failed. Only differences are written."


def _is_asked(order: PaletteOrder, words: Sequence[str]) -> bool:
    return all(any(one.startswith(word.lower()) for one in order.words) for word in words)
