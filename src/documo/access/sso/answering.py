"""Handle a provider's response at /assert: determine the account it is for, whether it is genuine, and the member it signs in.

The reason of a refusal is stored for the account's Admins under a number, and the person sees only the number. Any browser may deliver the
response, so it leads to a ticket and not to a session. If the sign-in began at Documo, only the browser that began it can use the ticket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from documo import members
from documo.access.member_sign_in import inactive
from documo.access.sso.addresses import service_address, url_at
from documo.access.sso.noting import MAX_KEPT_RESPONSE, ReceivedResponse, insert_attempt, note_refusal
from documo.access.sso.own_keys import own_keys
from documo.access.sso.providers import Provider, domain_of, find_provider
from documo.access.sso.requests import SignInHost, SignInRequest, read_request, request_key
from documo.accounts import account_with_id
from documo.store import sign_ins as members_table
from documo.store import single_sign_on as table
from documo.store import sso_requests as under_way_table
from documo.store.database import Store
from documo.store.sso_requests import TicketRow
from documo.user_names import is_same_name, key_of
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.errors import Kind, LockstepError, conflict, not_found
from lockstep.saml.accepting import AcceptedResponse, ResponseRequirements, accept, read_envelope
from lockstep.saml.bindings import own_reference, read_post
from lockstep.saml.faults import FaultCode, SamlFault, fault
from lockstep.saml.signatures import Legacy

TICKET_LASTS = timedelta(minutes=2)
MOST_ACCOUNTS = 100  # so many accounts of one provider are tried: each costs a verification of the signature
START_HERE = "StartHere"  # the account is not clear; it is if the sign-in begins at Documo's own page


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket. To exchange it for a session, the browser opens *address*, which contains a secret that is available only here."""

    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Person:
    """The person that an account's provider authenticated as *name*.

    *member_id* is None if no member of the account can sign in under this name. *problem* then contains the reason, and *may_be_made* is
    true if the member may be created.
    """

    tenant_id: int
    accepted: AcceptedResponse
    name: str
    member_id: str | None
    problem: LockstepError | None = None
    may_be_made: bool = False


async def take_response(store: Store, form: Mapping[str, str], *, api_url: str, number: str, address: str) -> Ticket:
    """Accept a response, and return a ticket for it. *address* is the client's network address.

    Raises LockstepError if the response is refused. The person then sees *number*, with which an Admin can look up the refusal. If the
    account of the response is known, its list of sign-ins shows what was expected and received.
    """
    incoming = read_post(form)
    now = datetime.now(UTC)
    envelope = read_envelope(incoming.message)
    request = read_request(await request_key(store), envelope.in_response_to, now)
    if request is not None:
        tenants = [request.tenant_id]
    else:
        async with store.control() as connection:
            tenants = await table.tenants_of_issuer(connection, envelope.issuer, most=MOST_ACCOUNTS + 1)
    if len(tenants) > MOST_ACCOUNTS:
        raise _start_here(f"More than {MOST_ACCOUNTS} accounts use this identity provider")
    if not tenants:
        raise not_found("No account signs in through this identity provider", next_step="Ask your administrator")
    arrival = ReceivedResponse(incoming.message, request, number, address, now)
    if request is not None and incoming.relay_state and own_reference(incoming.relay_state) != request.reference:
        raise conflict("The response belongs to another sign-in", next_step="Sign in again")
    if request is not None and request.is_test:
        return await _tested(store, request, arrival, api_url)
    return await _signed_in(store, await _person(store, tenants, arrival, api_url), arrival, api_url)


async def _person(store: Store, tenants: Sequence[int], arrival: ReceivedResponse, api_url: str) -> _Person:
    """Return the person that the response signs in. An unsolicited response may be for any account that uses the provider.

    If several accounts accept the response, the account that verified the email domain gets it, with or without a matching member. If none
    of them verified the domain, exactly one must have a matching member, and no member is created. Anybody could otherwise configure
    somebody else's provider for their own account, and learn the names of that provider's people.
    """
    found: list[_Person] = []
    refused: list[tuple[int, SamlFault]] = []
    for tenant_id in tenants:
        try:
            found.append(await _accepted_by(store, tenant_id, arrival, api_url))
        except SamlFault as wrong:
            refused.append((tenant_id, wrong))
    if len(found) > 1:
        found = await _of_the_owner(store, found) or found
    usable = [one for one in found if one.member_id is not None]
    if len(usable) == 1 or (not usable and len(found) == 1):
        return (usable or found)[0]
    if found:
        raise _start_here("More than one organisation that uses this identity provider could accept this sign-in")
    if len(refused) == 1:  # the response may belong to another account, so the others must not see it
        await note_refusal(store, *refused[0], arrival)
    raise refused[0][1] if len(refused) == 1 else _refused_everywhere()


