"""The quarantine of an application: why it began and when, when the next retry is, and how to end it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request

from lockstep.actions import provisioning, provisioning_pages
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.engine.decisions.quarantine import QuarantineReason, effect_in_words
from lockstep.web.page import AppPlace, CopyAs, PageAnswer, Pages, Redirect, View
from lockstep.web.status_look import look_of

pages = Pages()
_HERE = "/apps/{app}/provisioning/quarantine"
_REASONS: Mapping[QuarantineReason, str] = {
    QuarantineReason.EXCEPTION: "The application refuses the connection",
    QuarantineReason.TOO_MANY_DELETES: "Too many accounts would be disabled or deleted",
    QuarantineReason.PROPORTION: "Too large a share of the objects fails",
    QuarantineReason.BASE_THRESHOLD: "Too many objects fail",
    QuarantineReason.TOTAL_THRESHOLD: "Too many failures of objects and references",
}


@pages.get(_HERE)
async def show(context: Context, request: Request) -> View:
    name = request.path_params["app"]
    found = await provisioning_pages.provisioning_overview(context, name)
    quarantine: dict[str, Any] = dict(found.status.quarantine or {})
    reason = QuarantineReason(quarantine["reason"]) if quarantine else None
    place = AppPlace(name, found.status.display_name)
    model = {
        "status": found.status,
        "look": look_of(found.status),
        "failures": found.failures,
        "quarantine": quarantine,
        "error": quarantine.get("error") or {},
        "reason": _REASONS[reason] if reason is not None else "",
        "effect": effect_in_words(reason) if reason is not None else "",
        "since": _moment(quarantine.get("seriesBegan") or quarantine.get("currentBegan")),
        "next_attempt": _moment(quarantine.get("nextAttempt")),
        "gives_up_at": found.gives_up_at,
        "here": f"{place.href}/provisioning",
        "may_control": context.actor.may(Permission.PROVISIONING_CONTROL, found.status.job.rpartition(".")[2]),
    }
    return View(
        "provisioning/quarantine.html",
        "Quarantine",
        model,
        app=place,
        tab="Provisioning",
        subtab="Quarantine",
        copy_as=CopyAs(command=f"lockstep quarantine show {name}", api=f"/api/v1/applications/{name}/status"),
        live="status cycle",
    )


@pages.post(f"{_HERE}/clear")
async def clear(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["app"]
    was = await provisioning.clear_quarantine(context, name)
    return Redirect(
        f"/apps/{name}/provisioning/quarantine",
        notice="Provisioning is being retried now" if was else "Quarantine has already ended",
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
