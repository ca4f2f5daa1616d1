"""Single logout (SAML profiles, section 4.4) by HTTP-Redirect. Either an application signs a person out, or the person signs out in
Lockstep.

A logout request of an application must have a valid signature, and is accepted only once; otherwise anybody could sign people out. When a
person signs out in Lockstep, the browser visits one application after the other. A sealed cookie holds the list of the remaining
applications.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.person_sign_in.sessions import caller_of_person
from lockstep.actions.saml_sign_in.asking import keys_of
from lockstep.actions.saml_sign_in.noting import refuse, saml_application
from lockstep.actions.single_sign_on.issuing import ApplicationSso, signing_key_of
from lockstep.credentials.issued_secrets import hash_of
from lockstep.errors import Kind, LockstepError
from lockstep.saml.bindings import ReceivedMessage, read_redirect, redirect_url
from lockstep.saml.faults import FaultCode, SamlFault, fault
from lockstep.saml.identifiers import new_id
from lockstep.saml.logout import (
    LogoutRequest,
    LogoutResponse,
    read_logout_request,
    used_before,
    write_logout_request,
    write_logout_response,
)
from lockstep.saml.names import Status
from lockstep.storage import identity_providers, person_sessions, session_applications
from lockstep.vault import Secret

VALID = timedelta(minutes=10)
_PURPOSE, _NAME = "signing out", "applications"


@dataclass(frozen=True, slots=True)
class Stop:
    """The next application to sign out of. The browser opens *url* and keeps *rest*, the encrypted list of the remaining applications.

    The last stop has no *app*; it leads to the address at the end of the sign-out.
    """

    app: str
    url: str
    rest: str = field(repr=False)


@open_to_all
async def receive_logout(context: Context, app: str, raw_query: str, *, visitor: Visitor, origin: str) -> str:
    """Process a logout message of an application.

    If the message is a logout request, ends the sessions that it names. Returns the address that delivers the response, or "" if the
    application accepts no response. If the message is the response to a request of Lockstep, returns "".

    Raises LockstepError for a request that is not signed by the application, is meant for another identity provider, is too old, or was
    used before.
    """
    facts = await saml_application(context, app, origin=origin)
    try:
        incoming = read_redirect(raw_query, certificates=keys_of(facts))
        if incoming.field == "SAMLResponse":
            return ""
        if not incoming.signed:
            raise fault(
                FaultCode.NOT_SIGNED, expected="a request signed with a key of the application", received="none"
            )
        request = _read(context, facts, incoming)
        is_everywhere = await _end_sessions(context, facts, request)
        return await _answer(context, facts, request, incoming.relay_state, is_everywhere=is_everywhere)
    except LockstepError as wrong:
        await refuse(context, visitor, facts, wrong)
        raise _not_signed_out(facts) from None


@open_to_all
async def sign_out_here(context: Context, secret: str, *, then: str = "") -> str:
    """End the session with this secret. Returns the encrypted list of the applications to which the session signed in, or "" if there are
    none.

    *then* is the address that the browser opens after it has signed out of all applications in the list, or "" for the page that confirms
    the sign-out.
    """
    caller = await caller_of_person(context, secret)
    if caller is None:
        return ""
    async with context.recording() as connection:
        rows = await session_applications.applications_of(connection, caller.session)
        await person_sessions.end_session(connection, caller.session)
    way = [(row.app, row.name_id, row.name_id_format, row.session_index) for row in rows]
    return _sealed(context, way, context.now().timestamp(), then) if way else ""


@open_to_all
async def next_stop(context: Context, way: str, *, origin: str) -> Stop | None:
    """Return the next stop on the encrypted list *way*. After the last application, the stop is the address at the end of the sign-out.
    Returns None if there is no such address, or if *way* is invalid or too old.

    Applications that have no Logout URL or no signing key, or that were removed, are left out.
    """
    try:
        opened = context.vault.open(bytes.fromhex(way), purpose=_PURPOSE, name=_NAME).reveal()
        at, rows, then = orjson.loads(opened)
    except (ValueError, TypeError, LockstepError):
        return None
    if context.now() >= datetime.fromtimestamp(at, UTC) + VALID:
        return None
    while rows:
        (app, name_id, name_id_format, index), *rows = rows
        try:
            facts = await saml_application(context, app, origin=origin, is_id=True)
            key = await signing_key_of(context, facts.app)
        except LockstepError:
            continue  # the application was removed or has no key, so it cannot be notified
        if url := facts.settings.logout_url:
            request = LogoutRequest(
                new_id(), facts.endpoints.identifier, url, context.now(), name_id, name_id_format, (index,)
            )
            address = redirect_url(url, message=write_logout_request(request), field="SAMLRequest", key=key)
            return Stop(facts.display_name, address, _sealed(context, rows, at, then))
    return Stop("", then, "") if then else None


def _not_signed_out(facts: ApplicationSso) -> LockstepError:
    """Return the error that the person sees, which does not say what was wrong. The person's session in Lockstep has not ended."""
    return LockstepError(
        Kind.INVALID,
        f"{facts.display_name} could not sign you out of Lockstep",
        next_step="Sign out in My Apps. Give your administrator the request number; the sign-in log contains the reason",
        code="SignOutFailed",
    )


def _sealed(context: Context, way: object, at: float, then: str) -> str:
    return context.vault.seal(Secret(orjson.dumps([at, way, then]).decode()), purpose=_PURPOSE, name=_NAME).hex()


def _read(context: Context, facts: ApplicationSso, incoming: ReceivedMessage) -> LogoutRequest:
    """Read the logout request. Its issuer may be any of the identifiers of the application."""
    refused: SamlFault | None = None
    for issuer in facts.settings.identifiers:
        try:
            return read_logout_request(
                incoming.message, issuer=issuer, destination=facts.endpoints.logout_url, now=context.now()
            )
        except SamlFault as wrong:
            refused = wrong
            if wrong.code != FaultCode.WRONG_ISSUER:
                break
    raise refused or fault(FaultCode.WRONG_ISSUER, expected="a registered identifier", received="none")


async def _end_sessions(context: Context, facts: ApplicationSso, request: LogoutRequest) -> bool:
    """End the sessions that the request names. Returns True if these sessions had signed in to no other application.

    Raises SamlFault for a request that was used before. The transaction that ends the sessions also marks the request as used. If the
    process crashes before the commit, the same request can therefore be sent again.
    """
    is_everywhere, now = True, context.now()
    used = hash_of(f"logout {facts.app} {request.id}")
    async with context.recording() as connection:
        if not await identity_providers.use_answer(connection, used, now=now, expires_at=request.expires_at):
            raise used_before(request)
        rows = await session_applications.sessions_named(
            connection, facts.app, request.name_id, request.session_indexes
        )
        for row in rows:
            others = await session_applications.applications_of(connection, row.session)
            is_everywhere = is_everywhere and len(others) <= 1
            await person_sessions.end_session(connection, row.session)
    return is_everywhere


async def _answer(
    context: Context, facts: ApplicationSso, request: LogoutRequest, relay_state: str, *, is_everywhere: bool
) -> str:
    url = facts.settings.logout_url
    if not url:
        return ""
    status = Status.SUCCESS if is_everywhere else Status.PARTIAL_LOGOUT
    response = LogoutResponse(new_id(), facts.endpoints.identifier, url, context.now(), request.id, status)
    return redirect_url(
        url, message=write_logout_response(response), field="SAMLResponse", relay_state=relay_state,
        key=await signing_key_of(context, facts.app),
    )  # fmt: skip
