"""The sandbox's page *Fault injection*: which faults clients get, each with a switch, and a form to add one.

The faults belong to the process and concern every tenant of the sandbox. They are kept only in memory, like everything else in a sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from documo.permissions import MemberPermission
from documo.sandbox.fault_injection import Rule, rule_of
from documo.web.context import DocumoPages, PageContext
from documo.web.frame import Extension, RailEntry
from lockstep.errors import LockstepError, not_found
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import PageAnswer, PageView, Redirect, on_the_form
from lockstep.wording import counted

HERE, TITLE = "/sandbox/faults", "Fault injection"
METHODS = ("", "GET", "POST", "PUT", "PATCH", "DELETE")
KINDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "429": ("429 Too Many Requests, Retry-After 2", {"do": "status", "status": 429, "headers": {"Retry-After": "2"}}),
    "500": ("500 Internal Server Error", {"do": "status", "status": 500}),
    "503": ("503 Service Unavailable", {"do": "status", "status": 503}),
    "delay": ("Answer late", {"do": "delay"}),
    "drop_before": ("Cut the connection before processing the request", {"do": "drop_before"}),
    "drop_after": ("Cut the connection after processing the request", {"do": "drop_after"}),
    "truncate": ("Cut the response in the middle", {"do": "truncate"}),
    "duplicate": ("Process the request twice", {"do": "duplicate"}),
    "stale": ("Stale read: repeat the previous response to a GET", {"do": "stale"}),
    "html": ("502 with an HTML page", {"do": "html", "status": 502}),
    "content_type": ("Wrong content type", {"do": "content_type", "value": "text/plain"}),
}


def fault_pages(rules: list[Rule]) -> Extension:
    """Return the page that shows and changes *rules*, and the notice about them for every page."""
    pages = DocumoPages()

    @pages.get(HERE, needs=MemberPermission.SCIM)
    async def show(_: PageContext, __: Request) -> PageAnswer:
        return _page(rules)

    @pages.post(HERE, needs=MemberPermission.SCIM)
    async def add(_: PageContext, request: Request) -> PageAnswer:
        entered = {key: str(value).strip() for key, value in (await request.form()).items()}
        try:
            rules.append(rule_of(_item(entered), len(rules) + 1))
        except LockstepError as refused:
            return _page(rules, on_the_form(refused), entered)
        return Redirect(HERE, notice="Added. Clients get it from the next request")

    @pages.post(HERE + "/all-off", needs=MemberPermission.SCIM)
    async def switch_all_off(_: PageContext, __: Request) -> PageAnswer:
        for rule in rules:
            rule.is_on = False
        return Redirect(HERE, notice="All faults are off")

    @pages.post(HERE + "/{number}/switch", needs=MemberPermission.SCIM)
    async def switch(_: PageContext, request: Request) -> PageAnswer:
        rule = _rule(rules, request.path_params["number"])
        rule.is_on = not rule.is_on
        return Redirect(HERE, notice="The fault is on" if rule.is_on else "The fault is off")

    @pages.post(HERE + "/{number}/remove", needs=MemberPermission.SCIM)
    async def remove(_: PageContext, request: Request) -> PageAnswer:
        rules.remove(_rule(rules, request.path_params["number"]))
        return Redirect(HERE, notice="The fault was removed")

    return Extension(
        pages.routes, (RailEntry(TITLE, HERE, "bolt", MemberPermission.SCIM),), lambda: notice_of(rules), HERE
    )


def notice_of(rules: list[Rule]) -> str:
    """Return the notice to show on every page while a fault is switched on, or "" if none is."""
    on = sum(rule.is_on for rule in rules)
    return f"This sandbox misbehaves on purpose: {counted(on, 'fault')} on" if on else ""


def words_of(rule: Rule) -> str:
    """Describe the effect of a rule on a request."""
    return {
        "status": f"Status {rule.status}" + "".join(f", {key} {value}" for key, value in rule.headers.items()),
        "html": f"Status {rule.status} with an HTML page",
        "delay": f"Answers {rule.seconds:g} s late",
        "drop_before": "Cuts the connection before processing the request",
        "drop_after": "Cuts the connection after processing the request",
        "truncate": "Cuts the response in the middle",
        "duplicate": "Processes the request twice",
        "stale": "Repeats the previous response to a GET",
        "content_type": f"Content type {rule.value or 'text/plain'}",
    }[rule.do]


def condition_of(rule: Rule) -> str:
    """Describe the condition of a rule: which of the requests with the rule's method and path get the fault."""
    parts = [
        f"only request number {rule.nth}" if rule.nth else "",
        f"one in {rule.every}" if rule.every > 1 else "",
        f"at random, {rule.probability:.0%}" if rule.probability < 1 else "",
        f"at most {counted(rule.times, 'time')}" if rule.times else "",
    ]
    return ", ".join(filter(None, parts)) or "all"


def _item(entered: Mapping[str, str]) -> dict[str, Any]:
    """Return the rule that was entered, in the form that a faults file has."""
    _, given = KINDS.get(entered.get("kind", ""), ("", {}))
    limits = {key: entered[key] for key in ("every", "times") if entered.get(key)}
    seconds = {"seconds": entered.get("seconds") or "1"} if given.get("do") == "delay" else {}
    return {**given, "method": entered.get("method", ""), "path": entered.get("path", ""), **limits, **seconds}


def _rule(rules: list[Rule], number: str) -> Rule:
    """Return the rule with this number, counted from 1. Raises LockstepError if there is none."""
    at = int(number) - 1 if number.isascii() and number.isdigit() and len(number) < 9 else -1
    if not 0 <= at < len(rules):
        raise not_found("This fault has already been removed")
    return rules[at]


def _page(
    rules: list[Rule], refused: LockstepError | None = None, entered: Mapping[str, str] | None = None
) -> PageView:
    return PageView(
        "sandbox/faults.html",
        heading=TITLE,
        section=TITLE,
        lead="Faults apply only to this sandbox: to SCIM, tokens and events of all its tenants, but not to these pages.",
        model={
            "rules": [(number, rule, words_of(rule), condition_of(rule)) for number, rule in enumerate(rules, 1)],
            "some_on": any(rule.is_on for rule in rules),
            "kinds": [(key, label) for key, (label, _) in KINDS.items()],
            "methods": [(one, one or "Any method") for one in METHODS],
            "entered": entered or {"path": "/Users", "kind": "429"},
            "refused": refused,
            "here": HERE,
        },
        status=STATUSES[refused.kind] if refused else 200,
    )
