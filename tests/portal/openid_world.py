"""OpenID Connect applications of every kind, and the requests of applications and browsers, for the tests of what Lockstep refuses."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lockstep.actions import applications, assignments, groups
from lockstep.actions.context import Context
from lockstep.actions.openid_sign_in import answering, leaving, opening, redeeming, telling
from lockstep.actions.openid_sign_in.answering import ResponseToApplication
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.person_sign_in.sessions import PASSWORD, begin_session, caller_of_person
from lockstep.actions.single_sign_on import client_secrets, settings
from lockstep.storage import person_credentials
from lockstep.vault import Vault, VaultKey
from tests.support.admin_centre import Centre
from tests.support.hub import upn

CALLBACK, OTHER, BYE = "https://docs.test/callback", "https://docs.test/other", "https://docs.test/bye"
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HERE = Visitor("a browser", "192.0.2.9")
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
# A claim of the application that has the name of one that Lockstep sets.
DOCS: dict[str, Any] = {
    "redirectUris": [CALLBACK, OTHER], "postLogoutRedirectUris": [BYE],
    "claims": [{"name": "name", "source": "displayName"}, {"name": "nbf", "constant": "1"}],
}  # fmt: skip
DELETED = "delete from sign_in_log; delete from sign_in_attempt; delete from openid_grant; delete from person_session"


@dataclass
class OpenIdWorld:
    """The applications *docs* (confidential), *other* (another one), *page* (public), *off* (switched off), *everybody* (no assignment
    required), *broken* (a claim cannot be evaluated), *files* (SAML) and *plain* (no single sign-on). Anna is assigned to all, through the
    group Writers and directly, Ben to none.
    """

    centre: Centre
    context: Context
    ids: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    other_vault: Vault = field(default_factory=lambda: Vault(VaultKey(b"x" * 32, b"y" * 8)))

    async def clean(self) -> None:
        """Forget attempts and sessions, so that no case depends on another one."""
        async with self.context.recording() as connection:
            for one in DELETED.split(";"):
                await connection.execute(one)

    async def logged(self) -> str:
        """The reason of the newest entry of the sign-in log."""
        found = await self.centre.hub.fetch("select code, person_display from sign_in_log order by seq desc limit 1")
        return str(found)

    def later(self, by: timedelta) -> OpenIdWorld:
        at = self.context.now() + by
        return replace(self, context=replace(self.context, now=lambda: at))

    async def session(self, name: str = "anna", *methods: str, at: datetime = NOW) -> str:
        context = replace(self.context, now=lambda: at)
        async with context.recording() as connection:
            person = await person_credentials.credential_named(connection, upn(name))
            assert person is not None
            begun = await begin_session(context, connection, person.person, methods or (PASSWORD,), HERE, replaces="")
        return begun.secret

    def pairs(self, app: str = "docs", /, **more: str | None) -> list[tuple[str, str]]:
        """A request; None leaves a parameter out."""
        usual: dict[str, str | None] = {
            "client_id": self.ids[app], "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid profile groups",
            "state": "s", "nonce": "n", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
        }  # fmt: skip
        return [(name, value) for name, value in (usual | more).items() if value is not None]

    async def ask(self, secret: str, pairs: Sequence[tuple[str, str]]) -> answering.OpenIdSignInResult:
        caller = await caller_of_person(self.context, secret)
        return await answering.authorize(self.context, pairs, caller, visitor=HERE, origin=self.centre.origin)

    async def resume(self, sealed: str, secret: str, browser: str = "") -> object:
        return await answering.resume(
            self.context,
            sealed,
            await caller_of_person(self.context, secret),
            visitor=HERE,
            origin=self.centre.origin,
            browser=browser,
        )

    async def code(self, app: str = "docs", *methods: str, **more: str | None) -> str:
        answered = await self.ask(await self.session("anna", *methods), self.pairs(app, **more))
        assert isinstance(answered, ResponseToApplication)
        return dict(parse_qsl(urlsplit(answered.url).query))["code"]

    def basic(self, app: str, secret: str = "") -> str:
        return "Basic " + base64.b64encode(f"{self.ids[app]}:{secret or self.secrets[app]}".encode()).decode()

    async def token(self, app: str, form: dict[str, str | None], secret: str = "") -> dict[str, Any]:
        authorization = "" if app == "page" else self.basic(app, secret)
        own = {"client_id": self.ids[app]} if app == "page" else {}
        pairs = [(name, value) for name, value in {**own, **form}.items() if value is not None]
        return await redeeming.redeem(self.context, authorization, pairs, visitor=HERE, origin=self.centre.origin)

    async def redeem(self, code: str, app: str = "docs", secret: str = "", /, **form: str | None) -> dict[str, Any]:
        usual: dict[str, str | None] = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER,
        }  # fmt: skip
        return await self.token(app, {**usual, **form}, secret)

    async def refresh(self, token: str, app: str = "docs", **form: str | None) -> dict[str, Any]:
        return await self.token(app, {"grant_type": "refresh_token", "refresh_token": token, **form})

    async def tokens(self, app: str = "docs", *methods: str, **more: str | None) -> dict[str, Any]:
        asked = {"scope": "openid profile groups offline_access", **more}
        return await self.redeem(await self.code(app, *methods, **asked), app)

    async def user_info(self, token: str) -> dict[str, Any]:
        return await telling.user_info(self.context, token, origin=self.centre.origin)

    async def revoke(self, token: str, app: str = "docs", secret: str = "") -> None:
        await telling.revoke(
            self.context, self.basic(app, secret), [("token", token)], visitor=HERE, origin=self.centre.origin
        )

    async def leave(self, secret: str, **given: str) -> leaving.LogoutAsked:
        return await leaving.logout_asked(
            self.context, list(given.items()), secret, visitor=HERE, origin=self.centre.origin
        )

    async def open(self, secret: str, name: str) -> object:
        return await opening.open_application(self.context, name, secret, visitor=HERE, origin=self.centre.origin)


async def openid_world(centre: Centre) -> OpenIdWorld:
    """Set the applications up, at a time that stands still."""
    world = OpenIdWorld(centre, replace(centre.context, now=lambda: NOW))
    context = world.context
    await groups.create_group(context, "Writers")
    await groups.change_members(context, "Writers", add=[upn("anna")])
    openid: dict[str, Any] = {"redirectUris": [CALLBACK, OTHER], "postLogoutRedirectUris": [BYE]}
    usual: dict[str, Any] = {"mode": "oidc", "openIdConnect": openid, "signOnUrl": "https://docs.test/login"}
    broken = [{"name": "year", "expression": 'FormatDateTime([displayName], , "yyyy", "yyyy")'}]
    in_page = {"redirectUris": [CALLBACK, "https://page.test/"], "publicClient": True}
    kinds: dict[str, dict[str, Any]] = {
        "docs": usual | {"openIdConnect": DOCS},
        "other": usual | {"openIdConnect": {"redirectUris": [CALLBACK, "https://other.test/"], "backChannelLogoutUrl": "http://127.0.0.1:9/out"}},
        "page": usual | {"openIdConnect": in_page, "signOnUrl": None},
        "off": usual | {"enabledForSignIn": False},
        "everybody": usual | {"assignmentRequired": False},
        "broken": usual | {"openIdConnect": openid | {"claims": broken}},
        "files": {"mode": "saml", "identifiers": ["https://files.test"], "replyUrls": ["https://files.test/acs"]},
        "plain": {},
    }  # fmt: skip
    for name, wanted in kinds.items():
        added = await applications.add_application(context, "custom", name=name)
        world.ids[name] = added.id
        await assignments.assign(context, name, users=[upn("anna")], groups=["Writers"], role=None)
        if wanted:
            await settings.change_sign_on(context, name, wanted)
        if wanted.get("mode") == "oidc" and name != "page":
            world.secrets[name] = (await client_secrets.add_client_secret(context, name, "first")).secret
    return world
