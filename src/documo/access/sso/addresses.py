"""The names by which an identity provider knows an account of Documo."""

from __future__ import annotations

from dataclasses import dataclass

from documo.access.sso.requests import SignInHost
from documo.domains import API, APP, list_domains, url_of
from documo.store.database import Store

REPLY_PATH = "/assert"
LOGOUT_PATH = "/saml/logout"
METADATA_PATH = "/saml/metadata"
SIGN_ON_PATH = "/sso"


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """The address of an account. *base* is the public URL or the account's custom API domain, without a trailing slash; *base* is also the
    entity ID.
    """

    base: str

    @property
    def entity_id(self) -> str:
        return self.base

    @property
    def reply_url(self) -> str:
        return self.base + REPLY_PATH

    @property
    def logout_url(self) -> str:
        return self.base + LOGOUT_PATH

    @property
    def sign_on_url(self) -> str:
        return self.base + SIGN_ON_PATH


async def service_address(store: Store, tenant_id: int, api_url: str) -> ServiceAddress:
    """Return the address of the account: its first verified API domain, with the scheme and port of *api_url*. If the account has no such
    domain, the address is *api_url* itself.
    """
    found = await list_domains(store, tenant_id)
    host = next((one.host for one in found if one.verified and one.kind == API), None)
    return ServiceAddress(api_url if host is None else url_of(host, api_url))


async def place_of(store: Store, tenant_id: int, host: str) -> SignInHost:
    """Return which of the account's hosts received a request. *host* is the request's Host header. The result is PUBLIC for every host that
    is not a verified API or app domain of the account.
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    for one in await list_domains(store, tenant_id):
        if one.verified and one.host == name.lower() and one.kind in (API, APP):
            return SignInHost.API_DOMAIN if one.kind == API else SignInHost.APP_DOMAIN
    return SignInHost.PUBLIC


async def url_at(store: Store, tenant_id: int, place: SignInHost, public_url: str) -> str:
    """Return the address of the account's pages at *place*. If the account no longer has a domain for *place*, return the public URL."""
    kind = {SignInHost.API_DOMAIN: API, SignInHost.APP_DOMAIN: APP}.get(place)
    found = await list_domains(store, tenant_id) if kind else []
    host = next((one.host for one in found if one.verified and one.kind == kind), None)
    return public_url if host is None else url_of(host, public_url)
