"""The confirmation of an order that was chosen in the command palette: its consequence, and one button."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.actions import provisioning_pages, status
from lockstep.actions.applications import show_application
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.errors import not_found
from lockstep.web.page import CopyAs, PageAnswer, Pages, Redirect, View
from lockstep.web.pages.app_overview import place_of
from lockstep.web.palette_orders import ORDERS, consequence_of, is_possible

pages = Pages()


@pages.get("/apps/{app}/provisioning/order/{order}")
async def confirm(context: Context, request: Request) -> PageAnswer:
    """Show the consequence of an order of the command palette. If the order no longer applies, redirect to the overview, which shows the
    present state.
    """
    app = await show_application(context, request.path_params["app"])
    order = ORDERS.get(request.path_params["order"])
    if order is None:
        raise not_found("The palette has no such command", next_step="Choose one in the command palette")
    context.actor.require(Permission.PROVISIONING_CONTROL, app.application.id)
    place = place_of(app)
    state = await status.show_status(context, place.name)
    overview = f"{place.href}/provisioning"
    if not is_possible(order, state):
        return Redirect(overview)
    setup = await provisioning_pages.show_setup(context, place.name, with_people=False)
    consequence = consequence_of(order, state, previews_first=setup.is_untried)
    model = {"order": order, "consequence": consequence, "here": overview}
    return View(
        "provisioning/order.html",
        f"{order.title.format(place.display_name)}?",
        model,
        app=place,
        tab="Provisioning",
        subtab=order.button,
        copy_as=CopyAs(command=f"lockstep {order.done} {place.name}"),
    )
