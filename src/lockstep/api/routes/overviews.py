"""Overviews: what needs attention in each application, how far its setup has progressed, and what fails at present."""

from __future__ import annotations

from lockstep.actions import failures, overview, provisioning_pages
from lockstep.actions.rows.overviews import (
    AppOverviewDetailsJson,
    AppOverviewJson,
    FailingApplicationJson,
    app_overview_details_json,
    app_overview_json,
    failing_application_json,
)
from lockstep.api.door import Asked, router_of
from lockstep.api.paging import Asking, Page, page_of_rows
from lockstep.api.shapes import AppName

router = router_of("Provisioning")


@router.get("/overview")
async def list_overview(context: Asked, query: Asking) -> Page[AppOverviewJson]:
    """List the applications that you may see, each with its state and whether it needs attention."""
    rows = [app_overview_json(one) for one in await overview.list_overview(context)]
    return page_of_rows(query, rows, key="application")


@router.get("/applications/{app}/overview")
async def show_overview(context: Asked, app: AppName) -> AppOverviewDetailsJson:
    """Show the state of an application, the progress of its setup, the groups of failures, and the time that the running cycle still
    needs.
    """
    found = await overview.show_overview(context, app)
    return app_overview_details_json(found, await provisioning_pages.provisioning_overview(context, app))


@router.get("/failures")
async def list_failures(context: Asked, query: Asking) -> Page[FailingApplicationJson]:
    """List the applications in which a person or group fails at present. Failures with the same error form one group. To retry a group,
    send its `code` to `POST /applications/{app}/retry`.
    """
    rows = [failing_application_json(one) for one in await failures.list_failing(context)]
    return page_of_rows(query, rows, key="application")
