"""Sign in through the identity provider, or step up (prove the password again) by signing in there again.

A sealed cookie holds the state of the attempt. Only the browser that began the attempt can finish it, once, within ten minutes. State,
nonce and PKCE verifier are derived from the secret in the cookie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from lockstep.actions.access import open_to_all
from lockstep.actions.callers import Caller
from lockstep.actions.context import NOT_SIGNED_IN, Context
from lockstep.actions.federated_administrators import admit_identity
from lockstep.actions.federated_identity import has_claim, identity_in
from lockstep.actions.identity_providers import http_of, read_client
from lockstep.actions.lockout import admit, succeeded
from lockstep.actions.sessions import caller_or_refusal
from lockstep.actions.sign_in import STEPPED_UP, SignedIn, begin_session
from lockstep.credentials.issued_secrets import derived, hash_of, new_secret, renewed_secret
from lockstep.errors import Kind, LockstepError
from lockstep.oidc.code_flow import Attempt, authorization_url, code_in, redeem, user_info
from lockstep.oidc.id_token import LEEWAY_SECONDS, authenticated_at, checked_claims
from lockstep.oidc.provider import ClientRegistration
from lockstep.storage import administrator_sessions, administrators, audit_log
from lockstep.storage import identity_providers as store
from lockstep.storage.identity_providers import ProviderRow
from lockstep.vault import Secret

VALID = timedelta(minutes=10)  # from the redirect to the provider until the callback
LONGEST = timedelta(hours=12)  # a session: each sign-in updates the roles, so a session lasts one working day at most
_PURPOSE, _OWNER = "sign-in attempt", "single sign-on"


@dataclass(frozen=True, slots=True)
class Departure:
    """The provider's address, to which the browser is redirected, and the sealed *cookie*, which the browser keeps until it returns."""

    url: str
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CompletedSignIn:
    """The result of a sign-in. *signed_in* is a new session, or the stepped-up session with a new secret. *next_page* is the address of the
    page to show next.
    """

    signed_in: SignedIn
    next_page: str


