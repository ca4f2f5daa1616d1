"""The keys that sign assertions for an application. They are created here, encrypted before they are stored, and decrypted only to sign."""

from __future__ import annotations

import asyncio

from lockstep.actions.context import Context
from lockstep.errors import Kind, LockstepError, invalid
from lockstep.postgres.pool import Connection
from lockstep.saml.certificates import Certificate, SigningKey, certificates_in, new_signing_key
from lockstep.saml.faults import SamlFault
from lockstep.storage import audit_log, signing_certificates
from lockstep.storage.applications import ApplicationRow
from lockstep.vault import Secret

PURPOSE = "SAML signing key"


async def ensure_key(context: Context, connection: Connection, app: ApplicationRow) -> None:
    """Create an active key for *app* if it has no key at all."""
    if not (await signing_certificates.read_certificates(connection, [app.id])).get(app.id):
        await make_key(context, connection, app, is_active=True)


async def make_key(context: Context, connection: Connection, app: ApplicationRow, *, is_active: bool) -> str:
    """Create and store a new key, valid for 3 years from now. Returns the thumbprint of its certificate."""
    # Creating an RSA 3072 key takes up to a second; other requests are served meanwhile.
    key = await asyncio.to_thread(new_signing_key, f"Lockstep signing for {app.display_name}", now=context.now())
    certificate = key.certificate
    sealed = context.vault.seal(
        Secret(key.private_pem), purpose=PURPOSE, name=sealed_name(app.id, certificate.thumbprint)
    )
    await signing_certificates.insert_certificate(
        connection, app.id, thumbprint=certificate.thumbprint, certificate=certificate.pem, private_key=sealed,
        not_before=certificate.not_before, not_after=certificate.not_after, is_active=is_active, actor=context.actor.name,
    )  # fmt: skip
    await audit_log.append(
        connection, actor=context.actor.name, activity="Add signing certificate", target=app.name,
        after={"thumbprint": certificate.thumbprint, "expires": certificate.not_after.isoformat(), "isActive": is_active},
    )  # fmt: skip
    return certificate.thumbprint


async def active_key(context: Context, connection: Connection, app: ApplicationRow) -> SigningKey:
    """Return the active key of *app*, decrypted. Raises LockstepError if there is no active key, or if the vault cannot decrypt it."""
    rows = (await signing_certificates.read_certificates(connection, [app.id])).get(app.id, [])
    envelopes = {
        thumbprint: envelope for _, thumbprint, envelope in await signing_certificates.sealed_keys(connection, app.id)
    }
    for row in rows:
        if row.is_active:
            private = opened_key(context, app, row.thumbprint, envelopes[row.thumbprint])
            [certificate] = certificates_in(row.certificate)
            return SigningKey(certificate, private.reveal())
    raise LockstepError(
        Kind.CONFLICT,
        f"{app.display_name} has no active signing certificate",
        next_step=f"Create one: lockstep sso certs new {app.name} --activate",
        code="NoSigningCertificate",
    )


def opened_key(context: Context, app: ApplicationRow, thumbprint: str, envelope: bytes) -> Secret:
    try:
        return context.vault.open(
            envelope, purpose=PURPOSE, name=sealed_name(app.id, thumbprint), shown=app.display_name
        )
    except LockstepError as unreadable:
        raise LockstepError(
            Kind.FORBIDDEN,
            f"The signing key of {app.display_name} cannot be decrypted",
            why=unreadable.why,
            next_step="Start Lockstep with the previous key (LOCKSTEP_KEY). "
            f"Or create another certificate: lockstep sso certs new {app.name} --activate",
            code=unreadable.code,
        ) from None


def sealed_name(app: str, thumbprint: str) -> str:
    return f"{app} {thumbprint}"


def readable_certificates(text: str) -> list[Certificate]:
    """Return the certificates in *text*; none if *text* is "". Raises LockstepError if *text* cannot be read as certificates."""
    try:
        return certificates_in(text) if text else []
    except SamlFault as unreadable:
        raise invalid(unreadable.detail, why=unreadable.why, next_step=unreadable.next_step) from None
