"""The pages and tasks that the search offers, each with its search words and the permission that it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.search import ApplicationHit

_FEW = 8


@dataclass(frozen=True, slots=True)
class SearchPlace:
    """A page. *others* are further search words."""

    label: str
    href: str
    icon: str
    permission: Permission
    others: str = ""


PLACES: Sequence[SearchPlace] = (
    SearchPlace("Home", "/", "home", Permission.APPLICATIONS_READ, "health status overview"),
    SearchPlace("Enterprise applications", "/apps", "apps", Permission.APPLICATIONS_READ),
    SearchPlace(
        "Browse app gallery", "/apps/new", "plus", Permission.APPLICATIONS_CREATE, "add new create application"
    ),
    SearchPlace("People", "/users", "people", Permission.DIRECTORY_READ, "users directory"),
    SearchPlace("Groups", "/groups", "group", Permission.DIRECTORY_READ),
    SearchPlace("New group", "/groups/new", "plus", Permission.PEOPLE_WRITE, "create add group rule dynamic"),
    SearchPlace(
        "Provisioning logs",
        "/logs/provisioning",
        "logs",
        Permission.LOGS_READ,
        "failures errors history export download csv",
    ),
    SearchPlace("Failures", "/logs/provisioning/failures", "warning", Permission.LOGS_READ, "failing errors retry"),
    SearchPlace("Sign-in logs", "/logs/sign-ins", "lock", Permission.LOGS_READ, "portal single sign-on failed"),
    SearchPlace(
        "Audit logs", "/logs/audit", "shield", Permission.AUDIT_READ, "who changed verify chain export download"
    ),
    SearchPlace("Sources", "/sources", "source", Permission.DIRECTORY_READ, "import csv upload file"),
    SearchPlace("General settings", "/settings", "settings", Permission.DIRECTORY_READ, "organisation name tenant"),
    SearchPlace(
        "Administrators", "/settings/admins", "shield", Permission.ADMINISTRATORS_READ, "roles invite settings"
    ),
    SearchPlace(
        "Single sign-on", "/settings/sso", "lock", Permission.ADMINISTRATORS_READ, "openid connect provider settings"
    ),
    SearchPlace("Access tokens", "/settings/tokens", "key", Permission.TOKENS_WRITE, "api personal service settings"),
    SearchPlace("Sessions", "/settings/sessions", "monitor", Permission.DIRECTORY_READ, "sign out devices settings"),
    SearchPlace("Mail", "/settings/mail", "mail", Permission.MAIL_READ, "smtp e-mail notifications outbox settings"),
    SearchPlace(
        "Webhook", "/settings/webhook", "globe", Permission.MAIL_READ, "slack notifications http post settings"
    ),
    SearchPlace("Secrets", "/settings/secrets", "key", Permission.AUDIT_READ, "encryption key rotate settings"),
    SearchPlace(
        "Private networks", "/settings/outbound", "globe", Permission.OUTBOUND_WRITE, "outbound allow settings"
    ),
    SearchPlace(
        "Configuration", "/settings/configuration", "code", Permission.APPLICATIONS_READ, "yaml export plan apply"
    ),
    SearchPlace("Health", "/settings#health", "check-circle", Permission.DIRECTORY_READ, "doctor checks settings"),
    SearchPlace(
        "Retention", "/settings/retention", "clock", Permission.DIRECTORY_READ, "kept deleted old records settings"
    ),
    SearchPlace("About", "/settings/about", "info", Permission.DIRECTORY_READ, "version licence settings"),
    SearchPlace(
        "People's sign-in", "/settings/people-sign-in", "lock", Permission.DIRECTORY_READ, "portal password settings"
    ),
)
# Pages below the address of an application: label, rest of the address, icon, and further words to search for.
OF_APPLICATION: Sequence[tuple[str, str, str, str]] = (
    ("Overview", "", "apps", "status"),
    ("Provisioning", "/provisioning", "refresh", "status pause restart start stop cycle"),
    ("Users and groups", "/users-groups", "people", "assign assignments roles"),
    ("Settings", "/provisioning/settings", "settings", "credentials tenant url test connection"),
    ("Secret Token", "/provisioning/settings#secretToken", "key", "replace rotate credentials key password client"),
    ("Mappings", "/provisioning/mappings", "code", "attributes attribute-mapping expression"),
    ("Source Object Scope", "/provisioning/mappings/user/scope", "filter", "scoping filters who"),
    ("Provision on demand", "/provisioning/on-demand", "bolt", "push now run"),
    ("Links", "/provisioning/links", "link", "accounts orphans"),
    ("Held changes", "/provisioning/held", "hand", "approve reject deletions"),
    ("Quarantine", "/provisioning/quarantine", "shield", "slowed down outage"),
    ("Cycles", "/provisioning/cycles", "history", "initial incremental runs"),
    ("App roles", "/app-roles", "tag", "manifest"),
)


def places_for(context: Context, words: Sequence[str]) -> list[SearchPlace]:
    """Return the first places that the caller may see and that match all of *words*: each word must be the beginning of a word in the
    place's label or search words. If *words* is empty, return all places that the caller may see.
    """
    return [
        one
        for one in PLACES
        if context.actor.everywhere(one.permission) or one.permission in context.actor.own_permissions
        if _matches(words, f"{one.label} {one.others}")
    ][: None if not words else _FEW]


def pages_of(app: ApplicationHit, words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Return the first pages of *app* that match *words*, with label, address and icon. If *words* is empty, all pages match."""
    found = [one for one in OF_APPLICATION if _matches(words, f"{one[0]} {one[3]}")]
    for label, tail, icon, _ in found[: _FEW if words else 4]:
        yield f"{app.display_name}: {label}", f"/apps/{app.name}{tail}", icon


def _matches(words: Sequence[str], text: str) -> bool:
    known = text.lower().split()
    return all(any(one.startswith(word.lower()) for one in known) for word in words)
