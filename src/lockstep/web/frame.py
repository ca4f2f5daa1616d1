"""The frame around every page: navigation rail, breadcrumbs, tabs, title. It contains links only to pages that exist."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.routing import compile_path

from lockstep.web.page import AppPlace, Crumb, View

PRODUCT = "Lockstep"
APPS = Crumb("Enterprise applications", "/apps")


@dataclass(frozen=True, slots=True)
class Section:
    """An entry of the navigation rail. Two keys, typed one after the other, open the page of the entry; *key* is the second one."""

    label: str
    href: str
    icon: str
    key: str = ""


SECTIONS = (
    Section("Home", "/", "home", "h"),
    Section("Applications", "/apps", "apps", "a"),
    Section("People", "/users", "people", "p"),
    Section("Groups", "/groups", "group"),
    Section("Logs", "/logs/provisioning", "logs", "l"),
    Section("Sources", "/sources", "source"),
    Section("Settings", "/settings", "settings"),
)
# The tabs of an application, and of its Provisioning tab: label and address below the application's.
APP_TABS: Sequence[tuple[str, str]] = (
    ("Overview", ""),
    ("Users and groups", "/users-groups"),
    ("Provisioning", "/provisioning"),
    ("Single sign-on", "/sso"),
    ("Properties", "/properties"),
    ("App roles", "/app-roles"),
)
PROVISIONING_TABS: Sequence[tuple[str, str]] = (
    ("Overview", "/provisioning"),
    ("Settings", "/provisioning/settings"),
    ("Mappings", "/provisioning/mappings"),
    ("Expression builder", "/provisioning/expression"),
    ("Preview", "/provisioning/preview"),
    ("On demand", "/provisioning/on-demand"),
    ("Links", "/provisioning/links"),
    ("Held changes", "/provisioning/held"),
    ("Quarantine", "/provisioning/quarantine"),
    ("Cycles", "/provisioning/cycles"),
    ("History", "/provisioning/history"),
    ("YAML", "/provisioning/configuration"),
)
LOG_TABS: Sequence[tuple[str, str]] = (
    ("Provisioning logs", "/logs/provisioning"),
    ("Failures", "/logs/provisioning/failures"),
    ("Sign-in logs", "/logs/sign-ins"),
    ("Audit logs", "/logs/audit"),
)
SETTINGS_TABS: Sequence[tuple[str, str]] = (
    ("General", "/settings"),
    ("Administrators", "/settings/admins"),
    ("Single sign-on", "/settings/sso"),
    ("People's sign-in", "/settings/people-sign-in"),
    ("Access tokens", "/settings/tokens"),
    ("Sessions", "/settings/sessions"),
    ("Mail", "/settings/mail"),
    ("Webhook", "/settings/webhook"),
    ("Secrets", "/settings/secrets"),
    ("Private networks", "/settings/outbound"),
    ("Retention", "/settings/retention"),
    ("Configuration", "/settings/configuration"),
    ("About", "/settings/about"),
)
# Beside the content, because they are too many for a row of tabs.
_IN_A_COLUMN = "Settings"
TABS_OF_SECTION: Mapping[str, Sequence[tuple[str, str]]] = {"Logs": LOG_TABS, "Settings": SETTINGS_TABS}


@dataclass(frozen=True, slots=True)
class SideColumn:
    """The column of links beside the content: the pages of an application, or of the settings. *below* are the pages below the page that is
    open.
    """

    title: str
    pages: Sequence[Crumb]
    current: str
    below: Sequence[Crumb] = ()
    current_below: str = ""


@dataclass(frozen=True, slots=True)
class PageFrame:
    """The data that the frame's templates show for one page. A page has a column, or tabs, or neither."""

    title: str
    sections: Sequence[Section]
    crumbs: Sequence[Crumb]
    column: SideColumn | None
    tabs: Sequence[Crumb]
    current_tab: str


class Frames:
    """Builds frames. *paths* are the addresses of all pages; links lead only to pages that exist."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = frozenset(paths)
        self._patterns = [compile_path(path)[0] for path in self._paths]
        self._sections = tuple(one for one in SECTIONS if one.href in self._paths)

    def has(self, path: str) -> bool:
        return path in self._paths

    def of(self, view: View) -> PageFrame:
        crumbs = [one if self.leads(one.href) else replace(one, href="") for one in _crumbs(view)]
        current = view.subtab or view.heading
        # Below a tab, the breadcrumbs lead back.
        tabs = () if view.app is not None or view.parents or view.section == _IN_A_COLUMN else self._tabs(view.section)
        return PageFrame(
            _title(view), self._sections, crumbs, self._column(view), tabs if len(tabs) > 1 else (), current
        )

    def _column(self, view: View) -> SideColumn | None:
        if view.app is not None:
            below = self._app_tabs(view.app, PROVISIONING_TABS) if view.tab == "Provisioning" else ()
            return SideColumn(
                view.app.display_name,
                self._app_tabs(view.app, APP_TABS),
                view.tab,
                below if len(below) > 1 else (),
                view.subtab,
            )
        if view.section != _IN_A_COLUMN:
            return None
        current = view.parents[0].label if view.parents else view.subtab or view.heading
        return SideColumn(view.section, self._tabs(view.section), current)

    def _tabs(self, section: str) -> tuple[Crumb, ...]:
        return tuple(Crumb(label, href) for label, href in TABS_OF_SECTION.get(section, ()) if href in self._paths)

    def leads(self, href: str) -> bool:
        """Whether there is a page at *href*."""
        path = href.partition("?")[0]
        return any(pattern.fullmatch(path) for pattern in self._patterns)

    def _app_tabs(self, app: AppPlace, tabs: Sequence[tuple[str, str]]) -> tuple[Crumb, ...]:
        return tuple(Crumb(label, app.href + tail) for label, tail in tabs if f"/apps/{{app}}{tail}" in self._paths)


def _crumbs(view: View) -> tuple[Crumb, ...]:
    """Return the breadcrumbs, as in Entra: Enterprise applications > Documo > Provisioning. A top-level page has none."""
    if view.app is None:
        above = [
            Crumb(one.label, one.href) for one in SECTIONS if one.label in TABS_OF_SECTION and one.label == view.section
        ]
        return (*above, *view.parents, Crumb(view.heading)) if view.parents else ()
    below = [Crumb(view.tab, f"{view.app.href}/provisioning")] if view.tab == "Provisioning" else []
    place: list[Crumb] = [APPS, Crumb(view.app.display_name, view.app.href), *below, *view.parents]
    last = view.subtab or view.tab
    if view.parents:
        last = view.heading
    return tuple(place) if last in ("", "Overview", *(one.label for one in place)) else (*place, Crumb(last))


def _title(view: View) -> str:
    """Return the title: the application, then the page, then the product, as in "Documo - Provisioning - Lockstep"."""
    parts = [view.app.display_name, view.tab, view.subtab if view.subtab != "Overview" else ""] if view.app else []
    if not parts or (view.heading not in parts and view.parents):
        parts.append(view.heading)
    return " - ".join([part for part in dict.fromkeys(parts) if part] + [PRODUCT])
