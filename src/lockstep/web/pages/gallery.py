"""The gallery of known applications, and adding one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from lockstep.actions import applications
from lockstep.actions.context import Context
from lockstep.configuration.files.names import APPLICATION_RULE
from lockstep.configuration.template import Template
from lockstep.errors import Kind, LockstepError
from lockstep.kit.page_errors import STATUSES
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.provisioning_form import METHODS

pages = Pages()
OWN = "custom"  # the entry for applications that are not in the gallery
_GALLERY = Crumb("Browse app gallery", "/apps/new")
_APPLICATIONS = Crumb("Enterprise applications", "/apps")


@dataclass(frozen=True, slots=True)
class GalleryCard:
    """An application in the gallery, with its capabilities."""

    entry: Template

    @property
    def href(self) -> str:
        return f"/apps/new/{self.entry.id}"

    @property
    def is_own(self) -> bool:
        """Whether this is the entry for applications that are not in the gallery."""
        return self.entry.id == OWN

    @property
    def abilities(self) -> Sequence[str]:
        can = self.entry.capabilities
        named = (
            (can.single_sign_on, "Single sign-on"),
            (can.create, "Create"),
            (can.update, "Update"),
            (can.disable, "Disable"),
            (can.delete, "Delete"),
            (can.groups, "Groups"),
        )
        return [label for is_there, label in named if is_there]

    @property
    def attribute_count(self) -> int:
        return sum(map(len, self.entry.attributes.values()))

    @property
    def rate_limit(self) -> str:
        """The highest rate at which Lockstep sends requests to the application by default. An administrator can change it in the
        configuration.
        """
        rate = self.entry.configuration().limits.requests_per_second
        if rate is None:
            return "None until you set one"
        return "One request a second" if rate == 1 else f"{rate:g} requests a second"

    @property
    def searchable(self) -> Sequence[str]:
        """The attributes by which the application can filter, and which can therefore be used for matching."""
        people = next(iter(self.entry.attributes.values()), ())
        return [one.name for one in people if one.filterable]


@pages.get("/apps/new")
async def browse_gallery(context: Context, request: Request) -> View:
    search = request.query_params.get("search", "").strip()
    entries = [context.gallery.template(name) for name in context.gallery.names()]
    cards = [GalleryCard(one) for one in entries if one.id != OWN and _says(one, search)]
    own = next((GalleryCard(one) for one in entries if one.id == OWN), None)
    return View(
        "gallery/list.html",
        "Browse app gallery",
        {"cards": cards, "own": own, "search": search},
        section="Applications",
        parents=[_APPLICATIONS],
        copy_as=CopyAs(command="lockstep apps templates", api="/api/v1/templates"),
    )


@pages.get("/apps/new/{template}")
async def show_entry(context: Context, request: Request) -> View:
    return _form(GalleryCard(context.gallery.template(request.path_params["template"])))


@pages.post("/apps/new/{template}")
async def create(context: Context, request: Request) -> PageAnswer:
    card = GalleryCard(context.gallery.template(request.path_params["template"]))
    form = await request.form()
    display_name, name = str(form.get("displayName", "")).strip(), str(form.get("name", "")).strip()
    try:
        if not display_name:
            raise LockstepError(Kind.INVALID, "The application needs a name", next_step="Enter one")
        made = await applications.add_application(context, card.entry.id, name=name, display_name=display_name)
    except LockstepError as refused:
        return _form(card, display_name=display_name, name=name, refused=on_the_form(refused))
    return Redirect(f"/apps/{made.name}", notice=f"{made.display_name} was added. Nothing is sent until you start it")


def _form(
    card: GalleryCard, *, display_name: str | None = None, name: str = "", refused: LockstepError | None = None
) -> View:
    model = {
        "card": card,
        "methods": [label for _, label in METHODS],
        "display_name": card.entry.display_name if display_name is None else display_name,
        "name": name or card.entry.id,
        "rule": APPLICATION_RULE,
        "refused": refused,
    }
    return View(
        "gallery/entry.html",
        "Create your own application" if card.is_own else card.entry.display_name,
        model,
        section="Applications",
        parents=[_APPLICATIONS, _GALLERY],
        lead=card.entry.description,
        copy_as=CopyAs(command=f"lockstep apps add {card.entry.id}"),
        status=STATUSES[refused.kind] if refused else 200,
    )


def _says(entry: Template, search: str) -> bool:
    text = f"{entry.display_name} {entry.publisher} {entry.description} {' '.join(entry.categories)}".casefold()
    return all(word in text for word in search.casefold().split())
