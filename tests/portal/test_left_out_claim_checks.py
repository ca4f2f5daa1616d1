"""Every condition that decides what an assertion or an ID token says about a person, and to whom that is shown, is covered: at least one
case ends differently without it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from lockstep.actions import people
from lockstep.actions.permissions import Permission
from lockstep.actions.person_sign_in.outcomes import SignInCode, note_application_sign_in
from lockstep.actions.person_sign_in.sessions import caller_of_person
from lockstep.actions.single_sign_on import claims, issuing, openid_trial, settings, trial_messages, trying
from lockstep.configuration import sign_on_parts, single_sign_on
from lockstep.configuration.document.strict_json import Part
from lockstep.configuration.single_sign_on import sign_on_from_json, sign_on_to_json
from lockstep.engine.moment import Moment
from lockstep.engine.records import DEFAULT_ACCESS, AppRole, Assignment, Lifecycle, ObjectKind, SourceObject
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.storage import openid_grants
from tests.portal.assigned_world import HERE, NOW, OPENID, ORIGIN, SAML, World, assigned_world
from tests.support.hub import Hub, upn
from tests.support.left_out_checks import checks_of, unheld_checks
from tests.support.left_out_conditions import ending_of

pytestmark = pytest.mark.full

Case = Callable[[World], Awaitable[object]]
GENERATED = re.compile(r"_[0-9a-f]{16,}|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}|<ds:DigestValue>[^<]*|\d\d:\d\d UTC")
ADMIN, READER = AppRole("r1", "Admin", "Admin"), AppRole("r2", "Reader", "Reader")
ANNA = SourceObject(
    ObjectKind.USER, "anna", "anna@contoso.test",
    {"userPrincipalName": "anna@contoso.test", "mail": "anna@mail.test", "two": ("a", "", "b", "a"), "bad": "a\x01b", "empty": ""},
    assignments=(Assignment("r2", "g1", "Writers"), Assignment("r1"), Assignment(DEFAULT_ACCESS)),
)  # fmt: skip
BROKEN = 'FormatDateTime([displayName], , "yyyy", "yyyy")'


async def told(_: World, *sources: dict[str, str], of: SourceObject = ANNA, **more: Any) -> object:
    """What an application with these claims is told about Anna."""
    named = [{"name": f"claim {number}", **source} for number, source in enumerate(sources)]
    section = (
        {"openIdConnect": OPENID["openIdConnect"] | {"claims": named}}
        if more.get("mode") == "oidc"
        else {"claims": named}
    )
    known = sign_on_from_json(Part({**SAML, **section, **more}, "singleSignOn"))
    configuration = JobConfiguration(version=0, roles=(ADMIN, READER), default_domain="contoso.test")
    found = claims.claims_about(of, known, configuration, moment=Moment(NOW, b"0" * 16), salt=b"salt")
    return found, await ending_of(usable(found))


async def usable(found: claims.AssertionClaims) -> None:
    claims.require_usable(found, "docs")


async def read(_: World, **changed: Any) -> object:
    """The settings, as they are stored."""
    return sign_on_to_json(sign_on_from_json(Part({**SAML, **changed}, "singleSignOn")))


async def changed(world: World, app: str = "files", /, seen: str = "", **changes: Any) -> object:
    view = await settings.change_sign_on(world.context, app, changes, seen=seen)
    return sign_on_to_json(view.settings), len(view.certificates)


async def claim(world: World, name: str, source: dict[str, Any] | None, app: str = "files") -> object:
    view = await settings.set_claim(world.context, app, name, source)
    return [(one.name, trying.source_text(one.source)) for one in view.settings.sent_claims]


async def with_unknown_name(world: World) -> object:
    """An attribute that is unknown, and that the settings used before it became unknown."""
    async with world.context.recording() as connection:
        await connection.execute(
            """update application_sso set config = config || '{"nameId": {"format": "unspecified", "source": "formerly"}}'"""
        )
    return await changed(world, relayState="x")


async def with_another_format(world: World, name_id_format: str) -> object:
    """The Name ID was the mail address; only its format is changed."""
    await changed(world, nameId=NAME_ID | {"source": "mail"})
    return await changed(world, nameId={"format": name_id_format})


async def stale(world: World) -> object:
    before = (await settings.show_sign_on(world.context, "files")).version
    await changed(replace(world, context=replace(world.context, now=world.context.now)), relayState="first")
    async with world.context.recording() as connection:
        await connection.execute("update application_sso set changed_at = changed_at + interval '1 second'")
    return await changed(world, seen=before, relayState="second")


async def fresh(world: World) -> object:
    before = (await settings.show_sign_on(world.context, "files")).version
    return await changed(world, seen=before, relayState="first")


async def replaced(world: World) -> object:
    view = await settings.change_sign_on(world.context, "files", {"mode": "disabled"}, replaces=True)
    return sign_on_to_json(view.settings)


async def of_gallery(world: World, tenant_url: str, template: str = "documo") -> object:
    found = settings.usual_settings(world.context.gallery.template(template), tenant_url)
    return found.identifiers, found.reply_urls, found.sign_on_url, found.logout_url


async def facts(world: World, app: str = "files", asked: str = "") -> object:
    found = await issuing.facts_of(world.context, app, origin=ORIGIN)
    return found.name, found.mode, found.reply_url(asked), len(found.certificates)


async def issued(world: World, app: str, name: str, *, before: Case | None = None) -> object:
    person = await world.id_of(name)
    if before is not None:
        await before(world)
    found = (await issuing.facts_of(world.context, app, origin=ORIGIN)).app
    return await issuing.claims_for(world.context, found, person)


async def of_nobody(world: World) -> object:
    found = (await issuing.facts_of(world.context, "files", origin=ORIGIN)).app
    return await issuing.claims_for(world.context, found, "0198b8a0-0000-7000-8000-000000000001")


async def with_domain(world: World) -> object:
    await settings.change_sign_on(
        world.context, "files", {"nameId": {"format": "unspecified", "expression": "DefaultDomain()"}}
    )
    async with world.context.recording() as connection:
        await connection.execute('update config_version set config = config || \'{"defaultDomain": "contoso.test"}\'')
    return await issued(world, "files", "anna")


async def tried(
    world: World, app: str = "files", user: str = upn("anna"), *, before: Case | None = None, **more: Any
) -> object:
    """What a trial shows."""
    if before is not None:
        await before(world)
    found = await trying.try_sign_on(world.context, app, user, origin=ORIGIN, **more)
    if found is None:
        return None
    conditions = [(one.sentence, one.holds) for one in found.conditions]
    lines = [(one.name, one.values, one.source, one.problem) for one in found.claim_lines]
    shown = [(part.text, part.is_signed) for part in found.response]
    attempts = [(one.row.person_display, one.row.code, one.answer) for one in found.attempts]
    refusals = [one.what for one in found.refusals]
    return found.person, conditions, lines, found.request, shown, attempts, refusals, found.error


async def attempted(world: World, app: str = "files") -> object:
    """Attempts of Anna, of Ben and of nobody, which ended in each way."""
    id_of_app = (await issuing.facts_of(world.context, app, origin=ORIGIN)).app
    anna, ben = await world.id_of("anna"), await world.id_of("ben")
    for person, code in (
        (anna, None), (ben, None), (None, SignInCode.WRONG_ISSUER), (anna, SignInCode.NO_PASSIVE), (anna, SignInCode.NOT_ASSIGNED),
    ):  # fmt: skip
        await note_application_sign_in(
            world.context, HERE, protocol="oidc" if app == "wiki" else "saml", app=id_of_app, person=person, code=code
        )
    return None


def as_reader(case: Case) -> Case:
    """The same by somebody who may read applications, but not the sign-in log."""
    allowed = frozenset({Permission.APPLICATIONS_READ, Permission.DIRECTORY_READ})
    return lambda w: case(replace(w, context=replace(w.context, actor=replace(w.context.actor, permissions=allowed))))


def change(app: str = "files", /, **changes: Any) -> Case:
    return lambda w: settings.change_sign_on(w.context, app, changes)


async def with_code(world: World, *, is_exchanged: bool = False, has_expired: bool = False) -> object:
    """A trial after Anna's application has got a code, and has exchanged it or not."""
    app, person = (await issuing.facts_of(world.context, "wiki", origin=ORIGIN)).app, await world.id_of("anna")
    caller = await caller_of_person(world.context, await world.session("anna"))
    assert caller is not None
    sign_in = str(uuid4())
    async with world.context.recording() as connection:
        await openid_grants.insert_code(
            connection, b"code", app=app, session=caller.session, redirect_uri="x:", scopes=["openid"], nonce="", challenge="",
            expires_at=NOW + timedelta(minutes=-1 if has_expired else 1), sign_in=sign_in,
        )  # fmt: skip
        if is_exchanged:
            await openid_grants.note_redeemed(connection, b"code", str(uuid4()))
    await note_application_sign_in(world.context, HERE, protocol="oidc", app=app, person=person, id=sign_in)
    return await tried(world, "wiki")


