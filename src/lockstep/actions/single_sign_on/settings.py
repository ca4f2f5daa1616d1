"""The single sign-on settings of an application: read them, and change them with the keys of a configuration file.

A change is read, checked as a whole, and stored in one transaction. Turning SAML on creates a signing certificate if there is none.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.email_addresses import checked_email
from lockstep.actions.lookup import find_application
from lockstep.actions.mappings import SOURCE_NAMES, refuse_unknown
from lockstep.actions.permissions import Permission
from lockstep.actions.single_sign_on.address import Endpoints, endpoints_of, stored_address
from lockstep.actions.single_sign_on.keys import ensure_key, readable_certificates
from lockstep.actions.single_sign_on.openid_keys import ensure_openid_keys
from lockstep.configuration.document.mapping_json import SOURCES, with_changes
from lockstep.configuration.document.strict_json import Json, Part
from lockstep.configuration.findings import Finding
from lockstep.configuration.single_sign_on import (
    NameIdKind,
    SignOnMode,
    SignOnSettings,
    sign_on_from_json,
    sign_on_to_json,
)
from lockstep.configuration.source_names import is_known, unknown_in_expression, unknown_source_name
from lockstep.configuration.template import Template
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.mappings import Direct, Expression, MappingSource
from lockstep.errors import conflict, invalid, not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import application_sso, audit_log, credentials, signing_certificates
from lockstep.storage.application_sso import SignOnRow
from lockstep.storage.applications import ApplicationRow
from lockstep.storage.locks import lock_sign_on
from lockstep.storage.mail_server import has_server
from lockstep.storage.signing_certificates import CertificateRow

OFFERED_MODES = (SignOnMode.DISABLED, SignOnMode.SAML, SignOnMode.OIDC)
PLACE = "singleSignOn"


@dataclass(frozen=True, slots=True)
class SignOnView:
    """The single sign-on of an application. *issuer* is Lockstep's name in OpenID Connect. In *certificates*, the active one comes first.
    *changed_at* is None while the gallery's defaults apply.
    """

    application: ApplicationRow
    settings: SignOnSettings
    endpoints: Endpoints
    issuer: str
    certificates: tuple[CertificateRow, ...]
    has_address: bool
    changed_at: datetime | None
    changed_by: str
    mail_is_sent: bool = False  # a mail server is set up

    @property
    def version(self) -> str:
        """Return a string that changes with every change of the settings. A form sends the string back, so that it does not overwrite a
        change of another administrator.
        """
        return _version(self.changed_at)


def _version(changed_at: datetime | None) -> str:
    return changed_at.isoformat() if changed_at is not None else "defaults"


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_sign_on(context: Context, app: str, *, origin: str = "") -> SignOnView:
    """Return the single sign-on settings of the application. *origin* is the address at which the caller reached Lockstep; it is used until
    a public address is stored.
    """
    async with context.reading() as connection:
        return await read_view(context, connection, await find_application(connection, app), origin=origin)


@needs(Permission.SIGN_ON_WRITE, app="app")
async def change_sign_on(
    context: Context, app: str, changes: Mapping[str, Any], *, replaces: bool = False, seen: str = ""
) -> SignOnView:
    """Change the given keys of the section `singleSignOn`; the value None resets a key to its default. With *replaces*, keys that are not
    given are reset too.

    *seen* is the version that the caller has read; "" skips the check for changes since then. Raises LockstepError and changes nothing if a
    value is wrong, or if somebody has changed the settings since *seen*. For a wrong value, the error names its place.
    """

    return await _edit(context, app, lambda config: _merged({} if replaces else config, changes), seen)


@needs(Permission.SIGN_ON_WRITE, app="app")
async def set_claim(
    context: Context, app: str, name: str, changes: Mapping[str, Any] | None, *, seen: str = ""
) -> SignOnView:
    """Add or change the claim *name* of the selected method. *changes* has one of the keys source, expression and constant. The key `name`
    renames the claim. If *changes* is None, remove the claim.

    For *seen*, see `change_sign_on`.
    """

    def change(config: Json) -> Json:
        section = config.get("openIdConnect", {}) if config["mode"] == SignOnMode.OIDC else config
        claims = list(section.get("claims", ()))
        known = next((index for index, one in enumerate(claims) if one["name"] == name), None)
        if changes is None:
            if known is None:
                raise not_found(f'{app} has no claim "{name[:100]}"', next_step=f"See: lockstep sso show {app}")
            del claims[known]
        elif known is None:
            claims.append(with_changes({"name": name}, changes))
        else:
            claims[known] = with_changes(claims[known], changes)
        changed = {**section, "claims": claims}
        return changed if section is config else {**config, "openIdConnect": changed}

    return await _edit(context, app, change, seen)


async def read_view(context: Context, connection: Connection, app: ApplicationRow, *, origin: str = "") -> SignOnView:
    row = await application_sso.read_sign_on(connection, app.id)
    stored = await stored_address(connection)
    kept = await signing_certificates.read_certificates(connection, [app.id])
    return SignOnView(
        application=app,
        settings=await read_settings(context, connection, app),
        endpoints=endpoints_of(stored or origin, app.name),
        issuer=stored or origin,
        certificates=tuple(kept.get(app.id, ())),
        has_address=bool(stored),
        changed_at=row.changed_at if row else None,
        changed_by=row.changed_by if row else "",
        mail_is_sent=await has_server(connection),
    )


async def read_settings(context: Context, connection: Connection, app: ApplicationRow) -> SignOnSettings:
    """Return the stored settings. If none are stored, return those of the gallery entry, adapted to the address of this application."""
    return await settings_in(context, connection, app, await application_sso.read_sign_on(connection, app.id))


async def settings_in(
    context: Context, connection: Connection, app: ApplicationRow, row: SignOnRow | None
) -> SignOnSettings:
    """Return the settings that *row* contains. If *row* is None, return those of the gallery entry, adapted to the address of this
    application. If the gallery no longer has the entry, return settings without any values.
    """
    if row is not None:
        return sign_on_from_json(Part(row.config, PLACE))
    if app.template not in context.gallery.names():
        return SignOnSettings()
    credential = await credentials.read_credential(connection, app.id)
    return usual_settings(context.gallery.template(app.template), credential.tenant_url if credential else "")


def usual_settings(template: Template, tenant_url: str) -> SignOnSettings:
    """Return the single sign-on settings of the gallery. If the tenant URL has another origin than in the gallery, identifiers, reply URLs
    and the Logout URL at the gallery's origin move to the origin of the tenant URL.

    The Sign on URL usually has a host of its own, which cannot be derived from the tenant URL, so it stays unchanged. It moves only if the
    host in the tenant URL is an IP address or localhost, as in the demo.
    """
    usual, own = _origin(template.tenant_url.default), _origin(tenant_url)
    if not usual or not own or own == usual:
        return template.sign_on

    def moved(address: str) -> str:
        return own + address.removeprefix(usual) if address.startswith(usual) else address

    return replace(
        template.sign_on,
        identifiers=tuple(moved(one) for one in template.sign_on.identifiers),
        reply_urls=tuple(moved(one) for one in template.sign_on.reply_urls),
        logout_url=moved(template.sign_on.logout_url),
        sign_on_url=_at(own, template.sign_on.sign_on_url) if _has_no_name(own) else template.sign_on.sign_on_url,
    )


def _at(origin: str, url: str) -> str:
    return origin + urlsplit(url).path if url else ""


def _has_no_name(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    try:
        return bool(ip_address(host))
    except ValueError:
        return host == "localhost"


async def _edit(context: Context, app: str, change: Callable[[Json], Json], seen: str) -> SignOnView:
    async with context.recording() as connection:
        found = await find_application(connection, app)
        await lock_sign_on(connection, found.id)
        await _refuse_change_since(connection, found, seen)
        before = await read_settings(context, connection, found)
        known = sign_on_to_json(before)
        after = checked_settings(change(dict(known)), before)
        await application_sso.save_sign_on(
            connection, found.id, sign_on_to_json(after), salt=secrets.token_bytes(32), actor=context.actor.name
        )
        if after.mode is SignOnMode.SAML:
            await ensure_key(context, connection, found)
        if after.mode is SignOnMode.OIDC:
            await ensure_openid_keys(context, connection)
        await audit_log.append(
            connection, actor=context.actor.name, activity="Update single sign-on", target=found.name,
            before=known, after=sign_on_to_json(after),
        )  # fmt: skip
        return await read_view(context, connection, found)


async def _refuse_change_since(connection: Connection, app: ApplicationRow, seen: str) -> None:
    row = await application_sso.read_sign_on(connection, app.id)
    if seen and row is not None and seen != _version(row.changed_at):
        raise conflict(
            f"{row.changed_by} changed single sign-on of {app.display_name} in the meantime",
            why=f"This change was made at {row.changed_at:%Y-%m-%d %H:%M} UTC, after you opened the settings. Your changes are not saved",
            next_step="Review the current settings. To replace them, save again",
            code="ChangedInTheMeantime",
        )


def changed_settings(before: SignOnSettings, changes: Mapping[str, Any]) -> SignOnSettings:
    """Return *before* with *changes*, as `change_sign_on` would store it. Raises LockstepError for invalid values."""
    return checked_settings(_merged(sign_on_to_json(before), changes), before)


def _merged(config: Json, changes: Mapping[str, Any]) -> Json:
    found = {key: value for key, value in {**config, **changes}.items() if value is not None}
    if isinstance(changes.get("nameId"), dict) and "nameId" in config:
        found["nameId"] = _merged_name_id(config["nameId"], changes["nameId"])
    return found


def _merged_name_id(before: Json, changes: Json) -> Json:
    """Return *before* with *changes*. The format and the source of the Name ID are kept if *changes* does not contain them. The source is
    dropped if Lockstep itself generates Name IDs of the new format.
    """
    found = with_changes(before, changes)
    if found.get("format") in [kind.value for kind in NameIdKind if kind.is_generated]:
        return {key: value for key, value in found.items() if key not in SOURCES or key in changes}
    return found


def checked_settings(config: Json, before: SignOnSettings) -> SignOnSettings:
    """Return the settings that *config* describes. Unknown source attributes are accepted only if *before* used them already. Raises
    LockstepError for any mistake.
    """
    settings = sign_on_from_json(Part(config, PLACE))
    if settings.mode not in OFFERED_MODES:
        raise invalid(f'The method "{settings.mode}" is not available', next_step=f"One of: {', '.join(OFFERED_MODES)}")
    checked_email(settings.notification_email)
    for text in (settings.encryption_certificate, *settings.request_certificates):
        readable_certificates(text)
    known = set(_unknown_names(before))
    refuse_unknown(found for found in _unknown_names(settings) if found not in known)
    return settings


def _unknown_names(settings: SignOnSettings) -> list[Finding]:
    found = _unknown_in(settings.name_id, f"{PLACE}.nameId")
    for claim in settings.claims:
        found += _unknown_in(claim.source, f"{PLACE}.claims[{claim.name}]")
    for claim in settings.openid.claims:
        found += _unknown_in(claim.source, f"{PLACE}.openIdConnect.claims[{claim.name}]")
    return found


def _unknown_in(source: MappingSource, place: str) -> list[Finding]:
    known = SOURCE_NAMES[ObjectKind.USER]
    match source:
        case Direct(attribute) if not is_known(attribute, known):
            return [Finding("error", place, unknown_source_name(attribute, known))]
        case Expression(compiled):
            return list(unknown_in_expression(compiled.text, place, known))
    return []


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""
