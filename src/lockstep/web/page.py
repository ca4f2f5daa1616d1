"""Pages of the admin centre: the kit's pages, with a place within an application.

pages = Pages()

@pages.get("/groups")
async def list_groups(context: Context, request: Request) -> View:
    return View("groups/list.html", heading="Groups", section="Groups", model={"groups": await groups.list_groups(context)})
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from lockstep.actions.context import Context
from lockstep.kit.pages import Chip as Chip
from lockstep.kit.pages import CopyAs as CopyAs
from lockstep.kit.pages import Crumb as Crumb
from lockstep.kit.pages import Fragment as Fragment
from lockstep.kit.pages import ModulePages, PageRoute, PageView, pages_in
from lockstep.kit.pages import PageAnswer as PageAnswer
from lockstep.kit.pages import Redirect as Redirect
from lockstep.kit.pages import address as address
from lockstep.kit.pages import on_the_form as on_the_form


@dataclass(frozen=True, slots=True)
class AppPlace:
    """The application to which a page belongs."""

    name: str
    display_name: str

    @property
    def href(self) -> str:
        return f"/apps/{self.name}"


@dataclass(frozen=True, slots=True)
class View(PageView):
    """A whole page. *app*, *tab* and *subtab* give the place of a page within an application. If *app* is set, breadcrumbs and title are
    derived from these three.

    *live* contains topics of `actions.live`. After an event with one of these topics, the page reloads its parts that may have changed.
    """

    _: KW_ONLY
    app: AppPlace | None = None
    tab: str = ""
    subtab: str = ""


class Pages(ModulePages[Context]):
    """The pages of one module."""


def all_pages() -> list[PageRoute[Context]]:
    """Return the routes of every module in `web/pages`, in the order in which they are tried."""
    return pages_in("lockstep.web.pages")