async def _of_the_owner(store: Store, people: Sequence[_Person]) -> list[_Person]:
    """Return the people whose account verified the domain of their email address."""
    kept = []
    async with store.control() as connection:
        for one in people:
            domain = domain_of(one.name)
            if domain and await table.domain_owner(connection, domain) == one.tenant_id:
                kept.append(one)
    return kept


async def _accepted_by(store: Store, tenant_id: int, arrival: ReceivedResponse, api_url: str) -> _Person:
    provider = await find_provider(store, tenant_id)
    if provider is None:
        raise not_found("Single sign-on is no longer set up", next_step="Ask your administrator")
    accepted = accept(arrival.xml, await _expected(store, provider, arrival.request, api_url), now=arrival.now)
    name = _name(provider, accepted)
    member = await _member(store, tenant_id, name)
    person = _as_member(_Person(tenant_id, accepted, name, None), member)
    return replace(person, may_be_made=member is None and provider.row.creates_members)


async def _member(store: Store, tenant_id: int, name: str) -> members_table.SignInMember | None:
    async with store.tenant(tenant_id) as connection:
        return await members_table.member_with_name(connection, tenant_id, key_of(name))


async def _expected(
    store: Store, provider: Provider, request: SignInRequest | None, api_url: str
) -> ResponseRequirements:
    service = await service_address(store, provider.tenant_id, api_url)
    return ResponseRequirements(
        issuer=provider.row.entity_id,
        audience=service.entity_id,
        recipient=service.reply_url,
        certificates=provider.certificates,
        in_response_to=request.id if request is not None else None,
        allow_unsolicited=request is None and provider.row.allows_unsolicited,
        legacy=Legacy(sha1=provider.row.allows_sha1, rsa15=provider.row.allows_rsa15),
        decryption_keys=[key.signing for key in await own_keys(store, provider.tenant_id)],
    )


def _name(provider: Provider, accepted: AcceptedResponse) -> str:
    """Return the only value of the configured attribute or, if no attribute is configured, the Name ID. Raises LockstepError unless the
    attribute has exactly one value.
    """
    wanted = provider.row.identity_attribute
    if not wanted:
        return accepted.name_id
    values = accepted.attributes.get(wanted, ())
    if len(values) != 1:
        raise _no_identity(wanted, values, accepted)
    return values[0]


def _as_member(person: _Person, member: members_table.SignInMember | None) -> _Person:
    problem = _problem_of(member, person.name)
    return replace(person, member_id=member.id if member and not problem else None, problem=problem)


def _problem_of(member: members_table.SignInMember | None, name: str) -> LockstepError | None:
    """Return why *member* cannot sign in, or None if nothing prevents it. *member* is None if the account has no member called *name*."""
    if member is None:
        return not_found(f"{name[:200]} has no account here", next_step="Ask your administrator for access to Documo")
    if not is_same_name(name, member.user_name):
        return conflict(
            f"{name[:200]} is only similar to the email of {member.user_name[:200]}",
            why="Except for upper and lower case, the two must be equal, because similar emails can belong to different people",
            next_step="If they are the same person, change the email in Documo or at your identity provider",
            code="SimilarName",
        )
    if not member.active:
        return inactive()
    return None


async def _made_if_new(store: Store, person: _Person) -> _Person:
    provider = await find_provider(store, person.tenant_id) if person.may_be_made else None
    if provider is None:
        return person
    account = await account_with_id(store, person.tenant_id)
    role = provider.row.default_role or account.default_role
    try:
        member_id = await members.add_member(store, account.id, person.name, role=role)
    except LockstepError as refused:
        # Provisioning, or another sign-in of the person, may have created the member in the meantime.
        member = await _member(store, account.id, person.name)
        return _as_member(person, member) if member else replace(person, problem=refused)
    return replace(person, member_id=member_id, problem=None)


