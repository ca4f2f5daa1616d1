"""Write the account's list of sign-ins: the result of each, with what was expected and received."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from documo.access.sso.providers import find_provider
from documo.access.sso.requests import SignInRequest
from documo.store import single_sign_on as table
from documo.store.database import Store
from lockstep.errors import LockstepError
from lockstep.postgres.pool import Connection
from lockstep.saml.accepting import is_genuine
from lockstep.saml.faults import SamlFault
from lockstep.saml.signatures import Legacy
from lockstep.saml.xml import MAX_BYTES

MAX_KEPT_RESPONSE = (
    MAX_BYTES  # characters that are stored of the response to a test: every response that can be accepted
)


@dataclass(frozen=True, slots=True)
class ReceivedResponse:
    """A response, with the facts that are known before it is accepted."""

    xml: bytes
    request: SignInRequest | None
    number: str
    address: str
    now: datetime


async def note_refusal(store: Store, tenant_id: int, wrong: SamlFault, arrival: ReceivedResponse) -> None:
    """Record a refused response. Responses that the provider did not sign have a separate limit, so that they cannot displace the
    others.
    """
    provider = await find_provider(store, tenant_id)
    legacy = Legacy(sha1=provider.row.allows_sha1) if provider is not None else Legacy()
    genuine = provider is not None and is_genuine(arrival.xml, provider.certificates, legacy)
    async with store.tenant(tenant_id) as connection:
        await insert_attempt(connection, tenant_id, arrival, wrong, "", genuine=genuine)


async def insert_attempt(
    connection: Connection,
    tenant_id: int,
    arrival: ReceivedResponse,
    problem: LockstepError | None,
    person: str,
    *,
    is_test: bool = False,
    genuine: bool = True,
) -> str:
    """Record the result of a sign-in, in the tenant's transaction. Returns the id of the entry."""
    wrong = problem if isinstance(problem, SamlFault) else None
    return await table.note_attempt(
        connection,
        tenant_id,
        at=arrival.now,
        number=arrival.number,
        result="" if problem is None else problem.code or problem.kind.value,
        detail="" if problem is None else problem.detail,
        expected=wrong.expected if wrong else "",
        received=wrong.received if wrong else "",
        person=person.replace("\0", "\ufffd")[:200],
        is_test=is_test,
        response=arrival.xml.decode("utf-8", "replace")[:MAX_KEPT_RESPONSE] if is_test else "",
        address=arrival.address,
        is_genuine=genuine,
    )
