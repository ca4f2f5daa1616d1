"""Every condition that decides which certificate or key signs, which are published, and when one goes, is covered: at least one case ends
differently without it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from lockstep.actions import applications, audit, mail_server
from lockstep.actions.context import Actor, Context
from lockstep.actions.mail_server import MailServerChange
from lockstep.actions.permissions import Permission
from lockstep.actions.saml_sign_in import describing
from lockstep.actions.single_sign_on import (
    certificates,
    client_secrets,
    keys,
    metadata,
    openid_keys,
    reminders,
    settings,
)
from lockstep.actions.single_sign_on.certificates import CertificateForm
from lockstep.saml import certificates as saml_certificates
from lockstep.saml.metadata import SpMetadata, read_idp_metadata, write_sp_metadata
from lockstep.storage.audit_log import AuditFilter
from lockstep.sync import notifying
from lockstep.vault import Vault, VaultKey
from tests.support.hub import Hub
from tests.support.left_out_checks import checks_of, unheld_checks
from tests.support.left_out_conditions import ending_of

pytestmark = pytest.mark.full

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
OTHER_VAULT = Vault(VaultKey(b"x" * 32, b"y" * 8))
SAML: dict[str, Any] = {"mode": "saml", "identifiers": ["x:"], "replyUrls": ["https://docs.test/acs"]}
OPENID: dict[str, Any] = {"mode": "oidc", "openIdConnect": {"redirectUris": ["https://wiki.test/callback"]}}
GENERATED = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@dataclass
class World:
    """The application *docs* has an active certificate and a prepared one, and *files* an active one. *wiki* uses OpenID Connect.

    *plain* has no single sign-on. *names* has a short name for each thumbprint and key id.
    """

    context: Context
    names: dict[str, str]

    @asynccontextmanager
    async def rolled_back(self) -> AsyncIterator[World]:
        """The same world in one transaction, whose changes are rolled back."""
        pool = self.context.pool
        async with pool.connection() as connection, connection.transaction(force_rollback=True):
            yield replace(self, context=replace(self.context, within=connection))

    def at(self, moment: datetime) -> World:
        return replace(self, context=replace(self.context, now=lambda: moment))

    def named(self, name: str) -> str:
        return next(known for known, given in self.names.items() if given == name)

    async def sql(self, text: str) -> None:
        async with self.context.recording() as connection:
            await connection.execute(text.encode())


Case = Callable[[World], Awaitable[object]]


async def shown(world: World, app: str = "docs") -> object:
    """Which certificates the application has, which one signs, and which ones each description publishes."""
    view = await settings.show_sign_on(world.context, app)
    known = [(one.thumbprint, one.is_active) for one in view.certificates]
    return known, await ending_of(signing(world, app)), await ending_of(published(world, app))


async def signing(world: World, app: str) -> str:
    async with world.context.reading() as connection:
        row = (await applications.show_application(world.context, app)).application
        return (await keys.active_key(world.context, connection, row)).certificate.thumbprint


async def published(world: World, app: str) -> object:
    found = []
    for xml in (
        await describing.metadata_of(world.context, app, origin="https://id.test"),
        await metadata.federation_metadata(world.context, app, origin="https://id.test"),
    ):
        said = read_idp_metadata(xml)
        found.append(([one.thumbprint for one in said.certificates], said.want_authn_requests_signed))
    return found


async def certificates_after(world: World, change: Case, app: str = "docs") -> object:
    ended = await ending_of(_done(change(world)))
    return ended, await shown(world, app)


async def _done(work: Awaitable[object]) -> str:
    await work
    return "done"


async def noted(world: World, change: Case) -> object:
    """The newest entry of the audit log after the change."""
    await change(world)
    [entry, *_] = await audit.list_entries(world.context, AuditFilter())
    return entry.activity, entry.before, entry.after


def activate(name: str, app: str = "docs", *, short: int = 99, form: str = "") -> Case:
    return lambda w: certificates.activate_certificate(w.context, app, form or w.named(name)[:short])


def remove(name: str, app: str = "docs", *, form: str = "") -> Case:
    return lambda w: certificates.remove_certificate(w.context, app, form or w.named(name))


async def full(world: World) -> object:
    for number in range(3):
        await world.sql(
            "insert into signing_certificate select app, '"
            + str(number)
            + "', certificate, private_key, not_before, not_after, false,"
            " created_at, created_by from signing_certificate where is_active and app = (select id from application where name = 'docs')"
        )
    return await certificates.add_certificate(world.context, "docs")


async def downloaded(
    world: World, app: str = "docs", name: str = "", form: CertificateForm = CertificateForm.BASE64
) -> object:
    thumbprint = world.named(name) if name else ""
    return await certificates.download_certificate(world.context, app, thumbprint=thumbprint, form=form)


async def expiring(world: World, days: float, *, is_owner: bool = False) -> object:
    """The certificates that expire, so many days before that of *docs* does. An owner may read only *files*."""
    view = await settings.show_sign_on(world.context, "docs")
    end = next(one.not_after for one in view.certificates if one.is_active)
    context = world.at(end - days * DAY).context
    if is_owner:
        files = (await settings.show_sign_on(world.context, "files")).application.id
        own = frozenset({Permission.APPLICATIONS_READ})
        owner = Actor("owner", permissions=frozenset(), own_permissions=own, own_applications=frozenset({files}))
        context = replace(context, actor=owner)
    found = await certificates.expiring_certificates(context)
    return [(one.app_name, one.thumbprint, one.sentence, one.is_urgent) for one in found]


async def noted_without_an_active_one(world: World, change: Case) -> object:
    await world.sql("update signing_certificate set is_active = false")
    return await noted(world, change)


async def federation_metadata(world: World, app: str, actor: Actor | None = None) -> object:
    context = world.context if actor is None else replace(world.context, actor=actor)
    return len(
        read_idp_metadata(await metadata.federation_metadata(context, app, origin="https://id.test")).certificates
    )


async def newest_secret(world: World) -> object:
    """The secret that was just made, though another one seems to be newer."""
    await client_secrets.add_client_secret(world.context, "wiki", "first")
    await world.sql("update client_secret set created_at = created_at + interval '1 day'")
    return (await client_secrets.add_client_secret(world.context, "wiki", "second")).row.description


async def reminded(world: World, *days: float, mails: str = "server and address") -> object:
    """The reminders that are given so many days before the certificate ends, and what is mailed."""
    if "server" in mails:
        await mail_server.set_mail_server(world.context, MailServerChange("mail.test", "l@contoso.test"))
    await settings.change_sign_on(
        world.context, "docs", {"notificationEmail": "it@contoso.test" if "address" in mails else ""}
    )
    view = await settings.show_sign_on(world.context, "docs")
    end = next(one.not_after for one in view.certificates if one.is_active)
    given = []
    for left in days:
        for one in await reminders.remind_of_certificates(world.at(end - left * DAY).context):
            given.append((left, one.days, one.ending.app_name))
    async with world.context.reading() as connection:
        cursor = await connection.execute("select recipient, subject from outgoing_mail order by written_at, recipient")
        return given, await cursor.fetchall()


async def ended_provision_of_certificates(world: World) -> object:
    await settings.change_sign_on(world.context, "docs", {"mode": "disabled"})
    return await expiring(world, 20)


async def unreadable(world: World) -> object:
    return await shown(replace(world, context=replace(world.context, vault=OTHER_VAULT)))


async def openid(
    world: World, *, after: timedelta = timedelta(), is_compromised: bool = False, times: int = 1
) -> object:
    """The keys of OpenID Connect after they are rolled so many times, which one signs, and which are published."""
    ended = []
    for number in range(times):
        now = world.at(NOW + after * (number + 1))
        rolling = openid_keys.roll_openid_keys(now.context, is_compromised=is_compromised)
        ended.append(await ending_of(_done(rolling)))
    return ended, await openid_shown(world)


async def openid_shown(world: World) -> object:
    listed = await openid_keys.list_openid_keys(world.context)
    states = [(one.kid, one.state, one.published_at, one.retired_at) for one in listed]
    kids = [one["kid"] for one in await openid_keys.published_keys(world.context)]
    return states, kids, await ending_of(_kid(world))


async def _kid(world: World) -> str:
    return (await openid_keys.signing_key(world.context)).kid


async def without_keys(world: World, states: str, *, rolls: bool = False) -> object:
    """Some keys are gone, as before the first application uses OpenID Connect."""
    await world.sql(f"delete from openid_key where state in ({states})")
    if rolls:
        return await openid(world, after=timedelta(hours=2))
    before = await openid_shown(world)
    async with world.context.recording() as connection:
        await openid_keys.ensure_openid_keys(world.context, connection)
    return before, await openid_shown(world)


async def saml_again(world: World) -> object:
    """Turning SAML on again keeps the certificates."""
    await settings.change_sign_on(world.context, "docs", {"mode": "disabled"})
    await settings.change_sign_on(world.context, "docs", {"mode": "saml"})
    return await shown(world)


async def taken_metadata(world: World, *, days: int | None = None, xml: bytes = b"") -> object:
    said = SpMetadata("urn:docs", ["https://docs.test/acs2"], valid_until=None if days is None else NOW + days * DAY)
    view = await metadata.upload_metadata(world.context, "docs", xml or write_sp_metadata(said))
    return view.settings.identifiers, view.settings.reply_urls


async def secrets(
    world: World, app: str = "wiki", times: int = 1, description: str = "", days: int = 30, *, removes: str = ""
) -> object:
    for _ in range(times):
        made = await client_secrets.add_client_secret(world.context, app, description, days=days)
    if removes:
        await client_secrets.remove_client_secret(
            world.context, app, made.row.id[:8] if removes == "short" else removes.strip()
        )
    return [(one.description, one.expires_at) for one in await client_secrets.list_client_secrets(world.context, app)]


CASES: dict[str, Case] = {
    **{f"shown {app}": partial(shown, app=app) for app in ("docs", "files", "wiki", "plain", "nothing")},
    "unreadable": unreadable,
    "SAML again": saml_again,
    "added": lambda w: certificates_after(w, lambda w: certificates.add_certificate(w.context, "files"), "files"),
    "added and activated": lambda w: certificates_after(
        w, lambda w: certificates.add_certificate(w.context, "files", activates=True), "files"
    ),
    "first added": lambda w: certificates_after(w, lambda w: certificates.add_certificate(w.context, "plain"), "plain"),
    "full": lambda w: certificates_after(w, full),
    **{f"activated {number}": partial(certificates_after, change=change) for number, change in enumerate((
        activate("prepared"), activate("prepared", short=10), activate("active"), activate("", form="00:11"), activate("", form=" "),
        activate("files active"),
    ))},
    "activated, noted": lambda w: noted(w, activate("prepared")),
    "activated in lower case": lambda w: certificates_after(w, activate("", form=w.named("prepared").lower())),
    "activated again, noted": lambda w: noted(w, activate("active")),
    "activated, first": lambda w: noted(w, lambda w: certificates.add_certificate(w.context, "plain")),
    "activated after it expired": lambda w: certificates_after(w.at(NOW + 4 * 366 * DAY), activate("prepared")),
    "activated with a beginning of two": lambda w: _beginning_of_two(w),
    **{f"removed {number}": partial(certificates_after, change=change) for number, change in enumerate((
        remove("prepared"), remove("active"), remove("", form="FFFF"), remove("files active"),
    ))},
    "removed where there is none": lambda w: certificates_after(w, remove("active", "plain"), "plain"),
    **{f"downloaded {name or 'the active one'} as {form}": partial(downloaded, name=name, form=form)
       for name in ("", "prepared") for form in CertificateForm},
    "downloaded from an application without one": lambda w: downloaded(w, "plain"),
    **{f"expiring in {days}": partial(expiring, days=days) for days in (61, 60, 30, 7, 6.5, 0.5, 0, -1)},
    "expiring, seen by an owner": lambda w: expiring(w, 20, is_owner=True),
    **{f"federation metadata of {app}": partial(federation_metadata, app=app) for app in ("docs", "wiki", "plain")},
    **{f"federation metadata of {app} for strangers": partial(federation_metadata, app=app, actor=Actor("", frozenset()))
       for app in ("docs", "wiki", "none")},
    "newest secret": newest_secret,
    "activated without an active one": lambda w: noted_without_an_active_one(w, activate("prepared")),
    "added without an active one": lambda w: noted_without_an_active_one(
        w, lambda w: certificates.add_certificate(w.context, "docs", activates=True)
    ),
    "expiring after SAML": ended_provision_of_certificates,
    "reminded": lambda w: reminded(w, 61, 60, 59, 31, 30, 29, 8, 7, 6, -1),
    "reminded late": lambda w: reminded(w, 5, 4),
    **{f"reminded with {mails}": partial(reminded, mails=mails) for mails in ("server", "address", "nothing")},
    "OpenID Connect": openid_shown,
    "rolled": lambda w: openid(w, after=timedelta(hours=2)),
    "rolled at once": lambda w: openid(w, after=timedelta(minutes=59)),
    "rolled after an hour": lambda w: openid(w, after=timedelta(hours=1)),
    "rolled at once, compromised": lambda w: openid(w, is_compromised=True),
    "rolled twice": lambda w: openid(w, after=timedelta(hours=2), times=2),
    "rolled each third day": lambda w: openid(w, after=3 * DAY, times=3),
    **{f"without keys that are {states}, {rolls}": partial(without_keys, states=states, rolls=rolls)
       for states in ("'active'", "'next'", "'active', 'next'") for rolls in (True, False)},
    "metadata": taken_metadata,
    "metadata that expired": lambda w: taken_metadata(w, days=0),
    "metadata that lasts": lambda w: taken_metadata(w, days=1),
    "no metadata": lambda w: taken_metadata(w, xml=b"<x/>"),
    "secret": secrets,
    "secrets": lambda w: secrets(w, times=5),
    "too many secrets": lambda w: secrets(w, times=6),
    **{f"secret for {days} days": partial(secrets, days=days) for days in (0, 1, 730, 731)},
    **{f"secret called {text[:9]!r}": partial(secrets, description=text) for text in ("x" * 100, "x" * 101, "a\x01")},
    **{f"secret of {app}": partial(secrets, app=app) for app in ("docs", "plain")},
    "secret of a public client": lambda w: _public(w),
    "secret removed": lambda w: secrets(w, removes="short"),
    "unknown secret removed": lambda w: secrets(w, removes="zzzz"),
    "no secret removed": lambda w: secrets(w, removes=" "),
    "certificates in nothing": lambda w: _in(""),
    "certificates in nonsense": lambda w: _in("nonsense"),
}  # fmt: skip


async def _in(text: str) -> object:
    return keys.readable_certificates(text)


async def _public(world: World) -> object:
    section = OPENID["openIdConnect"] | {"publicClient": True}
    await settings.change_sign_on(world.context, "wiki", {"openIdConnect": section})
    return await secrets(world)


async def _beginning_of_two(world: World) -> object:
    await world.sql("update signing_certificate set thumbprint = 'AB' || thumbprint")
    return await ending_of(certificates.activate_certificate(world.context, "docs", "AB"))


CHECKS = [
    *(
        one
        for module in (certificates, keys, openid_keys, reminders, describing, client_secrets)
        for one in checks_of(module, parts=True)
    ),
    *checks_of(metadata, "federation_metadata", "upload_metadata", parts=True),
    *checks_of(notifying, "report_certificate", parts=True),
]
IMPLIED: list[tuple[str, str]] = []


async def outcome(case: Case, world: World) -> str:
    """How *case* ends. Its changes are rolled back."""
    async with world.rolled_back() as here:
        text = await ending_of(case(here))
    for known, name in world.names.items():
        text = text.replace(known, name)
    text = re.sub(r"\b[0-9A-F]{40,64}\b|'kid': '[^']+'|\('[A-Za-z0-9_-]{43}'|'[A-Za-z0-9_-]{43}'", "NEW", text)
    return re.sub(r"\b[A-Za-z0-9_-]{43}\b", "NEW", GENERATED.sub("ID", text))


@pytest.fixture
async def world(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> World:
    for module in (saml_certificates, openid_keys):
        monkeypatch.setattr(module, "KEY_BITS", 2048)  # making larger keys takes most of the time
    context = replace(hub.context, now=lambda: NOW)
    for name, wanted in {"docs": SAML, "files": SAML, "wiki": OPENID, "plain": None}.items():
        await applications.add_application(context, "custom", name=name)
        if wanted:
            await settings.change_sign_on(context, name, wanted)
    await certificates.add_certificate(context, "docs")
    names = {}
    for app in ("docs", "files"):
        for one in (await settings.show_sign_on(context, app)).certificates:
            names[one.thumbprint] = f"{'files ' * (app == 'files')}{'active' if one.is_active else 'prepared'}"
    names |= {one.kid: f"{one.state} key" for one in await openid_keys.list_openid_keys(context)}
    return World(context, names)


async def test_no_condition_of_the_keys_that_sign_can_be_left_out(world: World) -> None:
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}

    assert len(CHECKS) >= 35
    assert await unheld_checks(bound, CHECKS, IMPLIED) == ""
