"""SAML applications of every kind, and the messages of applications and browsers, for the tests of what Lockstep refuses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lockstep.actions import applications, assignments
from lockstep.actions.context import Context
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.person_sign_in.sessions import PASSWORD, begin_session, caller_of_person
from lockstep.actions.saml_sign_in import answering, asking, leaving, noting
from lockstep.actions.single_sign_on import settings
from lockstep.saml.bindings import read_redirect, redirect_url
from lockstep.saml.certificates import SigningKey, new_signing_key
from lockstep.saml.identifiers import new_id
from lockstep.saml.logout import LogoutRequest, write_logout_request
from lockstep.saml.requests import AuthnRequest, write_authn_request
from lockstep.storage import person_credentials, person_sessions, session_applications
from lockstep.storage.session_applications import SessionApplication
from lockstep.vault import Vault, VaultKey
from tests.support.admin_centre import Centre
from tests.support.hub import upn

ISSUER, SECOND, REPLY, LOGOUT = (
    "https://docs.test",
    "https://docs.test/2",
    "https://docs.test/assert",
    "https://docs.test/slo",
)
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HERE = Visitor("a browser", "192.0.2.9")
BROWSER = "the secret of a browser"
KEY, STRANGER = (new_signing_key(name, now=NOW - timedelta(days=1)) for name in ("Documo", "Stranger"))
MFA = "https://refeds.org/profile/mfa"


@dataclass
class World:
    """The applications *documo* (two reply URLs), *strict* (wants signatures), *quiet* (no Logout URL, and a Sign on URL), *off* (switched
    off), *everybody* (no assignment required), *broken* (without a value for the Name ID) and *plain* (no single sign-on). Anna is assigned
    to all, Ben to none.
    """

    centre: Centre
    context: Context
    ids: dict[str, str] = field(default_factory=dict)
    other_vault: Vault = field(default_factory=lambda: Vault(VaultKey(b"x" * 32, b"y" * 8)))

    def base(self, app: str) -> str:
        return f"{self.centre.origin}/saml2/{app}"

    def query(
        self, app: str = "documo", *, key: SigningKey | None = None, name: str = "SAMLRequest", **more: Any
    ) -> str:
        request = AuthnRequest(**{**self.usual(app), **more})
        location = redirect_url("x:", message=write_authn_request(request), field=name, key=key)  # type: ignore[arg-type]
        return location.partition("?")[2]

    def query_with_number(self, app: str) -> str:
        """A request that names its reply URL by a number."""
        xml = write_authn_request(AuthnRequest(**self.usual(app) | {"reply_url": ""}))
        numbered = xml.replace(b" Version=", b' AssertionConsumerServiceIndex="1" Version=', 1)
        assert numbered != xml
        return redirect_url("x:", message=numbered, field="SAMLRequest").partition("?")[2]

    def usual(self, app: str) -> dict[str, Any]:
        return {
            "id": "_1",
            "issuer": ISSUER,
            "destination": f"{self.base(app)}/sso",
            "reply_url": REPLY,
            "issued_at": NOW,
        }

    async def ask(self, query: str, app: str = "documo") -> object:
        return await asking.receive_query(self.context, app, query, visitor=HERE, origin=self.centre.origin)

    async def sealed(self, app: str = "documo", browser: str = BROWSER, **more: Any) -> str:
        query = self.query(app, **more)
        received = await asking.receive_query(
            self.context, app, query, visitor=HERE, origin=self.centre.origin, browser=browser
        )
        return received.sealed

    async def open(
        self, sealed: str, app: str = "documo", browser: str = BROWSER, *, after: timedelta = timedelta()
    ) -> object:
        later = replace(self.context, now=lambda: NOW + after)
        facts = await noting.saml_application(later, app, origin=self.centre.origin)
        return asking.opened(later, facts, sealed, browser)

    async def session(self, name: str = "anna", *methods: str, at: datetime = NOW) -> str:
        context = replace(self.context, now=lambda: at)
        async with context.recording() as connection:
            person = await person_credentials.credential_named(connection, upn(name))
            assert person is not None
            begun = await begin_session(context, connection, person.person, methods or (PASSWORD,), HERE, replaces="")
        return begun.secret

    async def end_all(self) -> None:
        """End the sessions of Anna."""
        async with self.context.recording() as connection:
            person = await person_credentials.credential_named(connection, upn("anna"))
            assert person is not None
            await person_sessions.end_sessions(connection, person.person)

    async def used(self, *apps: str) -> str:
        """A session of Anna that has signed in to *apps*, one after the other."""
        secret = await self.session()
        caller = await caller_of_person(self.context, secret)
        assert caller is not None
        async with self.context.recording() as connection:
            for number, app in enumerate(apps):
                row = SessionApplication(caller.session, self.ids[app], f"anna at {app}", "", f"_{secret}")
                await session_applications.note_application(connection, row, NOW + timedelta(seconds=number))
        return secret

    async def answer(self, secret: str, app: str = "documo", **more: Any) -> object:
        sealed = await self.sealed(app, **more)
        return await answering.answer_request(
            self.context, app, sealed, secret, visitor=HERE, origin=self.centre.origin, browser=BROWSER
        )

    async def launch(self, secret: str, app: str) -> object:
        return await answering.launch(self.context, app, secret, visitor=HERE, origin=self.centre.origin)

    async def leave(
        self, app: str = "documo", *, key: SigningKey | None = KEY, name: str = "SAMLRequest", **more: Any
    ) -> object:
        usual = {
            "id": new_id(),
            "issuer": ISSUER,
            "destination": f"{self.base(app)}/logout",
            "issued_at": NOW,
            "name_id": "no one",
        }
        message = write_logout_request(LogoutRequest(**{**usual, **more}))
        query = redirect_url("x:", message=message, field=name, key=key).partition("?")[2]  # type: ignore[arg-type]
        back = await leaving.receive_logout(self.context, app, query, visitor=HERE, origin=self.centre.origin)
        return read_redirect(back.partition("?")[2]).message.partition(b"status:")[2] if back else back

    async def way(self, *apps: str, then: str = "") -> str:
        return await leaving.sign_out_here(self.context, await self.used(*apps), then=then)

    async def stop(self, way: str, *, after: timedelta = timedelta()) -> object:
        later = replace(self.context, now=lambda: NOW + after)
        found = await leaving.next_stop(later, way, origin=self.centre.origin)
        return (found.app, found.url.partition("?")[0]) if found else None


async def saml_world(centre: Centre) -> World:
    """Set the applications up, at a time that stands still."""
    context = replace(centre.context, now=lambda: NOW)
    world = World(centre, context)
    usual = {"mode": "saml", "identifiers": [ISSUER], "replyUrls": [REPLY], "signOnUrl": None, "logoutUrl": LOGOUT}
    keyed = usual | {"requestCertificates": [KEY.certificate.pem]}
    kinds: dict[str, dict[str, Any]] = {
        "documo": keyed | {"replyUrls": [REPLY, f"{REPLY}/2"], "identifiers": [ISSUER, SECOND]},
        "strict": keyed | {"requireSignedRequests": True},
        "quiet": keyed | {"logoutUrl": None, "signOnUrl": f"{ISSUER}/start"},
        "off": keyed | {"enabledForSignIn": False, "signOnUrl": f"{ISSUER}/start"},
        "everybody": keyed | {"assignmentRequired": False},
        "broken": keyed | {"nameId": {"format": "unspecified", "source": "employeeId"}},
        "plain": {},
    }
    for name, wanted in kinds.items():
        added = await applications.add_application(context, "documo", name=name)
        world.ids[name] = added.id
        await assignments.assign(context, name, users=[upn("anna")], role="Editor")
        if wanted:
            await settings.change_sign_on(context, name, wanted)
    return world
