"""The signing certificates of an application: add a certificate, make one active, remove an old one, download one.

A new certificate can be entered in the application before Lockstep signs with it, so that a change of certificates interrupts no sign-in.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission
from lockstep.actions.single_sign_on.keys import make_key
from lockstep.actions.single_sign_on.settings import SignOnView, read_view
from lockstep.configuration.document.strict_json import Part
from lockstep.configuration.single_sign_on import SignOnMode, sign_on_from_json
from lockstep.errors import conflict, not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import application_sso, applications, audit_log, signing_certificates
from lockstep.storage.locks import lock_sign_on
from lockstep.storage.signing_certificates import CertificateRow
from lockstep.wording import counted

MOST_CERTIFICATES = 5
REMINDERS = (timedelta(days=60), timedelta(days=30), timedelta(days=7))  # before the active certificate expires


class CertificateForm(StrEnum):
    """The file format in which a certificate is downloaded."""

    BASE64 = "base64"  # PEM
    RAW = "raw"  # DER


@dataclass(frozen=True, slots=True)
class Expiry:
    """The active certificate of *app*, which has expired or expires soon. *is_urgent* is true once the last reminder before the expiry is
    due.
    """

    app: str
    app_name: str
    display_name: str
    thumbprint: str
    not_after: datetime
    is_urgent: bool
    sentence: str
    next_step: str


@needs(Permission.SIGN_ON_WRITE, app="app")
async def add_certificate(context: Context, app: str, *, activates: bool = False) -> SignOnView:
    """Create a new key and certificate, valid for 3 years. With *activates*, Lockstep signs with it at once.

    Raises LockstepError if the application has too many certificates.
    """
    async with context.recording() as connection:
        found = await find_application(connection, app)
        await lock_sign_on(connection, found.id)
        known = (await signing_certificates.read_certificates(connection, [found.id])).get(found.id, [])
        if len(known) >= MOST_CERTIFICATES:
            raise conflict(
                f"{found.display_name} already has {counted(len(known), 'certificate')}, the maximum",
                next_step=f"Remove one that is not active: lockstep sso certs remove {found.name} THUMBPRINT",
            )
        thumbprint = await make_key(context, connection, found, is_active=False)
        if activates or not known:
            await _activate(context, connection, found, thumbprint, [one for one in known if one.is_active])
        return await read_view(context, connection, found)


@needs(Permission.SIGN_ON_WRITE, app="app")
async def activate_certificate(context: Context, app: str, thumbprint: str) -> SignOnView:
    """Let Lockstep sign with this certificate from now on. The application must already know the certificate. *thumbprint* may be
    abbreviated to its beginning.

    Raises LockstepError if the certificate is unknown or has expired.
    """
    async with context.recording() as connection:
        found = await find_application(connection, app)
        await lock_sign_on(connection, found.id)
        known = (await signing_certificates.read_certificates(connection, [found.id])).get(found.id, [])
        wanted = _chosen(known, thumbprint, found.name)
        if wanted.not_after <= context.now():
            raise conflict(
                f"The certificate {wanted.thumbprint} expired on {wanted.not_after:%Y-%m-%d}",
                next_step=f"Create another one: lockstep sso certs new {found.name}",
            )
        if not wanted.is_active:
            await _activate(context, connection, found, wanted.thumbprint, [one for one in known if one.is_active])
        return await read_view(context, connection, found)


@needs(Permission.SIGN_ON_WRITE, app="app")
async def remove_certificate(context: Context, app: str, thumbprint: str) -> SignOnView:
    """Delete a certificate and its private key. Raises LockstepError if it is the active certificate."""
    async with context.recording() as connection:
        found = await find_application(connection, app)
        await lock_sign_on(connection, found.id)
        known = (await signing_certificates.read_certificates(connection, [found.id])).get(found.id, [])
        wanted = certificate_to_remove(known, thumbprint, found.name)
        await signing_certificates.delete_certificate(connection, found.id, wanted.thumbprint)
        await audit_log.append(
            connection, actor=context.actor.name, activity="Remove signing certificate", target=found.name,
            before={"thumbprint": wanted.thumbprint},
        )  # fmt: skip
        return await read_view(context, connection, found)


def certificate_to_remove(known: Sequence[CertificateRow], thumbprint: str, app: str) -> CertificateRow:
    """Return the certificate that `remove_certificate` would delete. Raises the same errors as `remove_certificate`."""
    wanted = _chosen(known, thumbprint, app)
    if wanted.is_active:
        raise conflict(
            "The active certificate cannot be removed, because no one could sign in without it",
            next_step=f"First make another one active: lockstep sso certs activate {app} THUMBPRINT",
        )
    return wanted


@needs(Permission.APPLICATIONS_READ, app="app")
async def download_certificate(
    context: Context, app: str, *, thumbprint: str = "", form: CertificateForm = CertificateForm.BASE64
) -> bytes:
    """Return a certificate without its private key: the one with *thumbprint*, or the active one if *thumbprint* is "". Raises
    LockstepError if there is no such certificate.
    """
    async with context.reading() as connection:
        found = await find_application(connection, app)
        known = (await signing_certificates.read_certificates(connection, [found.id])).get(found.id, [])
    pem = _chosen(known, thumbprint, found.name).certificate
    if form is CertificateForm.BASE64:
        return pem.encode()
    return base64.b64decode("".join(pem.strip().splitlines()[1:-1]))


@needs(Permission.APPLICATIONS_READ, filters=True)
async def expiring_certificates(context: Context) -> list[Expiry]:
    """Return the active certificates of applications with single sign-on that have expired or expire within 60 days, in the order of their
    expiry.
    """
    now = context.now()
    async with context.reading() as connection:
        apps = {
            one.id: one
            for one in await applications.list_applications(connection)
            if context.actor.may(Permission.APPLICATIONS_READ, one.id)
        }
        stored = await application_sso.read_sign_ons(connection, list(apps))
        kept = await signing_certificates.read_certificates(connection, list(stored))
    found = []
    for app, row in stored.items():
        if sign_on_from_json(Part(row.config, "")).mode is not SignOnMode.SAML:
            continue
        for one in kept.get(app, []):
            left = one.not_after - now
            if one.is_active and left <= REMINDERS[0]:
                found.append(_expiry(apps[app], one, left))
    return sorted(found, key=lambda one: one.not_after)


def _expiry(app: applications.ApplicationRow, row: CertificateRow, left: timedelta) -> Expiry:
    is_over = left <= timedelta()
    when = f"expired on {row.not_after:%Y-%m-%d}" if is_over else f"expires in {counted(max(left.days, 1), 'day')}"
    return Expiry(
        app.id,
        app.name,
        app.display_name,
        row.thumbprint,
        row.not_after,
        left <= REMINDERS[-1],
        f"The signing certificate of {app.display_name} {when}"
        + ("; people may be unable to sign in" if is_over else ""),
        f"Create a new one, upload it to the application, then make it active: lockstep sso certs new {app.name}",
    )


async def _activate(
    context: Context, connection: Connection, app: applications.ApplicationRow, thumbprint: str,
    former: list[CertificateRow],
) -> None:  # fmt: skip
    await signing_certificates.activate(connection, app.id, thumbprint)
    await audit_log.append(
        connection, actor=context.actor.name, activity="Make signing certificate active", target=app.name,
        before={"thumbprint": former[0].thumbprint if former else None}, after={"thumbprint": thumbprint},
    )  # fmt: skip


def _chosen(known: Sequence[CertificateRow], thumbprint: str, app: str) -> CertificateRow:
    """Return the certificate whose thumbprint begins with *thumbprint*; the active certificate if *thumbprint* is ""."""
    wanted = thumbprint.strip().replace(":", "").upper()
    found = [one for one in known if (one.thumbprint.startswith(wanted) if wanted else one.is_active)]
    if len(found) == 1:
        return found[0]
    if not known:
        raise not_found(f"{app} has no signing certificate", next_step=f"Create one: lockstep sso certs new {app}")
    raise not_found(
        f'{len(found) or "No"} certificates of {app} begin with "{thumbprint[:40]}"',
        next_step=f"Use one of: {', '.join(one.thumbprint for one in known)}",
    )