async def without_active_certificate(world: World) -> object:
    async with world.context.recording() as connection:
        await connection.execute("update signing_certificate set is_active = false")
    return await tried(world)


async def attributes_read(_: World, mode: str) -> object:
    section = {**SAML, **OPENID, "mode": mode, "nameId": NAME_ID | {"source": "memberOf"}, "claims": [FROM_MAIL]}
    return sorted(sign_on_from_json(Part(section, "singleSignOn")).attributes())


async def of_gallery_without_sign_on_url(world: World) -> object:
    template = world.context.gallery.template("documo")
    without = replace(template, sign_on=replace(template.sign_on, sign_on_url=""))
    return settings.usual_settings(without, "http://127.0.0.1:8081/scim/v2").sign_on_url


async def without_credentials(world: World) -> object:
    async with world.context.recording() as connection:
        await connection.execute("delete from credential")
    return sign_on_to_json((await settings.show_sign_on(world.context, "plain")).settings)


async def tried_by_reader(world: World) -> object:
    await attempted(world)
    return await as_reader(tried)(world)


async def address(_: World, url: str) -> object:
    return sign_on_parts.check_url(url), sign_on_parts.check_origin(url)


NAME_ID = {"format": "unspecified"}
FROM_MAIL = {"name": "a", "source": "mail"}
SECTIONS: tuple[dict[str, Any], ...] = (
    {}, {"mode": "oidc"}, {"mode": "saml", "identifiers": []}, {"replyUrls": []}, {"mode": "disabled", "replyUrls": [], "identifiers": []},
    {"mode": "disabled"}, {"requireSignedRequests": True}, {"nameId": {"format": "persistent", "source": "mail"}},
    {"nameId": {"format": "persistent"}}, {"nameId": NAME_ID}, {"nameId": NAME_ID | {"source": "mail"}}, {"claims": None}, {"claims": []},
    {"claims": [FROM_MAIL]}, {"claims": [{"name": "a"}]}, {"claims": [{"source": "mail"}]}, {"claims": [FROM_MAIL] * 2},
    {"claims": [{"name": "a" * 257, "source": "mail"}]}, {"claims": [FROM_MAIL | {"name": f"a{n}"} for n in range(101)]},
    {"claims": [FROM_MAIL | {"name": f"a{n}"} for n in range(100)]}, {"claims": [FROM_MAIL | {"name": "a\x01"}]},
    {"requestCertificates": ["a"] * 6}, {"requestCertificates": ["a", " "]}, {"encryptionCertificate": "x" * 16_385},
    {"encryptionCertificate": "PRIVATE KEY"}, {"identifiers": ["x" * 1025]}, {"identifiers": ["a b"]}, {"identifiers": ["a\u200bb"]},
    {"identifiers": [1]}, {"identifiers": [""]}, {"identifiers": [f"x:{n}" for n in range(60)]}, {"identifiers": ["x:", "x:"]},
    {"relayState": "x" * 1025}, {"relayState": "a\x01"}, {"enabledForSignIn": False}, {"signOnUrl": ""}, {"signOnUrl": "ftp://x"},
    {"notificationEmail": "x" * 255}, {"replyUrls": ["http://docs.test/acs"]}, {"unknown": 1},
)  # fmt: skip
ADDRESSES = (
    "https://docs.test", "https://docs.test/acs", "https://docs.test?x=1", "http://docs.test/acs", "http://127.0.0.1/acs", "http://localhost/acs",
    "http://a.localhost/acs", "http://192.0.2.1", "https://", "ftp://docs.test", "https://docs.test/a b", "https://[x", "https://*.docs.test",
    "https://docs.test#x", "https://u@docs.test", "javascript:alert(1)", "https://docs.test/" + "x" * 3000, "https://docs.test/\u200b",
    "https://docs.test:99999", "x",
)  # fmt: skip
CASES: dict[str, Case] = {
    "told": lambda w: told(w, {"source": "mail"}, {"constant": "x"}, {"source": "two"}, {"source": "empty"}, {"source": "nothing"}),
    "told of a broken claim": lambda w: told(w, {"source": "mail"}, {"expression": BROKEN}),
    "told of a claim that XML cannot contain": lambda w: told(w, {"source": "bad"}),
    "told of a dropped claim": lambda w: told(w, {"expression": 'IgnoreFlowIfNullOrEmpty([empty])'}),
    "told of a claim that skips": lambda w: told(w, {"expression": 'Switch([mail], IgnoreObjectFlow, "x", "y")'}),
    "told of the role": lambda w: told(w, {"expression": "SingleAppRoleAssignment([appRoleAssignments])"}),
    "told without a role": lambda w: told(w, of=replace(ANNA, assignments=(Assignment(DEFAULT_ACCESS),))),
    "told without an assignment": lambda w: told(w, of=replace(ANNA, assignments=())),
    "told of somebody disabled": lambda w: told(w, of=replace(ANNA, account_enabled=False)),
    "told of somebody deleted": lambda w: told(w, of=replace(ANNA, lifecycle=Lifecycle.SOFT_DELETED)),
    **{f"told, Name ID {source}": partial(told, nameId=NAME_ID | source)
       for source in ({"source": "mail"}, {"source": "two"}, {"source": "empty"}, {"source": "bad"}, {"expression": BROKEN})},
    **{f"told, {form}": partial(told, nameId={"format": form}) for form in ("persistent", "transient", "emailAddress")},
    "told by OpenID Connect": lambda w: told(w, {"source": "mail"}, mode="oidc"),
    **{f"read {number}": partial(read, **changes) for number, changes in enumerate(SECTIONS)},
    **{f"address {url}"[:60]: partial(address, url=url) for url in ADDRESSES},
    "changed": lambda w: changed(w, relayState="x"),
    "changed to OpenID Connect": lambda w: changed(w, **OPENID),
    "changed to nothing": lambda w: changed(w, mode="disabled"),
    "changed in the meantime": stale,
    "not changed in the meantime": fresh,
    "replaced": replaced,
    "first change": lambda w: changed(w, "plain", seen="defaults", relayState="x"),
    "SAML for the first time": lambda w: changed(w, "plain", **SAML),
    "bad email": lambda w: changed(w, notificationEmail="nobody"),
    "bad certificate": lambda w: changed(w, encryptionCertificate="nonsense"),
    "bad request certificate": lambda w: changed(w, requestCertificates=["nonsense"]),
    "unknown Name ID": lambda w: changed(w, nameId=NAME_ID | {"source": "mial"}),
    "unknown claim": lambda w: changed(w, claims=[{"name": "a", "source": "mial"}]),
    "unknown in an expression": lambda w: changed(w, claims=[{"name": "a", "expression": "ToUpper([mial])"}]),
    "unknown claim of OpenID Connect": lambda w: changed(
        w, "wiki", openIdConnect=OPENID["openIdConnect"] | {"claims": [{"name": "a", "source": "mial"}]}
    ),
    **{f"another format, {form}": partial(with_another_format, name_id_format=form) for form in ("emailAddress", "persistent")},
    "unknown before": with_unknown_name,
    "claim added": lambda w: claim(w, "new", {"source": "mail"}),
    "claim changed": lambda w: _claim_changed(w),
    "claim removed": lambda w: _claim_changed(w, removes=True),
    "unknown claim removed": lambda w: claim(w, "nothing", None),
    "claim of OpenID Connect added": lambda w: claim(w, "new", {"source": "mail"}, "wiki"),
    **{f"gallery at {url}": partial(of_gallery, tenant_url=url) for url in (
        "", "https://api.documo.com/scim/v2", "https://docs.contoso.test/scim/v2", "http://127.0.0.1:8081/scim/v2", "http://localhost/scim",
        "x", "//docs.contoso.test/scim", "https:docs.contoso.test",
    )},
    "gallery without an address": lambda w: of_gallery(w, "https://docs.contoso.test/scim/v2", "custom"),
    "gone from the gallery": lambda w: _gone_from_gallery(w),
    "gallery without a Sign on URL": of_gallery_without_sign_on_url,
    **{f"attributes of {mode}": partial(attributes_read, mode=mode) for mode in ("saml", "oidc")},
    "tried without an active certificate": without_active_certificate,
    "settings without credentials": without_credentials,
    "code": with_code,
    "code that was exchanged": lambda w: with_code(w, is_exchanged=True),
    "code that has expired": lambda w: with_code(w, has_expired=True),
    "code that was exchanged and has expired": lambda w: with_code(w, is_exchanged=True, has_expired=True),
    "facts": facts,
    "facts, registered": lambda w: facts(w, asked="https://docs.test/acs"),
    "facts, not registered": lambda w: facts(w, asked="https://docs.test/acs/"),
    "facts of nothing": lambda w: facts(w, "nothing"),
    **{f"{app} to {name}": partial(issued, app=app, name=name) for app in ("files", "wiki") for name in ("anna", "ben")},
    "default settings to Anna": lambda w: issued(w, "plain", "anna"),
    "to somebody disabled": lambda w: issued(
        w, "files", "anna", before=lambda w: people.set_enabled(w.context, [upn("anna")], is_enabled=False)
    ),
    "to somebody deleted": lambda w: issued(w, "files", "anna", before=lambda w: people.delete(w.context, [upn("anna")])),
    "to nobody": of_nobody,
    "with a default domain": with_domain,
    "with groups": lambda w: issued(w, "files", "anna", before=change(claims=[{"name": "a", "source": "memberOf"}])),
    "with the manager": lambda w: issued(w, "files", "anna", before=change(claims=[{"name": "a", "source": "manager.mail"}])),
    "key": lambda w: _key(w, "files"),
    "key of none": lambda w: _key(w, "plain"),
    "tried": tried,
    "tried with Ben": lambda w: tried(w, user=upn("ben")),
    "tried with anybody": lambda w: tried(w, user=""),
    "tried with nobody": lambda w: tried(w, user="", before=lambda w: _nobody(w)),
    "tried with a stranger": lambda w: tried(w, user="stranger@contoso.test"),
    **{f"tried {app}": partial(tried, app=app) for app in ("wiki", "start", "off", "plain", "everybody")},
    "tried after attempts": lambda w: tried(w, before=attempted),
    "tried after attempts of OpenID Connect": lambda w: tried(w, "wiki", before=lambda w: attempted(w, "wiki")),
    "tried by a reader": tried_by_reader,
    "tried with an error": lambda w: tried(w, error="Invalid audience"),
    "tried without a Name ID": lambda w: tried(w, before=change(nameId=NAME_ID | {"source": "employeeId"})),
    "tried with a broken claim": lambda w: tried(
        w, before=change(claims=[{"name": "a", "expression": BROKEN}, {"name": "b", "constant": "x"}])
    ),
    "tried with a broken claim of OpenID Connect": lambda w: tried(
        w, "wiki", before=change("wiki", openIdConnect=OPENID["openIdConnect"] | {"claims": [{"name": "a", "expression": BROKEN}]})
    ),
    "tried with a generated Name ID": lambda w: tried(w, before=change(nameId={"format": "transient"})),
    "tried without addresses": lambda w: tried(
        w, "left", before=change("left", identifiers=[], replyUrls=[], signOnUrl="https://docs.test")
    ),
    "tried without reply URLs": lambda w: tried(w, "left", before=change("left", replyUrls=[], signOnUrl="https://docs.test")),
    "tried without identifiers": lambda w: tried(w, "left", before=change("left", identifiers=[], signOnUrl="https://docs.test")),
    "tried a public client": lambda w: tried(
        w, "wiki", before=change("wiki", openIdConnect=OPENID["openIdConnect"] | {"publicClient": True})
    ),
    "tried with signed requests": lambda w: tried(w, before=_with_signed_requests),
    "tried with encryption": lambda w: tried(w, before=_with_signed_requests),
    "tried where everybody may": lambda w: tried(w, "open", user=upn("ben")),
}  # fmt: skip


