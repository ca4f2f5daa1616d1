"""Attributes & Claims of an application: the Name ID and each claim, with the values that a sample person gets."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import expression_trials
from lockstep.actions.context import Context
from lockstep.actions.mappings import SOURCE_NAMES
from lockstep.actions.single_sign_on import settings, trying
from lockstep.actions.single_sign_on.settings import SignOnView
from lockstep.actions.single_sign_on.trying import SignOnTrial
from lockstep.configuration.single_sign_on import EFFECTIVE_ROLE, ROLE_CLAIM, NameIdKind, SignOnMode
from lockstep.engine.expressions import ExpressionError
from lockstep.engine.records import ObjectKind
from lockstep.errors import LockstepError
from lockstep.openid.claims import SCOPE_OF
from lockstep.web.command_pages import STEPS
from lockstep.web.mapping_form import shown
from lockstep.web.page import Answer, Fragment, Pages, Redirect, View, on_the_form
from lockstep.web.pages.single_sign_on import HERE, page_of, read, seen_in
from lockstep.web.sign_on_form import KINDS, source_parts, source_text, typed_source

pages = Pages()
CLAIMS = f"{HERE}/claims"
ROLE_CLAIMS = (ROLE_CLAIM, "roles")
FORMATS = (
    (NameIdKind.EMAIL_ADDRESS.value, "Email address"),
    (NameIdKind.PERSISTENT.value, "Persistent: made by Lockstep, another one in each application"),
    (NameIdKind.TRANSIENT.value, "Transient: made by Lockstep, a new one each time"),
    (NameIdKind.UNSPECIFIED.value, "Unspecified"),
)


@pages.get(CLAIMS)
async def show(context: Context, request: Request) -> View:
    return await _page(context, request, await read(context, request))


@pages.get(f"{CLAIMS}/edit")
async def edit(context: Context, request: Request) -> View:
    """The form of one claim; without `name` of a new one."""
    found = await read(context, request)
    name = request.query_params.get("name", "")
    claim = next((one for one in found.settings.sent_claims if one.name == name), None)
    kind, value = source_parts(claim.source) if claim else ("source", "")
    return await _form(context, request, found, was=claim.name if claim else "", typed=(name, kind, value))


@pages.post(f"{CLAIMS}/edit")
async def save(context: Context, request: Request) -> Answer:
    form = await request.form()
    app, was, name = request.path_params["app"], str(form.get("was", "")), str(form.get("name", "")).strip()
    try:
        await settings.set_claim(context, app, was or name, {"name": name, **typed_source(form)}, seen=seen_in(form))
    except LockstepError as refused:
        typed = (name, str(form.get("kind", "source")), str(form.get("value", "")))
        found = await read(context, request)
        return await _form(context, request, found, was=was, typed=typed, refused=on_the_form(refused))
    return Redirect(f"/apps/{app}/sso/claims", notice=f"Saved the claim {name}")


@pages.post(f"{CLAIMS}/remove")
async def remove(context: Context, request: Request) -> Answer:
    app, name = request.path_params["app"], str((await request.form()).get("name", ""))
    await settings.set_claim(context, app, name, None)
    return Redirect(f"/apps/{app}/sso/claims", notice=f"Removed the claim {name}")


@pages.post(f"{CLAIMS}/name-id")
async def save_name_id(context: Context, request: Request) -> Answer:
    form = await request.form()
    app, chosen = request.path_params["app"], str(form.get("format", ""))
    is_generated = chosen in (NameIdKind.PERSISTENT, NameIdKind.TRANSIENT)
    try:
        changed = {"format": chosen} | ({} if is_generated else typed_source(form))
        await settings.change_sign_on(context, app, {"nameId": changed}, seen=seen_in(form))
    except LockstepError as refused:
        found = await read(context, request)
        return await _page(context, request, found, typed=form, refused=on_the_form(refused))
    return Redirect(f"/apps/{app}/sso/claims", notice="Saved the Name ID")


@pages.post(f"{CLAIMS}/value")
async def try_value(context: Context, request: Request) -> Fragment:
    """The value for the sample person of what is typed."""
    form = await request.form()
    source, user = typed_source(form), str(form.get("user", ""))
    return Fragment("single_sign_on/value.html", await _tried(context, request.path_params["app"], source, user))


async def _tried(context: Context, app: str, source: dict[str, Any], user: str) -> dict[str, Any]:
    [(kind, text)] = source.items()
    if not text or not user:
        return {"value": "", "problem": "", "user": user}
    if kind == "constant":
        return {"value": text, "problem": "", "user": user}
    try:
        tried = await expression_trials.try_expression(
            context, app, f"[{text}]" if kind == "source" else text, people=[user]
        )
    except (ExpressionError, LockstepError) as wrong:
        return {"value": "", "problem": wrong.detail, "user": user}
    explained = tried.trials[0].explained
    problem = explained.error or next((one.message for one in tried.findings), "")
    return {"value": shown(explained.value) if not explained.error else "", "problem": problem, "user": user}


async def _sample(context: Context, request: Request) -> tuple[SignOnTrial | None, str]:
    """The values of the sample person in the address, else of somebody who is assigned; and what is wrong with the name."""
    app, user = request.path_params["app"], request.query_params.get("user", "").strip()
    try:
        return await trying.try_sign_on(context, app, user), ""
    except LockstepError as unknown:
        return None, f"{unknown.detail}. {STEPS.on_page(unknown.next_step)}"


async def _page(
    context: Context,
    request: Request,
    found: SignOnView,
    *,
    typed: FormData | None = None,
    refused: LockstepError | None = None,
) -> View:
    sample, wrong = await _sample(context, request)
    kind, value = source_parts(found.settings.name_id)
    form = found.settings.name_id_format.value
    if typed is not None:
        form, kind, value = (str(typed.get(key, "")) for key in ("format", "kind", "value"))
    claims = [
        {
            "name": claim.name,
            "source": source_text(claim),
            "value": ", ".join(sample.claims.attributes.get(claim.name, ())) if sample else "",
            "problem": sample.claims.problems.get(claim.name, "") if sample else "",
        }
        for claim in found.settings.sent_claims
    ]
    is_openid = found.settings.mode is SignOnMode.OIDC
    model = {
        "is_openid": is_openid,
        "scopes": {claim.name: SCOPE_OF.get(claim.name, "openid") for claim in found.settings.openid.claims},
        "claims": claims,
        "formats": FORMATS,
        "kinds": KINDS,
        "typed": {"format": form, "kind": kind, "value": value},
        "sample": sample,
        "user": sample.person if sample else request.query_params.get("user", ""),
        "wrong": wrong,
        "refused": refused,
        "lacks_role": not any(claim.name in ROLE_CLAIMS for claim in found.settings.sent_claims),
    }
    heading = "Token configuration" if is_openid else "Attributes & Claims"
    return page_of(
        context, found, "single_sign_on/claims.html", heading, model, is_below=True, status=400 if refused else 200,
        command=f"lockstep sso claims list {found.application.name}",
    )  # fmt: skip


async def _form(
    context: Context,
    request: Request,
    found: SignOnView,
    *,
    was: str,
    typed: tuple[str, str, str],
    refused: LockstepError | None = None,
) -> View:
    name, kind, value = typed
    app = found.application.name
    sample, _ = await _sample(context, request)
    user = sample.person if sample else ""
    is_openid = found.settings.mode is SignOnMode.OIDC
    model = {
        "was": was,
        "is_openid": is_openid,
        "typed": {"name": name, "kind": kind, "value": value},
        "kinds": KINDS,
        "user": user,
        "tried": await _tried(context, app, {kind: value}, user),
        "attributes": sorted(SOURCE_NAMES[ObjectKind.USER]),
        "role_expression": EFFECTIVE_ROLE,
        "refused": refused,
    }
    new = "Add optional claim" if is_openid else "Add new claim"
    return page_of(
        context, found, "single_sign_on/claim.html", "Manage claim" if was else new, model, is_below=True,
        status=400 if refused else 200,
    )  # fmt: skip
