"""Access tokens for the API.

A personal token acts for its owner, and never has permissions that the owner does not have at the time of the request. A service token acts
for itself, within its scopes. Every token has an expiry date, and its secret is shown only once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lockstep.actions.access import needs, open_to_all
from lockstep.actions.callers import Caller, actor_of, limited
from lockstep.actions.context import Actor, Context
from lockstep.actions.permissions import SCOPES, Permission
from lockstep.actions.sign_in import caller_of_session, session_ended, sign_in, sign_out
from lockstep.credentials.issued_secrets import PERSONAL, SERVICE, hash_of, is_token, new_token
from lockstep.errors import invalid, not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import access_tokens as store
from lockstep.storage import administrators, audit_log
from lockstep.storage.access_tokens import TokenRow as TokenRow
from lockstep.wording import counted, did_you_mean

USUAL_LENGTH, LONGEST = timedelta(days=90), timedelta(days=366)
VOUCHED_FOR = timedelta(days=30)  # after a sign-in through a provider, because only the provider knows who has left
_USED_AGAIN = timedelta(minutes=1)
_MOST_NAME = 100  # characters


@dataclass(frozen=True, slots=True)
class NewToken:
    """A new token with its secret, which Lockstep cannot show again."""

    id: str
    name: str
    scopes: tuple[str, ...]
    expires_at: datetime
    secret: str = field(repr=False)


@open_to_all
async def caller_of_token(context: Context, token: str) -> Caller | None:
    """Return the caller to whom this token belongs. Returns None if the token is unknown, expired or revoked. Also returns None if the
    owner is disabled, or has not signed in through the identity provider for too long.
    """
    if not is_token(token):
        return None
    now = context.now()
    async with context.recording() as connection:
        row = await store.find_by_secret(connection, hash_of(token))
        if row is None or now >= row.expires_at:
            return None
        caller = await _caller(connection, row, now)
        if caller is not None and (row.last_used_at is None or now - row.last_used_at >= _USED_AGAIN):
            await store.note_used(connection, row.id, now)
    return caller


@needs(Permission.TOKENS_WRITE)
async def create_personal_token(
    context: Context, name: str, scopes: Sequence[str], *, owner: str = "", expires_in: timedelta = USUAL_LENGTH
) -> NewToken:
    """Create a token that acts for the caller. The operator of the machine, who is not an administrator, must name the token's *owner*
    by e-mail address.

    Raises LockstepError for unknown scopes, for scopes that the owner does not have, and for a lifetime of more than a year.
    """
    async with context.recording() as connection:
        found = await _owner(connection, context.actor, owner)
        grants = await administrators.read_grants(connection, found.id)
        able = actor_of(found, grants)
        chosen = checked_scopes(scopes, able.permissions | able.own_permissions, who=found.email)
        return await _make(context, connection, PERSONAL, name, chosen, expires_in, owner=found.id)


@needs(Permission.SERVICE_TOKENS_WRITE)
async def create_service_token(
    context: Context, name: str, scopes: Sequence[str], *, expires_in: timedelta = USUAL_LENGTH
) -> NewToken:
    """Create a token that acts for itself, in every application. Raises LockstepError for unknown scopes and for a lifetime of more than a
    year.
    """
    chosen = checked_scopes(scopes, context.actor.permissions, who=context.actor.name)
    async with context.recording() as connection:
        return await _make(context, connection, SERVICE, name, chosen, expires_in, owner=None)


@open_to_all
async def sign_in_for_token(
    context: Context,
    email: str,
    password: str,
    code: str = "",
    *,
    name: str,
    scopes: Sequence[str] = (),
    expires_in: timedelta = USUAL_LENGTH,
    address: str = "",
) -> NewToken:
    """Sign in, create a personal token and sign out again. Without *scopes*, the token gets every valid scope for which the administrator
    has the permission. *address* is the network address of the client. Raises the errors of signing in and of creating a token.
    """
    signed_in = await sign_in(context, email, password, code, device=name, address=address)
    try:
        caller = await caller_of_session(context, signed_in.session_secret)
        if caller is None:
            raise session_ended()
        able = caller.actor.permissions | caller.actor.own_permissions
        chosen = scopes or [scope for scope in SCOPES if scope in able]
        theirs = replace(context, actor=caller.actor)
        theirs.actor.require(Permission.TOKENS_WRITE)
        return await create_personal_token(theirs, name, chosen, expires_in=expires_in)
    finally:
        await sign_out(context, signed_in.session_secret)


@open_to_all
async def revoke_this_token(context: Context, token: str) -> TokenRow:
    """Delete the token whose secret is *token*. The bearer of a token may always delete that token. Raises LockstepError if the token is
    unknown.
    """
    async with context.recording() as connection:
        row = await store.find_by_secret(connection, hash_of(token)) if is_token(token) else None
        if row is None:
            raise not_found("There is no such token, so nothing was revoked")
        await _delete(connection, row, actor=row.owner_email or f"{row.name} (service token)")
    return row


@needs(Permission.TOKENS_WRITE)
async def list_tokens(context: Context) -> list[TokenRow]:
    """Return the tokens that the caller may revoke, newest first: the caller's own tokens, or all tokens if the caller may revoke all."""
    async with context.recording() as connection:
        return await store.list_tokens(
            connection, owner="" if _sees_all(context.actor) else context.actor.administrator
        )


