"""The data with which the portal signs a person in to an application: the settings of the application, its signing key, and the claims of
the person.

The portal calls these actions with its own permissions after it has authenticated the person. Their results decide whether the person may
sign in.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from lockstep.actions.context import Context
from lockstep.actions.lookup import find_application
from lockstep.actions.single_sign_on.address import Endpoints, endpoints_of, stored_address
from lockstep.actions.single_sign_on.claims import AssertionClaims, claims_about, manager_names, require_usable
from lockstep.actions.single_sign_on.keys import active_key
from lockstep.actions.single_sign_on.settings import read_settings, settings_in
from lockstep.configuration.single_sign_on import SignedPart, SignOnMode, SignOnSettings
from lockstep.directory.objects import read_objects_and_roles
from lockstep.engine.moment import Moment
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.conditions import MEMBER_OF
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.errors import conflict, not_found
from lockstep.postgres.pool import Connection, pipeline
from lockstep.saml.certificates import SigningKey
from lockstep.saml.responses import Signing
from lockstep.storage import application_sso, jobs, signing_certificates
from lockstep.storage.applications import ApplicationRow

SIGNINGS = {
    SignedPart.ASSERTION: Signing.ASSERTION,
    SignedPart.RESPONSE: Signing.RESPONSE,
    SignedPart.BOTH: Signing.BOTH,
}


@dataclass(frozen=True, slots=True)
class ApplicationSso:
    """The single sign-on of an application, for the portal. *settings* contains the reply URLs, the claims, the way of signing, and the
    other settings. *certificates* are in PEM form, with the active certificate first.
    """

    app: str
    name: str
    display_name: str
    settings: SignOnSettings
    endpoints: Endpoints
    certificates: tuple[str, ...]

    @property
    def mode(self) -> SignOnMode:
        return self.settings.mode

    @property
    def assignment_required(self) -> bool:
        return self.settings.assignment_required

    def reply_url(self, asked: str = "") -> str:
        """Return the address to which an assertion may be sent: *asked*, the reply URL in the request, or else the default reply URL.

        Raises LockstepError if *asked* is not registered. URLs are compared character by character.
        """
        if not asked:
            return self.settings.reply_urls[0]
        if asked not in self.settings.reply_urls:
            raise conflict(
                f"{self.display_name} asked Lockstep to send the response to an address that is not registered",
                why=f"Expected one of {', '.join(self.settings.reply_urls)}; received {asked[:300]}",
                next_step=f"If the address is correct, add it as a Reply URL: lockstep sso set {self.name} --reply-url URL",
                code="UnknownReplyUrl",
            )
        return asked


async def facts_of(context: Context, app_id: str, *, origin: str = "") -> ApplicationSso:
    """Return the single sign-on settings of the application with this id or name. *origin* is used as the public address of Lockstep
    until one is stored.

    Raises LockstepError for an unknown application.
    """
    async with context.reading() as connection:
        app = await find_application(connection, app_id)
        rows = (await signing_certificates.read_certificates(connection, [app.id])).get(app.id, [])
        return ApplicationSso(
            app.id,
            app.name,
            app.display_name,
            await read_settings(context, connection, app),
            endpoints_of(await stored_address(connection) or origin, app.name),
            tuple(row.certificate for row in rows),
        )


async def signing_key_of(context: Context, app_id: str) -> SigningKey:
    """Return the active key. Raises LockstepError if the application has no active key, or if the key cannot be decrypted."""
    async with context.reading() as connection:
        return await active_key(context, connection, await find_application(connection, app_id))


async def claims_for(context: Context, app_id: str, person_id: str) -> AssertionClaims:
    """Return the claims and the Name ID that an assertion for the application contains about the person. *app_id* and *person_id* are ids.

    Raises LockstepError if the person is unknown, disabled or deleted, or if a claim or the Name ID cannot be evaluated.
    """
    async with context.reading() as connection:
        app = await find_application(connection, app_id)
        found = await read_claims(context, connection, app, person_id)
    require_usable(found, app.name)
    return found


async def read_claims(context: Context, connection: Connection, app: ApplicationRow, person_id: str) -> AssertionClaims:
    """Return the same claims as `claims_for`. If a claim cannot be evaluated, the result has the reason, and no error is raised."""
    row = await application_sso.read_sign_on(connection, app.id)
    settings = await settings_in(context, connection, app, row)
    return await claims_by(
        context, connection, app.id, settings, person_id, salt=row.pairwise_salt if row is not None else b""
    )


async def claims_by(
    context: Context, connection: Connection, app: str, settings: SignOnSettings, person_id: str, *, salt: bytes
) -> AssertionClaims:
    """Return the same claims as `read_claims`, with settings and a salt that the caller has already read. *app* and *person_id* are ids."""
    async with pipeline(connection):  # all queries in one round trip
        job, (objects, roles) = await asyncio.gather(
            jobs.find_job(connection, app),
            read_objects_and_roles(
                connection, app, ObjectKind.USER, [person_id],
                with_groups=MEMBER_OF in settings.attributes(), manager_attributes=manager_names(settings),
            ),
        )  # fmt: skip
    if person_id not in objects:
        raise not_found("Unknown person")
    default_domain = job.config.get("defaultDomain") if job else None
    configuration = JobConfiguration(version=0, roles=roles, default_domain=default_domain)
    moment = Moment(context.now(), secrets.token_bytes(16))
    return claims_about(objects[person_id], settings, configuration, moment=moment, salt=salt)
