"""Provisioning logs: the list with its filters, the downloads, and one change with its steps and HTTP exchange."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from lockstep.actions import activity, logs, provisioning
from lockstep.actions.applications import list_applications
from lockstep.actions.context import Context
from lockstep.actions.logs import LogRow
from lockstep.actions.record_sentence import sentence_of
from lockstep.engine.plans import StepType
from lockstep.web.activity_chart import activity_chart
from lockstep.web.exchange_differences import ComparedExchange, compared_exchanges
from lockstep.web.log_form import ACTION_SETS, ACTIONS, RANGES, STATUSES, LogQuery, number_in
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, Redirect, View, address
from lockstep.web.status_look import StatusLook, result_look

pages = Pages()
HERE = "/logs/provisioning"
SIZE = 50
TABS = ("Steps", "Troubleshooting & Recommendations", "Modified Properties", "Summary", "HTTP exchange")
STEPS: Mapping[str, str] = {
    StepType.IMPORT: "Import",
    StepType.SCOPING: "Scope",
    StepType.MATCHING: "Match",
    StepType.PROCESSING: "Decide",
    StepType.REFERENCE_RESOLUTION: "References",
    StepType.EXPORT: "Export",
}

_EXPECTED = frozenset({"create", "update", "link", "enable"})


@dataclass(frozen=True, slots=True)
class LogLine:
    """A record as the pages show it. *app* is the name of the application in addresses; *target* is its display name."""

    row: LogRow
    look: StatusLook
    action: str
    app: str
    target: str

    @property
    def who(self) -> str:
        return self.row.source_display or self.row.target_display or self.row.target_id or "The application"

    @property
    def heading(self) -> str:
        """The heading of a record, such as "Create anna@contoso.test". For Entra's action "Other", which tells a reader nothing, a sentence
        is shown instead.
        """
        return (
            f"{self.who} {sentence_of(self.row, self.target)}"
            if self.row.action == "other"
            else f"{self.action} {self.who}"
        )

    @property
    def note(self) -> str:
        """The reason, unless it is obvious: the reason of a successful create or update is always that the person is in scope."""
        return "" if self.row.status == "success" and self.row.action in _EXPECTED else self.row.reason

    @property
    def href(self) -> str:
        return f"{HERE}/{self.row.change_id}"

    @property
    def can_retry(self) -> bool:
        return bool(self.row.status == "failure" and self.row.kind == "User" and self.row.source_id and self.app)


@pages.get(HERE)
async def list_log(context: Context, request: Request) -> View:
    query = LogQuery.of(request.query_params)
    after = number_in(request.query_params, "after")
    rows = await logs.list_log(context, query.as_filter(context.now(), after), app=query.app, limit=SIZE + 1)
    lines = await _lines(context, rows[:SIZE])
    given = query.as_query()
    apps = [(app.name, app.display_name) for app in await list_applications(context)]
    is_whole = set(given) <= {"app"} and after is None
    days = await activity.daily_activity(context, app=query.app) if is_whole else ()
    model = {
        "chart": activity_chart(days) if is_whole else None,
        "lines": lines,
        "query": query,
        "is_filtered": bool(given),
        "apps": [("", "All applications"), *apps],
        "statuses": STATUSES,
        "actions_": [
            ("", "All actions"),
            *ACTIONS.items(),
            *((key, label) for key, (label, _) in ACTION_SETS.items()),
        ],
        "ranges": [(key, label) for key, (label, _) in RANGES.items()],
        "next": address(HERE, **given, after=str(rows[SIZE - 1].seq)) if len(rows) > SIZE else None,
        "first": address(HERE, **given) if after else None,
        "downloads": [(label, f"{HERE}/download/{name}") for name, label in DOWNLOADS.items()],
        "is_live": after is None,
    }
    return View(
        "logs/list.html",
        "Provisioning logs",
        model,
        section="Logs",
        copy_as=CopyAs(command=query.as_command(), api=query.as_api(context.now())),
        live="progress cycle" if after is None else "",
    )


DOWNLOADS: Mapping[str, str] = {
    "ProvisioningLogs.csv": "Provisioning logs (CSV)",
    "ProvisioningLogs_ProvisioningSteps.csv": "Provisioning steps (CSV)",
    "ProvisioningLogs_ModifiedProperties.csv": "Modified properties (CSV)",
    "ProvisioningLogs.json": "Everything (JSON)",
}


@pages.get(HERE + "/{change}")
async def show_change(context: Context, request: Request) -> View:
    rows = await logs.show_log(context, request.path_params["change"])
    lines = await _lines(context, rows)
    last = lines[-1]
    wanted = request.query_params.get("tab", "")
    tab = wanted if wanted in TABS else TABS[0]
    before, after = await logs.attempts_beside(context, last.row)
    model = {
        "lines": lines,
        "exchanges": await _exchanges(context, rows, before) if tab == "HTTP exchange" else (),
        "last": last,
        "tab": tab,
        "details": [Crumb(label, address(last.href, tab=label)) for label in TABS],
        "curl": _curl,
        "step_words": STEPS,
        "previous": address(f"{HERE}/{before}", tab=wanted) if before else "",
        "next": address(f"{HERE}/{after}", tab=wanted) if after else "",
        "similar_href": address(HERE, app=last.app, status="failure", code=last.row.error_code)
        if last.row.error_code and last.app
        else "",
        "explain_href": address(f"/users/{last.row.source_id}/explain", app=last.app)
        if last.row.kind == "User" and last.row.source_id
        else "",
        "others_href": address(HERE, person=last.row.source_id or "", app=last.app) if last.row.source_id else "",
    }
    return View(
        "logs/change.html",
        last.heading,
        model,
        section="Logs",
        subtab="Provisioning logs",
        parents=[Crumb("Provisioning logs", HERE)],
        copy_as=CopyAs(command=f"lockstep logs show {last.row.seq}", api=f"/api/v1/logs/{last.row.change_id}"),
    )


@pages.post(HERE + "/{change}/retry")
async def retry(context: Context, request: Request) -> PageAnswer:
    rows = await logs.show_log(context, request.path_params["change"])
    line = (await _lines(context, rows))[-1]
    if not line.can_retry:
        return Redirect(line.href, notice="There is nothing to retry")
    count = await provisioning.retry(context, line.app, users=[str(line.row.source_id)])
    return Redirect(
        line.href, notice="It is being retried now" if count else "It no longer fails, so there is nothing to retry"
    )


async def _exchanges(context: Context, rows: list[LogRow], before: str) -> list[list[ComparedExchange]]:
    """Return the HTTP exchanges of each row in *rows*, compared with the exchanges of the earlier rows in *rows* and of the preceding
    change. *before* is the id of the preceding change, or "" if there is none.
    """
    earlier = await logs.show_log(context, before) if before else []
    return [compared_exchanges(row, [*earlier, *rows[:place]]) for place, row in enumerate(rows)]


async def _lines(context: Context, rows: list[LogRow]) -> list[LogLine]:
    apps = {app.id: app for app in await list_applications(context)}
    return [
        LogLine(
            row,
            result_look(row.status),
            ACTIONS.get(row.action, row.action),
            apps[row.app].name if row.app in apps else "",
            apps[row.app].display_name if row.app in apps else "A deleted application",
        )
        for row in rows
    ]


def _curl(exchange: Mapping[str, Any]) -> str:
    """Return the request as a curl command with the token in a variable, or "" if the log has no address for it."""
    if not exchange.get("url"):
        return ""
    parts = [
        f"curl -X {exchange['method']} {shlex.quote(str(exchange['url']))}",
        '-H "Authorization: Bearer $SCIM_TOKEN"',
    ]
    if exchange.get("requestBody"):
        parts += ["-H 'Content-Type: application/scim+json'", f"--data {shlex.quote(str(exchange['requestBody']))}"]
    return " \\\n  ".join(parts)