@needs(Permission.TOKENS_WRITE)
async def revoke_token(context: Context, token: str) -> TokenRow:
    """Delete the token with the id *token*; requests with that token are refused from then on. Raises LockstepError if the token does not
    exist, or if it belongs to another administrator and the caller may revoke only their own tokens.
    """
    async with context.recording() as connection:
        row = await store.read_token(connection, token.strip())
        if row is None or not (_sees_all(context.actor) or row.owner == context.actor.administrator):
            raise not_found(f'Unknown token "{token}"', next_step="See: lockstep token list")
        await _delete(connection, row, actor=context.actor.name)
    return row


async def _delete(connection: Connection, row: TokenRow, *, actor: str) -> None:
    await store.delete_token(connection, row.id)
    before = {"kind": row.kind, "owner": row.owner_email, "scopes": list(row.scopes)}
    await audit_log.append(connection, actor=actor, activity="Revoke token", target=row.name, before=before)


def checked_scopes(scopes: Sequence[str], able: frozenset[str], *, who: str) -> tuple[str, ...]:
    """Return *scopes* in the order in which `Permission` lists them. *able* contains the permissions that the token may get. *who* names
    the holder of these permissions in error messages.

    Raises LockstepError if *scopes* is empty, or if it contains a scope that is unknown or is not in *able*.
    """
    if not scopes:
        raise invalid("A token needs at least one scope", next_step="For example: --scope applications.read")
    known = [scope.value for scope in Permission if scope in SCOPES]
    for scope in scopes:
        if scope not in known:
            raise invalid(
                f'"{scope}" is not a scope',
                next_step=did_you_mean(scope, known, otherwise=f"Scopes: {', '.join(known)}"),
            )
        if scope not in able:
            raise invalid(f"{who} does not have the permission {scope}", next_step="Remove this scope")
    return tuple(scope for scope in known if scope in scopes)


async def _caller(connection: Connection, row: TokenRow, now: datetime) -> Caller | None:
    scopes = frozenset(row.scopes) & SCOPES
    if row.owner is None:
        return _called(row, Actor(f"{row.name} (service token)", frozenset(map(str, scopes))), "", row.name)
    owner = await administrators.read_administrator(connection, row.owner)
    if owner is None or not owner.may_sign_in or _is_stale(owner, now):
        return None
    grants = await administrators.read_grants(connection, owner.id)
    actor = limited(actor_of(owner, grants, name=f"{owner.email} (token {row.name})"), scopes)
    return _called(row, actor, owner.email, owner.display_name)


def _is_stale(owner: administrators.AdministratorRow, now: datetime) -> bool:
    """Whether the owner's last sign-in through the provider was so long ago that the owner may have left the organisation."""
    return owner.is_federated and (owner.last_sign_in_at is None or now - owner.last_sign_in_at > VOUCHED_FOR)


def _called(row: TokenRow, actor: Actor, email: str, display_name: str) -> Caller:
    return Caller(actor, email, display_name, row.created_at, row.created_at, row.expires_at, token=row.id)


async def _owner(connection: Connection, actor: Actor, email: str) -> administrators.AdministratorRow:
    found = None
    if actor.administrator:
        found = await administrators.read_administrator(connection, actor.administrator)
    elif email:
        found = await administrators.find_administrator(connection, email)
    if found is None:
        raise invalid(
            f'Unknown administrator "{email}"' if email else "A personal token needs an owner",
            next_step="Name an administrator: --owner EMAIL. Or create a service token: --service",
        )
    if email and found.email != email.strip().lower():
        raise invalid("Only the owner can create a personal token", next_step=f"Sign in as {email} to create it")
    return found


async def _make(
    context: Context,
    connection: Connection,
    prefix: str,
    name: str,
    scopes: tuple[str, ...],
    expires_in: timedelta,
    *,
    owner: str | None,
) -> NewToken:
    name, now = name.strip(), context.now()
    if not name or len(name) > _MOST_NAME:
        raise invalid(
            f"The name of a token must have 1 to {_MOST_NAME} characters",
            next_step="Enter a name for the token, such as the name of the program that uses it",
        )
    if not timedelta() < expires_in <= LONGEST:
        raise invalid(f"A token is valid for at most {counted(LONGEST.days, 'day')}", next_step="Choose a shorter time")
    secret, expires_at = new_token(prefix), now + expires_in
    kind = "personal" if owner else "service"
    new = await store.insert_token(
        connection,
        kind=kind,
        name=name,
        owner=owner,
        scopes=scopes,
        secret_hash=hash_of(secret),
        hint=secret[-4:],
        now=now,
        actor=context.actor.name,
        expires_at=expires_at,
    )
    after = {"kind": kind, "scopes": list(scopes), "expiresAt": expires_at.isoformat(timespec="seconds")}
    await audit_log.append(connection, actor=context.actor.name, activity="Create token", target=name, after=after)
    return NewToken(new, name, scopes, expires_at, secret)


def _sees_all(actor: Actor) -> bool:
    return Permission.SERVICE_TOKENS_WRITE in actor.permissions