async def _signed_in(store: Store, vouched: _Person, arrival: ReceivedResponse, api_url: str) -> Ticket:
    """Return a ticket for the person. The use of the response is recorded before a member or the ticket is created, so that a repeated
    response has no effect.
    """
    accepted, request = vouched.accepted, arrival.request
    used = hash_of(f"{accepted.issuer}\n{accepted.assertion_id}"), accepted.not_on_or_after
    async with store.control() as connection:
        await under_way_table.remove_expired(connection, arrival.now)
        is_new = request is None or await under_way_table.use_once(connection, hash_of(request.id), request.expires_at)
        is_new = is_new and await under_way_table.use_once(connection, *used)
    if not is_new:
        await _note(store, vouched, arrival, _used())
        raise _used()
    person = await _made_if_new(store, vouched)
    await _note(store, person, arrival, person.problem)
    if person.problem is not None:
        raise person.problem
    row = TicketRow(
        tenant_id=person.tenant_id,
        member_id=person.member_id,
        browser_hash=request.browser_hash if request is not None else None,
        name_id=accepted.name_id,
        session_index=accepted.session_index,
        session_ends_at=accepted.session_not_on_or_after,
        attempt_id=None,
        authenticated_at=accepted.authenticated_at,
    )
    return await _ticket(store, row, arrival, api_url)


async def _ticket(store: Store, row: TicketRow, arrival: ReceivedResponse, api_url: str) -> Ticket:
    """Store the ticket. It is collected at the host where the sign-in began, or at the account's own host if the sign-in began at the
    provider.
    """
    secret = new_secret()
    async with store.tenant(row.tenant_id) as connection:
        await under_way_table.insert_ticket(connection, hash_of(secret), row, arrival.now + TICKET_LASTS)
    place = arrival.request.place if arrival.request is not None else SignInHost.APP_DOMAIN
    return Ticket(f"{await url_at(store, row.tenant_id, place, api_url)}/sso/finish/{secret}")


async def _tested(store: Store, request: SignInRequest, arrival: ReceivedResponse, api_url: str) -> Ticket:
    """Store the result of a test, successful or not, for the Admin who began the test. Signs nobody in and creates no member."""
    tenant_id, problem, person = request.tenant_id, None, None
    try:
        person = await _accepted_by(store, tenant_id, arrival, api_url)
        problem = None if person.may_be_made else person.problem
    except LockstepError as refused:
        problem = refused
    async with store.control() as connection:
        if not await under_way_table.use_once(connection, hash_of(request.id), request.expires_at):
            raise _used()
    async with store.tenant(tenant_id) as connection:
        attempt = await insert_attempt(
            connection, tenant_id, arrival, problem, person.name if person else "", is_test=True
        )
    row = TicketRow(tenant_id, None, request.browser_hash, "", "", None, attempt)
    return await _ticket(store, row, arrival, api_url)


async def _note(store: Store, person: _Person, arrival: ReceivedResponse, problem: LockstepError | None) -> None:
    async with store.tenant(person.tenant_id) as connection:
        await insert_attempt(connection, person.tenant_id, arrival, problem, person.name)


def _no_identity(wanted: str, values: Sequence[str], accepted: AcceptedResponse) -> SamlFault:
    sent = ", ".join(sorted(accepted.attributes)) or "no attributes"
    return replace(
        fault(
            FaultCode.NAME_ID_REFUSED,
            expected=f"one value of {wanted}",
            received=f"{len(values)} values; the assertion has {sent}",
            most=MAX_KEPT_RESPONSE,  # an Admin looks for the right name in this list
        ),
        detail="The assertion does not contain the field that identifies the person",
    )


def _refused_everywhere() -> LockstepError:
    return LockstepError(
        Kind.FORBIDDEN,
        "No account accepts this sign-in",
        next_step="Start at Documo's sign-in page with your email address, or ask your administrator",
    )


def _start_here(detail: str) -> LockstepError:
    return conflict(detail, next_step="Start at Documo's sign-in page with your email address", code=START_HERE)


def _used() -> LockstepError:
    return LockstepError(
        Kind.CONFLICT, "This sign-in was already used", next_step="Sign in again", code="AssertionUsed"
    )
