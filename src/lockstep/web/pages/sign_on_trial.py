"""Test single sign-on with an application: the outcome of a sign-in for a person, and the results of real attempts."""

from __future__ import annotations

from shlex import quote

from starlette.requests import Request

from lockstep.actions.context import Context
from lockstep.actions.single_sign_on import trying
from lockstep.errors import LockstepError
from lockstep.kit.cookies import origin_of
from lockstep.openid.claims import SCOPE_OF
from lockstep.openid.discovery import AUTHORIZE
from lockstep.web.command_pages import STEPS
from lockstep.web.page import CopyAs, Pages, View
from lockstep.web.pages.single_sign_on import HERE, page_of, read
from lockstep.web.sign_in_form import SignInLine

pages = Pages()
_LONGEST_ERROR = 2_000  # characters


@pages.get(f"{HERE}/test")
async def test(context: Context, request: Request) -> View:
    """Show the outcome of a sign-in for the person in the address, or for an assigned person."""
    found = await read(context, request)
    user = request.query_params.get("user", "").strip()
    error = request.query_params.get("error", "").strip()[:_LONGEST_ERROR]
    app, trial, wrong = found.application, None, ""
    try:
        trial = await trying.try_sign_on(context, app.name, user, origin=origin_of(request), error=error)
    except LockstepError as unknown:
        wrong = f"{unknown.detail}. {STEPS.on_page(unknown.next_step)}"
    model = {
        "trial": trial,
        "user": user or (trial.person if trial else ""),
        "wrong": wrong,
        "error": error,
        "comes_to": f"{trial.issuer}{AUTHORIZE}" if trial and trial.is_openid else found.endpoints.login_url,
        "scope_of": SCOPE_OF,
        "launch": f"/myapps/launch/{app.name}",
        "attempts": [(SignInLine(one.row), one.answer) for one in trial.attempts] if trial else [],
    }
    found_page = page_of(
        context, found, "single_sign_on/test.html", f"Test single sign-on with {app.display_name}", model, is_below=True
    )
    asked = f" --user {quote(trial.person)}" if trial else ""
    return View(
        found_page.template, found_page.heading, found_page.model, app=found_page.app, tab=found_page.tab,
        parents=found_page.parents,
        copy_as=CopyAs(
            command=f"lockstep sso test {app.name}{asked}", api=f"/api/v1/applications/{app.name}/single-sign-on/trial"
        ),
    )  # fmt: skip
