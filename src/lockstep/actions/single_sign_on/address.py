"""The public address of Lockstep, and the addresses that an application is given.

They must not change once applications know them, so they are stored rather than taken from a request. Until an address is stored, the
one at which the pages are served counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.configuration.single_sign_on import check_origin
from lockstep.errors import invalid
from lockstep.openid.discovery import DISCOVERY, discovery_document
from lockstep.postgres.pool import Connection
from lockstep.storage import audit_log, tenant
from lockstep.storage.tenant import TenantRow

SETTING = "publicAddress"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What an application must know of Lockstep. *identifier* is the issuer of its assertions, and the address of the metadata."""

    identifier: str
    login_url: str
    logout_url: str

    @property
    def metadata_url(self) -> str:
        """The *App Federation Metadata URL* (SAML metadata, section 4.1: an entity id may say where its metadata is)."""
        return self.identifier


def endpoints_of(address: str, app: str) -> Endpoints:
    """The endpoints for the application with the name *app*. *address*: origin, without a slash at its end."""
    start = f"{address}/saml2/{app}"
    return Endpoints(f"{start}/metadata", f"{start}/sso", f"{start}/logout")


def openid_endpoints(issuer: str) -> list[tuple[str, str]]:
    """What an application that uses OpenID Connect must know of Lockstep, with Entra's labels."""
    known = discovery_document(issuer)
    return [
        ("OpenID Connect metadata document", issuer + DISCOVERY),
        ("Issuer", issuer),
        ("Authorization endpoint", known["authorization_endpoint"]),
        ("Token endpoint", known["token_endpoint"]),
        ("Userinfo endpoint", known["userinfo_endpoint"]),
        ("Logout endpoint", known["end_session_endpoint"]),
    ]


@needs(Permission.APPLICATIONS_READ, filters=True)
async def show_address(context: Context) -> str:
    """The stored public address; "" if there is none."""
    async with context.reading() as connection:
        return await stored_address(connection)


@needs(Permission.ORGANISATION_WRITE)
async def set_address(context: Context, address: str) -> str:
    """Store the public address, or with "" none. Applications that know the former one must be given the new addresses.

    Raises LockstepError unless it is an origin: scheme and host, without a path.
    """
    text = checked_address(address)
    async with context.recording() as connection:
        row = await tenant.read_tenant(connection)
        before = str(row.settings.get(SETTING, ""))
        settings = {key: value for key, value in row.settings.items() if key != SETTING}
        await tenant.save_tenant(
            connection, TenantRow(row.name, settings | ({SETTING: text} if text else {}), row.labels)
        )
        await audit_log.append(
            connection, actor=context.actor.name, activity="Change public address", target=row.name or tenant.UNNAMED,
            before={"address": before}, after={"address": text},
        )  # fmt: skip
    return text


async def stored_address(connection: Connection) -> str:
    return str((await tenant.read_tenant(connection)).settings.get(SETTING, ""))


def checked_address(address: str) -> str:
    """*address* without a slash at its end. Raises LockstepError unless it is an origin."""
    text = address.strip().rstrip("/")
    if not text:
        return ""
    if wrong := check_origin(text):
        raise invalid(
            f'"{address[:100]}" {wrong}',
            next_step="For example: lockstep sso address https://id.contoso.com",
        )
    return text
