"""The public address of Lockstep, and the addresses that an administrator enters in an application.

These addresses must not change after an administrator has entered them in an application. They are therefore built from a stored address
and not from the address of a request. Until a public address is stored, the address at which the pages are served is used.
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
    """The addresses of Lockstep that an application must know. *identifier* is the issuer of assertions, and also the address of the
    metadata.
    """

    identifier: str
    login_url: str
    logout_url: str

    @property
    def metadata_url(self) -> str:
        """Return the *App Federation Metadata URL*. It is the same as the identifier (SAML metadata, section 4.1: an entity id may be the
        address of its metadata).
        """
        return self.identifier


def endpoints_of(address: str, app: str) -> Endpoints:
    """Return the endpoints for the application called *app*. *address* is the public origin of Lockstep, without a slash at its end."""
    start = f"{address}/saml2/{app}"
    return Endpoints(f"{start}/metadata", f"{start}/sso", f"{start}/logout")


def openid_endpoints(issuer: str) -> list[tuple[str, str]]:
    """Return the addresses of Lockstep that an application with OpenID Connect must know, with Entra's labels."""
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
    """Return the stored public address; "" if none is stored."""
    async with context.reading() as connection:
        return await stored_address(connection)


@needs(Permission.ORGANISATION_WRITE)
async def set_address(context: Context, address: str) -> str:
    """Store the public address; "" removes it. The addresses for single sign-on then change, so an administrator must enter
    them again in every application.

    Raises LockstepError unless *address* is an origin: a scheme and a host, without a path.
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
    """Return *address* without a slash at its end. Raises LockstepError unless it is an origin."""
    text = address.strip().rstrip("/")
    if not text:
        return ""
    if wrong := check_origin(text):
        raise invalid(
            f'"{address[:100]}" {wrong}',
            next_step="For example: lockstep sso address https://id.contoso.com",
        )
    return text