@dataclass(frozen=True, slots=True)
class BegunSignIn:
    """The content of the cookie that holds a sign-in attempt. *session* is the existing session that the attempt steps up, for which the
    administrator proves their identity again. *session* is "" if a new session will begin.

    *again* is true if the provider must ask for the credentials even if the person is already signed in at the provider.
    """

    secret: str = field(repr=False)
    issuer: str
    client_id: str
    redirect_uri: str
    next_page: str
    session: str
    at: float
    again: bool = False

    @property
    def begun_at(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def attempt(self) -> Attempt:
        state, nonce, verifier = (derived(self.secret, use) for use in ("state", "nonce", "verifier"))
        return Attempt(self.redirect_uri, state, nonce, verifier, enters_again=self.again or bool(self.session))


@open_to_all
async def begin(
    context: Context, *, redirect_uri: str, next_page: str, session_secret: str = "", again: bool = False
) -> Departure:
    """Begin an attempt. Returns the provider's address, from which the browser later returns to *redirect_uri*.

    *session_secret* is the secret of the session to step up. For a step-up, or with *again*, the provider must ask for the credentials even
    if the person is signed in there. Raises LockstepError if single sign-on is not configured, the provider cannot be reached, or the
    session has ended.
    """
    session = (await caller_or_refusal(context, session_secret)).session if session_secret else ""
    client, _ = await read_client(context)
    metadata = await context.providers.find(http_of(context), client.issuer)
    now = context.now().timestamp()
    begun = BegunSignIn(new_secret(), client.issuer, client.id, redirect_uri, next_page, session, now, again)
    sealed = context.vault.seal(Secret(orjson.dumps(begun).decode()), purpose=_PURPOSE, name=_OWNER)
    return Departure(authorization_url(client, metadata, begun.attempt()), sealed.hex())


@open_to_all
async def finish(
    context: Context,
    cookie: str,
    answer: Mapping[str, str],
    *,
    session_secret: str = "",
    device: str = "",
    address: str = "",
) -> CompletedSignIn:
    """Finish an attempt. *answer* has the parameters that the provider added to the address; *cookie* is the cookie of the browser.
    *session_secret* is the secret of the browser's present session, which ends if a new session begins.

    Raises LockstepError if the answer does not belong to the cookie, was used before or is not accepted. Also raises it if the person has
    no role. A failed attempt counts as a failed sign-in from the network address *address*.
    """
    await admit(context, "", address=address)
    begun = await begun_with(context, cookie, answer)
    try:
        client, row = await read_client(context)
        claims, enriched = await claims_of_answer(context, client, row, begun, answer)
        if begun.session:
            arrival = await _prove_again(context, begun, claims, session_secret, address=address)
        else:
            arrival = await _sign_in(
                context, row, begun, claims | enriched, device=device, address=address, replaces=session_secret
            )
    except LockstepError as refused:
        await _note_refusal(context, refused, address=address)
        raise
    return arrival


async def begun_with(context: Context, cookie: str, answer: Mapping[str, str]) -> BegunSignIn:
    """Return the content of the cookie. Raises LockstepError unless *answer* belongs to the cookie and is the first answer."""
    try:
        sealed = bytes.fromhex(cookie)
        begun = BegunSignIn(**orjson.loads(context.vault.open(sealed, purpose=_PURPOSE, name=_OWNER).reveal()))
    except (ValueError, TypeError, LockstepError):
        raise not_begun_here() from None
    now, state = context.now(), begun.attempt().state
    expires_at = begun.begun_at + VALID
    if hash_of(answer.get("state", "")) != hash_of(state) or now >= expires_at:
        raise not_begun_here()
    async with context.recording() as connection:
        is_first = await store.use_answer(connection, hash_of(state), now=now, expires_at=expires_at)
    if not is_first:
        raise not_begun_here()
    return begun


async def claims_of_answer(
    context: Context, client: ClientRegistration, row: ProviderRow, begun: BegunSignIn, answer: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return two sets of claims: those of the ID token, and those that only the user info endpoint returned."""
    if (client.issuer, client.id) != (begun.issuer, begun.client_id):
        raise not_begun_here()
    http, attempt = http_of(context), begun.attempt()
    metadata = await context.providers.find(http, client.issuer)
    tokens = await redeem(http, client, metadata, attempt, code_in(client, metadata, answer))
    claims = await checked_claims(http, client, metadata, attempt, tokens, now=context.now())
    if begun.session or ("email" in claims and has_claim(claims, row.roles_claim)):
        return claims, {}
    more = await user_info(http, metadata, tokens, subject=claims["sub"])
    return claims, {name: value for name, value in more.items() if name not in claims}


async def _sign_in(
    context: Context,
    row: ProviderRow,
    begun: BegunSignIn,
    claims: Mapping[str, Any],
    *,
    device: str,
    address: str,
    replaces: str,
) -> CompletedSignIn:
    now = context.now()
    identity = identity_in(claims, issuer=row.issuer, provider=row.name, trusts_email=row.trusts_email)
    found = await admit_identity(context, row, identity, claims)
    proved_at = authenticated_at(dict(claims))
    async with context.recording() as connection:
        await succeeded(connection, found.email, address=address)
        signed_in = await begin_session(
            connection,
            found,
            now,
            device=device,
            replaces=replaces,
            lasts=LONGEST,
            # The provider may have accepted a sign-in from hours ago.
            stepped_up_at=min(proved_at, now) if proved_at is not None else now - STEPPED_UP,
        )
        await audit_log.append(
            connection, actor=found.email, activity="Sign in", target=found.email, after={"through": row.name}
        )
    return CompletedSignIn(signed_in, begun.next_page)


async def _prove_again(
    context: Context, begun: BegunSignIn, claims: Mapping[str, Any], session_secret: str, *, address: str
) -> CompletedSignIn:
    caller: Caller = await caller_or_refusal(context, session_secret)
    proved_at, new = authenticated_at(dict(claims)), renewed_secret(caller.csrf_secret)
    async with context.recording() as connection:
        found = await administrators.find_identity(connection, begun.issuer, claims["sub"])
        if caller.session != begun.session or found is None or found.id != caller.actor.administrator:
            raise LockstepError(
                Kind.FORBIDDEN,
                f"You signed in with an account other than {caller.email}",
                next_step=f"Confirm as {caller.email}, or sign out first",
            )
        if proved_at is None or proved_at < begun.begun_at - timedelta(seconds=LEEWAY_SECONDS):
            raise LockstepError(
                Kind.FORBIDDEN,
                "The provider did not ask for your credentials again",
                why="Its answer contains no recent auth_time",
                next_step="Ask a Global administrator to make the provider send the claim auth_time",
            )
        await succeeded(connection, caller.email, address=address)
        await administrator_sessions.step_up(connection, caller.session, hash_of(new), context.now())
        await audit_log.append(connection, actor=caller.email, activity="Confirm identity", target=caller.email)
    return CompletedSignIn(SignedIn(new, caller.expires_at), begun.next_page)


async def _note_refusal(context: Context, refused: LockstepError, *, address: str) -> None:
    after = {"through": "single sign-on", "reason": refused.detail, "clientAddress": address}
    async with context.recording() as connection:
        await audit_log.append(
            connection, actor=NOT_SIGNED_IN.name, activity="Sign-in failed", target="Single sign-on", after=after
        )


def not_begun_here() -> LockstepError:
    return LockstepError(
        Kind.UNAUTHORIZED,
        "This sign-in started in another browser, or took too long",
        why="The provider's response works once, within 10 minutes, in the browser that started the sign-in",
        next_step="Sign in again",
    )
