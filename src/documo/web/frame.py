"""The frame around every page of Documo: navigation rail, breadcrumbs, tabs, title."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from documo.permissions import MemberPermission
from lockstep.kit.pages import Crumb, PageRoute, PageView

PRODUCT = "Documo"


@dataclass(frozen=True, slots=True)
class RailEntry:
    """One link in the navigation rail. It is shown to members with the permission *needs*."""

    label: str
    href: str
    icon: str
    needs: MemberPermission


RAIL = (
    RailEntry("Documents", "/", "box", MemberPermission.DOCUMENTS_READ),
    RailEntry("Users", "/users", "people", MemberPermission.USERS),
    RailEntry("Account Settings", "/settings/account", "settings", MemberPermission.ACCOUNT),
)
TABS: Mapping[str, Sequence[Crumb]] = {
    "Account Settings": (
        Crumb("Account", "/settings/account"),
        Crumb("API keys", "/settings/api-keys"),
        Crumb("Branding", "/settings/branding"),
        Crumb("Security", "/settings/security"),
        Crumb("SCIM", "/settings/scim"),
        Crumb("SCIM request log", "/settings/scim/logs"),
        Crumb("Audit log", "/settings/audit"),
    )
}


@dataclass(frozen=True, slots=True)
class Extension:
    """Pages that a program adds, with their links in the rail. *notice* returns a text that every page shows together with a link to
    *href*, or "" if there is nothing to show.
    """

    routes: Sequence[PageRoute[Any]]
    rail: Sequence[RailEntry]
    notice: Callable[[], str]
    href: str


@dataclass(frozen=True, slots=True)
class DocumoFrame:
    """The data that the frame's templates show for one page."""

    title: str
    rail: Sequence[RailEntry]
    crumbs: Sequence[Crumb]
    tabs: Sequence[Crumb]
    current_tab: str


def frame_of(view: PageView, paths: Collection[str], more: Sequence[RailEntry] = ()) -> DocumoFrame:
    """Return the frame of *view*. It contains a link only if the linked page is among *paths*. The links in *more* come last in
    the rail.
    """
    tabs = [tab for tab in TABS.get(view.section, ()) if tab.href in paths]
    last = view.parents[-1].label if view.parents and view.section in TABS else view.heading
    return DocumoFrame(
        title=" - ".join(dict.fromkeys((view.heading, view.section or PRODUCT, PRODUCT))),
        rail=[entry for entry in (*RAIL, *more) if entry.href in paths],
        crumbs=(*view.parents, Crumb(view.heading)) if view.parents else (),
        tabs=tabs if len(tabs) > 1 else (),
        current_tab=last,
    )