async def _claim_changed(world: World, *, removes: bool = False) -> object:
    await claim(world, "new", {"source": "mail"})
    return await claim(world, "new", None if removes else {"name": "newer", "constant": "x"})


async def _gone_from_gallery(world: World) -> object:
    async with world.context.recording() as connection:
        await connection.execute("update application set template = 'gone' where name = 'plain'")
    return (await settings.show_sign_on(world.context, "plain")).settings


async def _key(world: World, app: str) -> object:
    return (await issuing.signing_key_of(world.context, app)).certificate.subject


async def _nobody(world: World) -> object:
    async with world.context.recording() as connection:
        await connection.execute("update person set account_enabled = false")
    return None


async def _with_signed_requests(world: World) -> object:
    [pem] = (await issuing.facts_of(world.context, "files", origin=ORIGIN)).certificates
    wanted = {"requireSignedRequests": True, "requestCertificates": [pem], "encryptionCertificate": pem}
    return await settings.change_sign_on(world.context, "files", wanted)


MODULES = (claims, issuing, settings, single_sign_on, sign_on_parts, trying, trial_messages, openid_trial)
CHECKS = [one for module in MODULES for one in checks_of(module, parts=True)]
IMPLIED = [
    ("actions.single_sign_on.claims._texts", "is_empty(value)"),  # each of its values is empty too
    # It would only read attributes that no claim uses.
    ("actions.single_sign_on.claims.manager_names", "name.startswith(OF_MANAGER)"),
    ("actions.single_sign_on.issuing.claims_by", "job"),  # every application has one
    ("actions.single_sign_on.settings.usual_settings", "own == usual"),  # the addresses would move to where they are
    (
        "actions.single_sign_on.settings.checked_settings",
        "settings.mode not in OFFERED_MODES",
    ),  # every method is offered
    ("actions.single_sign_on.settings._merged", "value is not None"),  # None is read as a missing key
    ("actions.single_sign_on.trying.try_sign_on", "error"),  # no error means nothing
    ("actions.single_sign_on.openid_trial._id_token", "not claims.name_id"),  # Lockstep generates the subject
]


async def outcome(case: Case, world: World) -> str:
    """How *case* ends. Its changes are rolled back."""
    async with world.rolled_back() as here:
        return GENERATED.sub("VALUE", await ending_of(case(here)))


async def test_no_condition_of_the_claims_about_a_person_can_be_left_out(directory: Hub) -> None:
    world = await assigned_world(directory)
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}

    assert len(CHECKS) >= 60
    assert await unheld_checks(bound, CHECKS, IMPLIED) == ""
