"""My Apps: the applications into which the person may sign in."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.kit.pages import Answer, PageView
from lockstep.portal.cookies import HOME
from lockstep.portal.page import PortalContext, PortalPages

pages = PortalPages()


@pages.get(HOME)
async def show_my_apps(context: PortalContext, _: Request) -> Answer:
    context.person()
    return PageView("portal/my_apps.html", "My Apps", {"apps": []})
