"""Edit a person who was created in Lockstep. The effects on accounts are shown before the change is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import quote

from starlette.requests import Request

from lockstep.actions import people
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.actions.people import PersonRow, PersonView
from lockstep.configuration.files.names import LOCAL_SOURCE
from lockstep.errors import LockstepError, conflict
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.pages.people import HERE, person_of

pages = Pages()
SECTIONS: Sequence[tuple[str, Sequence[str]]] = (
    ("Identity", ("userPrincipalName", "displayName", "givenName", "surname", "mail", "mailNickname", "userType")),
    ("Job", ("jobTitle", "department", "companyName", "employeeId", "employeeType", "employeeHireDate",
             "employeeLeaveDateTime", "division", "costCenter", "manager")),
    ("Contact", ("physicalDeliveryOfficeName", "streetAddress", "city", "state", "postalCode", "country", "usageLocation",
                 "preferredLanguage", "telephoneNumber", "mobile")),
)  # fmt: skip
_EDITED = [name for _, names in SECTIONS for name in names]


@pages.get(f"{HERE}/{{person}}/edit")
async def show_form(context: Context, request: Request) -> View:
    view = await _editable(context, request)
    return _form(view, _stored(view))


@pages.post(f"{HERE}/{{person}}/edit")
async def save(context: Context, request: Request) -> PageAnswer:
    """Save the person. The first click shows the effects on accounts, the second saves."""
    view = await _editable(context, request)
    form, stored = await request.form(), _stored(view)
    typed = {name: str(form.get(name, stored[name])).strip() for name in _EDITED}
    changed = {name: text for name, text in typed.items() if text != stored[name]}
    here = f"{HERE}/{view.person.id}"
    if not changed:
        return Redirect(here, notice="Nothing was changed")

    async def work(inner: Context) -> PersonRow:
        return await people.set_person(inner, view.person.id, changed)

    try:
        if form.get("step") != "save":
            lines = consequence_lines(await foresee(context, work))
            signs = [(name, stored[name], text) for name, text in changed.items()]
            return _form(view, typed, lines=lines, signs=signs)
        after = await work(context)
    except LockstepError as refused:
        return _form(view, typed, refused=on_the_form(refused))
    return Redirect(here, notice=f"{after.display} was saved")


async def _editable(context: Context, request: Request) -> PersonView:
    view = await person_of(context, request)
    if view.person.source != LOCAL_SOURCE:
        raise conflict(
            f"{view.person.display} comes from the source {view.person.source}, so attributes cannot be changed here",
            next_step="Change them in the source and import it again",
        )
    return view


def _stored(view: PersonView) -> dict[str, str]:
    attributes = view.person.attributes
    found = {name: attributes.get(name) for name in _EDITED}
    texts = {name: "" if value is None else str(value) for name, value in found.items()}
    return texts | {"manager": view.manager.user_principal_name if view.manager is not None else ""}


def _form(
    view: PersonView,
    typed: Mapping[str, str],
    *,
    lines: Sequence[str] = (),
    signs: Sequence[tuple[str, str, str]] = (),
    refused: LockstepError | None = None,
) -> View:
    person = view.person
    model = {
        "sections": SECTIONS,
        "typed": typed,
        "lines": lines,
        "signs": signs,
        "refused": refused,
        "here": f"{HERE}/{person.id}/edit",
        "back": f"{HERE}/{person.id}",
    }
    return View(
        "people/edit.html",
        f"Edit {person.display}",
        model,
        section="People",
        parents=[Crumb("People", HERE), Crumb(person.display, f"{HERE}/{person.id}")],
        copy_as=CopyAs(command=f"lockstep people set {quote(person.user_principal_name)} department=Sales"),
        status=400 if refused else 200,
    )
