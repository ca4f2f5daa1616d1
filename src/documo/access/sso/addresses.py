"""The names by which an identity provider knows an account of Documo."""

from __future__ import annotations

from dataclasses import dataclass

from documo.domains import API, list_domains, url_of
from documo.store.database import Store

REPLY_PATH = "/assert"
LOGOUT_PATH = "/saml/logout"
METADATA_PATH = "/saml/metadata"
SIGN_ON_PATH = "/sso"


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """*base* is the public URL or the account's custom API domain, without a slash at its end, and the entity ID."""

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
    """The address of the account: its first verified API domain, with the scheme and port of *api_url*, or *api_url* itself."""
    found = await list_domains(store, tenant_id)
    host = next((one.host for one in found if one.verified and one.kind == API), None)
    return ServiceAddress(api_url if host is None else url_of(host, api_url))
