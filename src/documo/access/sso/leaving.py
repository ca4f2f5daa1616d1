"""Single logout by redirect (SAML profiles, section 4.4), begun here or at the provider. Messages are signed; a request is accepted only
once.
"""

from __future__ import annotations

from datetime import UTC, datetime

from documo.access.sso.addresses import ServiceAddress, service_address
from documo.access.sso.own_keys import signing_key
from documo.access.sso.providers import Provider, find_provider
from documo.store import sign_ins as sessions_table
from documo.store import single_sign_on as table
from documo.store import sso_requests as requests_table
from documo.store.database import SET_TENANT, Store
from lockstep.credentials.issued_secrets import hash_of
from lockstep.errors import not_found
from lockstep.saml.bindings import read_redirect, redirect_url
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
from lockstep.saml.messages import read_header
from lockstep.saml.signatures import Legacy
from lockstep.saml.xml import only_child, parse, text_of

MOST_ACCOUNTS = 100  # so many accounts of one provider are tried, those with a session of the person first


async def leave(store: Store, session_secret: str, *, api_url: str) -> str:
    """End the session with this secret. Returns the address at which the provider ends its own session. Returns "" if the session did not
    begin at a provider, or if the provider has no such address.
    """
    async with store.control() as connection:
        session = await sessions_table.read_session(connection, hash_of(session_secret))
        if session is None:
            return ""
        await connection.execute(SET_TENANT, (str(session.tenant_id),))
        await sessions_table.end_session(connection, session.id)
    provider = await find_provider(store, session.tenant_id) if session.name_id else None
    if provider is None or not provider.row.logout_url:
        return ""
    service, now = await service_address(store, session.tenant_id, api_url), datetime.now(UTC)
    message = write_logout_request(
        LogoutRequest(
            id=new_id(),
            issuer=service.entity_id,
            destination=provider.row.logout_url,
            issued_at=now,
            name_id=session.name_id,
            session_indexes=(session.session_index,) if session.session_index else (),
        )
    )
    return redirect_url(
        provider.row.logout_url, message=message, field="SAMLRequest", key=await signing_key(store, session.tenant_id)
    )


async def leave_for_provider(store: Store, raw_query: str, *, api_url: str) -> str:
    """End the sessions that a provider's LogoutRequest names, in each account that uses the provider and accepts the request. An account
    accepts the request only if it is signed with a certificate of the account's provider, is addressed to us, and was not used before.

    Returns the provider's logout address with our response, or "" if no such address is configured. The address and the signing key come
    from an account in which a session ended. If no session ended, they come from any account that accepted the request.

    Raises LockstepError if no account accepts the request.
    """
    incoming = read_redirect(raw_query)
    said = parse(incoming.message)
    async with store.control() as connection:
        tenants = await table.tenants_to_leave(
            connection,
            read_header(said, "LogoutRequest").issuer,
            text_of(only_child(said, "saml", "NameID")),
            most=MOST_ACCOUNTS,
        )
    refused: SamlFault | None = None
    answers: list[tuple[bool, Provider, ServiceAddress, LogoutRequest]] = []
    for tenant_id in tenants:
        provider = await find_provider(store, tenant_id)
        if provider is None:
            continue
        try:
            service = await service_address(store, tenant_id, api_url)
            request = _read(raw_query, provider, service)
        except SamlFault as wrong:
            refused = wrong
            continue
        used = hash_of(f"logout\n{tenant_id}\n{request.issuer}\n{request.id}")
        async with store.tenant(tenant_id) as connection:
            if not await requests_table.use_once(connection, used, request.expires_at):
                refused = used_before(request)
                continue
            ended = await sessions_table.end_sessions_of(
                connection, tenant_id, request.name_id, request.session_indexes
            )
        answers.append((ended > 0, provider, service, request))
    if not answers:
        raise refused or not_found(
            "No account signs in through this identity provider", next_step="Ask your administrator"
        )
    # Any account can name a provider and its public certificate. An account without an ended session must not decide where the browser
    # goes.
    _, provider, service, request = max(answers, key=lambda one: one[0])
    return await _answer(store, provider, service, request, incoming.relay_state)


def _read(raw_query: str, provider: Provider, service: ServiceAddress) -> LogoutRequest:
    incoming = read_redirect(
        raw_query, certificates=provider.certificates, legacy=Legacy(sha1=provider.row.allows_sha1)
    )
    if not incoming.signed:
        raise fault(FaultCode.NOT_SIGNED, expected="a signature of the request", received="none")
    return read_logout_request(
        incoming.message,
        issuer=provider.row.entity_id,
        destination=service.logout_url,
        now=datetime.now(UTC),
    )


async def _answer(
    store: Store, provider: Provider, service: ServiceAddress, request: LogoutRequest, relay_state: str
) -> str:
    if not provider.row.logout_url:
        return ""
    answer = LogoutResponse(
        new_id(), service.entity_id, provider.row.logout_url, datetime.now(UTC), in_response_to=request.id
    )
    return redirect_url(
        provider.row.logout_url,
        message=write_logout_response(answer),
        field="SAMLResponse",
        relay_state=relay_state,
        key=await signing_key(store, provider.tenant_id),
    )
