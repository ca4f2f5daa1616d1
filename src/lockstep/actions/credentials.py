"""The credentials of an application. They can be written but never read back, and are masked when shown.

A token is meant for one origin. When the origin of the tenant URL changes, the stored token is deleted. Otherwise somebody who may change
the URL but does not know the token could make Lockstep send the token to their own server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission
from lockstep.configuration.authentication import Authentication as Authentication
from lockstep.configuration.authentication import AuthenticationMethod as AuthenticationMethod
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
    """The credentials without their secrets."""

    tenant_url: str
    secret_token: str  # masked, or ""
    set_by: str
    was_cleared: bool = False  # the origin changed, so the stored token was deleted
    authentication: Authentication = field(default_factory=Authentication)


_SECRET_PARAMETER = re.compile(r"token|secret|passw|pwd|api.?key|^key$|^sig|auth", re.IGNORECASE)


@needs(Permission.CREDENTIALS_WRITE, app="app")
async def set_credentials(
    context: Context, app: str, *, tenant_url: str | None = None, secret_token: Secret | None = None,
    authentication: Authentication | None = None,
) -> CredentialView:  # fmt: skip
    """Store the tenant URL, the secret, the authentication method, or several of these. A value that is not given stays unchanged.

    Raises LockstepError if the URL or the secret is invalid. Also raises it if a stored secret would be used for an authentication method
    or a server for which it was not entered.
    """
    if tenant_url is None and not secret_token and authentication is None:
        raise invalid("Neither a tenant URL nor a token was given", next_step="Use --tenant-url URL or --token-stdin")
    url = checked_url(tenant_url) if tenant_url is not None else None
    wanted = checked_authentication(authentication) if authentication is not None else None
    async with context.changing() as edit:
        found = await find_application(edit.connection, app)
        before = await store.read_credential(edit.connection, found.id)
        method = wanted or authentication_of(before)
        if secret_token:
            check_secret(secret_token, method)
        elif before is not None and before.has_secret:
            refuse_other_use(authentication_of(before), method)
        old_url = before.tenant_url if before else ""
        is_cleared = False
        if url is not None or before is None:
            keeps = origin(old_url) == origin(url or old_url)
            is_cleared = bool(before and before.has_secret and not keeps and not secret_token)
            await store.save_tenant_url(edit.connection, found.id, url or old_url, keeps_secret=keeps)
        if wanted is not None:
            await store.save_authentication(
                edit.connection, found.id, method=wanted.method.value, client_id=wanted.client_id,
                token_url=wanted.token_url, scope=wanted.scope,
            )  # fmt: skip
        if secret_token:
            if not (url or old_url):
                raise invalid(f"{found.display_name} has no tenant URL yet", next_step="Add it: --tenant-url URL")
            sealed = context.vault.seal(secret_token, purpose=TOKEN, name=found.id)
            last_four = secret_token.reveal()[-4:] if len(secret_token.reveal()) >= _SHOWN_FROM else ""
            await store.save_secret(edit.connection, found.id, sealed, last_four=last_four, actor=context.actor.name)
        # This may be a different application, or one where these credentials have different permissions.
        await unkept.forget_application(edit.connection, found.id)
        after = await store.read_credential(edit.connection, found.id)
        await audit(
            edit,
            "Update provisioning credentials",
            found.name,
            before=_audited(old_url, before),
            after={**_audited(url or old_url, after), "secretTokenChanged": bool(secret_token)},
        )
    return _view(after, was_cleared=is_cleared)


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_credentials(context: Context, app: str) -> CredentialView:
    async with context.reading() as connection:
        found = await find_application(connection, app)
        return _view(await store.read_credential(connection, found.id))


def authentication_of(row: CredentialRow | None) -> Authentication:
    """Return the stored authentication method of an application."""
    if row is None:
        return Authentication()
    return Authentication(AuthenticationMethod(row.authentication), row.client_id, row.token_url, row.scope)


def checked_authentication(given: Authentication) -> Authentication:
    """Convert *given* to the stored form. Raises LockstepError if a part is missing, or contains characters that cannot be sent."""
    client_id, scope = given.client_id.strip(), given.scope.strip()
    for text in (client_id, scope):
        if len(text) > _MOST_CHARACTERS or not text.isprintable():
            raise invalid("A client ID, user name or scope contains characters that cannot be sent")
    match given.method:
        case AuthenticationMethod.BASIC:
            if not client_id or ":" in client_id:
                raise invalid("Basic needs a user name without a colon", next_step="Give it: --client-id NAME")
            return Authentication(given.method, client_id)
        case AuthenticationMethod.CLIENT_CREDENTIALS:
            if not client_id or not given.token_url.strip():
                raise invalid(
                    "Client credentials need a client ID and a token URL",
                    next_step="Give both: --client-id ID --token-url URL",
                )
            return Authentication(given.method, client_id, checked_url(given.token_url), scope)
        case _:
            return Authentication()


def refuse_other_use(stored: Authentication, wanted: Authentication) -> None:
    """Raise LockstepError if the stored secret was entered for another authentication method, client or token server than *wanted* has."""
    is_same = (stored.method, stored.client_id) == (wanted.method, wanted.client_id)
    if not is_same or origin(stored.token_url) != origin(wanted.token_url):
        raise invalid(
            "This authentication method needs the secret again",
            why="The stored secret was entered for another method, client or token URL",
            next_step="Enter the secret together with it, for example with --token-stdin",
        )


def check_secret(secret: Secret, authentication: Authentication) -> None:
    """Raise LockstepError unless *secret* can be sent with this authentication method. The error never contains the secret."""
    if authentication.method is AuthenticationMethod.BEARER:
        check_token(secret)
    elif len(secret.reveal()) > _MOST_CHARACTERS or not secret.reveal().isprintable():
        raise invalid(
            "Not a valid secret", why="It contains line breaks or control characters", next_step="Copy it again"
        )


def _audited(tenant_url: str, row: CredentialRow | None) -> dict[str, Any]:
    """Return the credentials for the audit log, without the secret. Leaves out the authentication method if it is the default."""
    shown = {"tenantUrl": tenant_url, "secretToken": MASK if row and row.has_secret else ""}
    authentication = authentication_of(row)
    if authentication == Authentication():
        return shown
    parts = {"authentication": authentication.method.value, "clientId": authentication.client_id,
             "tokenUrl": authentication.token_url, "scope": authentication.scope}  # fmt: skip
    return shown | {name: value for name, value in parts.items() if value}


def checked_url(text: str) -> str:
    """Return *text* as a tenant URL. Raises LockstepError unless it is an http or https URL that has a host and has no user name and no
    fragment.
    """
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
    """Raise LockstepError unless *token* is valid in an Authorization header. The error never contains the token."""
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
    """Return the scheme, the host and the port of *url*: together they identify the server to which a token would be sent."""
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
    authentication = authentication_of(row)
    masked = f"{MASK}{row.last_four or ''}" if row.has_secret else ""
    return CredentialView(
        row.tenant_url, masked, row.set_by or "", was_cleared=was_cleared, authentication=authentication
    )
