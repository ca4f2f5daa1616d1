"""My Apps: the applications that the person may sign in to."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.actions.person_sign_in.my_apps import my_apps
from lockstep.kit.pages import PageAnswer, PageView
from lockstep.portal.cookies import HOME, session_secret
from lockstep.portal.page import PortalContext, PortalPages

pages = PortalPages()


@pages.get(HOME)
async def show_my_apps(context: PortalContext, request: Request) -> PageAnswer:
    return PageView("portal/my_apps.html", "My Apps", {"apps": await my_apps(context.actions, session_secret(request))})
