"""Pages: functions that take a context and a request, and the types that they may return. A product adds what its own frame shows."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from lockstep.errors import Kind, LockstepError

FORM_BYTES = 2 * 1024 * 1024
_NOT_ABOUT_THE_FORM = frozenset({Kind.FORBIDDEN, Kind.OUTPUT, Kind.INTERNAL})

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Crumb:
    """A breadcrumb, a tab or a link in the navigation rail. *count* is a number beside the label."""

    label: str
    href: str = ""
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in the form of a link. *count* is the number of rows that it shows."""

    label: str
    href: str
    is_current: bool = False
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyAs:
    """Ways to get the same content outside the pages: with a command, or with a path of the API. If a part of the page needs another
    command, *more* contains the way to get that part, with a *title*.
    """

    command: str = ""
    api: str = ""
    title: str = ""
    more: Sequence[CopyAs] = ()


@dataclass(frozen=True, slots=True)
class PageView:
    """A whole page. *model* contains the data for the template. *section* is the entry of the navigation rail. *parents* are the
    breadcrumbs before the page.

    *live* contains event topics. After an event with one of these topics, the page reloads its parts that have the attribute `data-live`.
    If a form of the page is sent to another server, *sends_to* must be that server's address; otherwise browsers block the form.
    """

    template: str
    heading: str
    model: Mapping[str, Any] = field(default_factory=dict)
    _: KW_ONLY
    section: str = ""
    parents: Sequence[Crumb] = ()
    lead: str = ""
    copy_as: CopyAs | None = None
    live: str = ""
    sends_to: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a page, which htmx swaps in. *toast* is a message that screen readers announce."""

    template: str
    model: Mapping[str, Any] = field(default_factory=dict)
    toast: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect after a POST (303). *notice* is shown once on the page at *href*."""

    href: str
    notice: str = ""


PageAnswer = PageView | Fragment | Redirect | Response
PageFunction = Callable[[C, Request], Awaitable[PageAnswer]]


@dataclass(frozen=True, slots=True)
class PageRoute(Generic[C]):
    """One address of a page. *is_public* is true if no sign-in is needed. *form_bytes* is the size limit of the body."""

    method: str
    path: str
    function: PageFunction[C]
    is_public: bool = False
    form_bytes: int = FORM_BYTES

    @property
    def order(self) -> tuple[tuple[bool, str], ...]:
        """A sort key that puts fixed path segments before parameters, so that `/apps/new` does not match as an application named "new"."""
        return tuple((part.startswith("{"), part) for part in self.path.split("/"))


class ModulePages(Generic[C]):
    """The pages of one module, whose functions take a context of type *C*."""

    def __init__(self) -> None:
        self.routes: list[PageRoute[C]] = []

    def get(self, path: str, *, is_public: bool = False) -> Callable[[PageFunction[C]], PageFunction[C]]:
        return self._add("GET", path, is_public, FORM_BYTES)

    def post(
        self, path: str, *, is_public: bool = False, form_bytes: int = FORM_BYTES
    ) -> Callable[[PageFunction[C]], PageFunction[C]]:
        """Register an address that changes something. The token and the origin of the form are checked before the function is called."""
        return self._add("POST", path, is_public, form_bytes)

    def _add(
        self, method: str, path: str, is_public: bool, form_bytes: int
    ) -> Callable[[PageFunction[C]], PageFunction[C]]:
        def add(function: PageFunction[C]) -> PageFunction[C]:
            self.routes.append(PageRoute(method, path, function, is_public, form_bytes))
            return function

        return add


def pages_in(package_name: str) -> list[PageRoute[Any]]:
    """Return the routes of the package: the routes in `pages` of each module that has `pages`. They are in the order in which they are
    matched.
    """
    package = importlib.import_module(package_name)
    routes: list[PageRoute[Any]] = []
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        pages = getattr(importlib.import_module(found.name), "pages", None)
        if isinstance(pages, ModulePages):
            routes += pages.routes
    return sorted(routes, key=lambda route: route.order)


def on_the_form(refused: LockstepError) -> LockstepError:
    """Return the error *refused* if the person can solve the problem with other input, so that the form shows the error. Use it in the
    handler: `return _form(..., refused=on_the_form(refused))`.

    Otherwise, raises *refused* again, and the error is shown on a separate page. Examples are a missing permission, a required password and
    an internal error.
    """
    if refused.kind in _NOT_ABOUT_THE_FORM:
        raise refused
    return refused


def address(path: str, **query: str) -> str:
    """Return *path* with the parameters of *query* that are not empty: `address("/apps", show="on")`."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path
