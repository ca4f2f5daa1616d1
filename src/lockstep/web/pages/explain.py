"""Explain why a person has an account in an application, or has none: the verdict, what would change it, and every check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from shlex import quote

from starlette.requests import Request

from lockstep.actions import applications, explaining, logs, status
from lockstep.actions.applications import ApplicationRow
from lockstep.actions.context import Context
from lockstep.actions.explaining import ExplainedObject
from lockstep.actions.logs import LogFilter, LogRow
from lockstep.actions.people import PersonRow
from lockstep.actions.permissions import Permission
from lockstep.engine.decisions.explain import Explanation, GateState, WriteDecision
from lockstep.engine.records import Action
from lockstep.web.page import CopyAs, Crumb, Pages, View
from lockstep.web.pages.people import HERE, person_of
from lockstep.web.status_look import StatusLook, result_look

pages = Pages()
MOST_AT_ONCE = 3  # applications on one page
_LABELS = {
    "found": "In the directory",
    "enabled": "Enabled",
    "assigned": "Assigned",
    "scope": "Scoping filters",
    "match": "Matching account",
    "export": "Account",
}
_STATES = {
    GateState.OK: StatusLook("Passed", "ok", "check-circle"),
    GateState.FAIL: StatusLook("Failed", "error", "error"),
    GateState.NOT_REACHED: StatusLook("Not reached", "neutral", "circle"),
}


@dataclass(frozen=True, slots=True)
class Rung:
    """One check. The page shortens the account's id in the text of the check. *before* is the text in front of the id, and *after* is the
    text behind it.
    """

    label: str
    look: StatusLook
    before: str
    account: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class ApplicationCard:
    """The card of one application. *last* is the newest log record of the person in that application. *text* is the whole explanation, for
    copying into a ticket.
    """

    app: ApplicationRow
    look: StatusLook
    reason: str
    why: Explanation
    rungs: Sequence[Rung]
    last: LogRow | None
    last_look: StatusLook | None
    next_cycle_at: datetime | None
    may_push: bool
    text: str


@pages.get(f"{HERE}/{{person}}/explain")
async def explain(context: Context, request: Request) -> View:
    """Explain a person's access to one application or, if there are few applications, to all of them. Each explanation makes a plan, which
    may read the account from the application.
    """
    view = await person_of(context, request)
    person = view.person
    wanted = request.query_params.get("app", "")
    apps = await applications.list_applications(context)
    if not wanted and len(apps) > MOST_AT_ONCE:
        concerned = {one.app for one in view.applications}
        wanted = next((one.name for one in apps if one.name in concerned), apps[0].name)
    chosen = [one for one in apps if not wanted or one.name == wanted]
    if wanted and not chosen:
        await applications.show_application(context, wanted)  # raises LockstepError if it does not exist
    model = {
        "person": person,
        "answers": [await _answer(context, person, app, f"{request.url}") for app in chosen],
        "apps": apps,
        "wanted": wanted,
        "has_all": len(apps) <= MOST_AT_ONCE,
        "here": f"{HERE}/{person.id}",
    }
    where = f"{chosen[0].display_name}" if len(chosen) == 1 else "applications"
    return View(
        "people/explain.html",
        f"{person.display} in {where}",
        model,
        section="People",
        parents=[Crumb("People", HERE), Crumb(person.display, f"{HERE}/{person.id}")],
        lead=person.user_principal_name,
        copy_as=CopyAs(command=f"lockstep explain {quote(person.user_principal_name)} --app {wanted or 'APP'}"),
    )


async def _answer(context: Context, person: PersonRow, app: ApplicationRow, url: str) -> ApplicationCard:
    found = await explaining.explain_person(context, person.id, app.name)
    newest = await logs.list_log(context, LogFilter(source_id=person.id), app=app.name, limit=1)
    last = newest[0] if newest else None
    look, why = _look(found), found.why
    return ApplicationCard(
        app=app,
        look=look,
        reason=_sentence(found.plan.reason.text),
        why=why,
        rungs=list(_rungs(found)),
        last=last,
        last_look=result_look(last.status) if last is not None else None,
        next_cycle_at=(await status.show_status(context, app.name)).next_cycle_at,
        may_push=person.deleted_at is None and context.actor.may(Permission.PROVISIONING_PUSH, app.id),
        text=" ".join(
            part
            for part in (
                f"{person.display} ({person.user_principal_name}) in {app.display_name}: {look.label}.",
                _sentence(found.plan.reason.text),
                why.counterfactual,
                *why.notes,
                url,
            )
            if part
        ),
    )


def _look(found: ExplainedObject) -> StatusLook:
    """Return the verdict with a capital first letter, and the tone that suits its outcome."""
    label = found.why.verdict.capitalize()
    if found.plan.action is Action.HELD or found.decision is WriteDecision.HELD:
        return StatusLook(label, "quarantine", "hand")
    if found.plan.action is Action.REFUSE or found.decision is WriteDecision.REJECTED:
        return StatusLook(label, "error", "error")
    if found.why.failed is not None:
        return StatusLook(label, "warn", "cross-circle")
    if found.failed is not None:
        return StatusLook(label, "neutral", "question")
    return StatusLook(label, "ok", "check-circle")


def _rungs(found: ExplainedObject) -> Iterator[Rung]:
    account = found.plan.target_id
    for gate in found.why.gates:
        label, look = _LABELS.get(gate.name, gate.name), _STATES[gate.state]
        text = _sentence(gate.text) if gate.text else "Not reached."
        before, is_in, after = text.partition(account) if account else (text, "", "")
        yield Rung(label, look, before, is_in, after)


def _sentence(text: str) -> str:
    """Return *text* with a capital letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".") if text else ""
