"""The credentials of an application: written, never read back, and masked when shown.

A token is meant for one origin. When the origin of the tenant URL changes, the stored token is deleted, so that somebody who may
change only the URL cannot have the token sent elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission
from lockstep.errors import invalid
from lockstep.storage import credentials as store
from lockstep.storage import unkept
from lockstep.storage.credentials import CredentialRow
from lockstep.sync.connections import TOKEN
from lockstep.vault import Secret

MASK = "********"
_MOST_CHARACTERS = 16_384
_SHOWN_FROM = 16  # minimum length; of a shorter token even four characters would reveal too much


@dataclass(frozen=True, slots=True)
class CredentialView:
    """The part of the credentials that may be shown to anybody."""

    tenant_url: str
    secret_token: str  # masked, or ""
    set_by: str
    was_cleared: bool = False  # the origin changed, so the stored token was deleted


_SECRET_PARAMETER = re.compile(r"token|secret|passw|pwd|api.?key|^key$|^sig|auth", re.IGNORECASE)


@needs(Permission.CREDENTIALS_WRITE, app="app")
async def set_credentials(
    context: Context, app: str, *, tenant_url: str | None = None, secret_token: Secret | None = None
) -> CredentialView:
    """Store the tenant URL, the token, or both. Raises LockstepError for an invalid URL or token."""
    if tenant_url is None and not secret_token:
        raise invalid("Neither a tenant URL nor a token was given", next_step="Use --tenant-url URL or --token-stdin")
    url = checked_url(tenant_url) if tenant_url is not None else None
    if secret_token:
        check_token(secret_token)
    async with context.changing() as edit:
        found = await find_application(edit.connection, app)
        before = await store.read_credential(edit.connection, found.id)
        old_url = before.tenant_url if before else ""
        is_cleared = False
        if url is not None or before is None:
            keeps = origin(old_url) == origin(url or old_url)
            is_cleared = bool(before and before.has_secret and not keeps and not secret_token)
            await store.save_tenant_url(edit.connection, found.id, url or old_url, keeps_secret=keeps)
        if secret_token:
            if not (url or old_url):
                raise invalid(f"{found.display_name} has no tenant URL yet", next_step="Add it: --tenant-url URL")
            sealed = context.vault.seal(secret_token, purpose=TOKEN, name=found.id)
            last_four = secret_token.reveal()[-4:] if len(secret_token.reveal()) >= _SHOWN_FROM else ""
            await store.save_secret(edit.connection, found.id, sealed, last_four=last_four, actor=context.actor.name)
        # It may be another application now, or one where these credentials have other permissions.
        await unkept.forget_application(edit.connection, found.id)
        after = await store.read_credential(edit.connection, found.id)
        await audit(
            edit,
            "Update provisioning credentials",
            found.name,
            before={"tenantUrl": old_url, "secretToken": MASK if before and before.has_secret else ""},
            after={
                "tenantUrl": url or old_url,
                "secretToken": MASK if after and after.has_secret else "",
                "secretTokenChanged": bool(secret_token),
            },
        )
    return _view(after, was_cleared=is_cleared)


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_credentials(context: Context, app: str) -> CredentialView:
    async with context.reading() as connection:
        found = await find_application(connection, app)
        return _view(await store.read_credential(connection, found.id))


def checked_url(text: str) -> str:
    """*text* as a tenant URL. Raises LockstepError unless it is http(s) with a host and without user name and fragment."""
    url = text.strip()
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise _bad_url(url) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise _bad_url(url)
    if any(letter.isspace() or not letter.isprintable() for letter in url):
        raise _bad_url(url)
    if any(_SECRET_PARAMETER.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise invalid(
            "The tenant URL contains a secret in its query",
            why="URLs are shown, logged and audited unencrypted",
            next_step="Remove it from the URL and pass it with --token-stdin",
        )
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}" + (f"?{parts.query}" if parts.query else "")


def check_token(token: Secret) -> None:
    """Raise LockstepError unless *token* is valid in an Authorization header. The error never contains it."""
    text = token.reveal()
    if (
        len(text) > _MOST_CHARACTERS
        or not text.isascii()
        or any(not letter.isprintable() or letter == " " for letter in text)
    ):
        raise invalid(
            "Not a valid secret token",
            why="It contains spaces, line breaks or non-ASCII characters",
            next_step="Copy it again; with --token-stdin a trailing line break is ignored",
        )


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: where a token would be sent."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def _bad_url(url: str) -> Exception:
    shown = url if "@" not in url else "The given value"  # the URL may contain a password
    return invalid(
        f"{shown} is not a valid tenant URL",
        next_step="A tenant URL looks like https://api.example.com/scim/v2",
        code="InvalidTenantUrl",
    )


def _view(row: CredentialRow | None, *, was_cleared: bool = False) -> CredentialView:
    if row is None:
        return CredentialView("", "", "", was_cleared=was_cleared)
    masked = f"{MASK}{row.last_four or ''}" if row.has_secret else ""
    return CredentialView(row.tenant_url, masked, row.set_by or "", was_cleared=was_cleared)
