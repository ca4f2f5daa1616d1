"""Every check in the code that answers SAML applications is covered: at least one hostile case ends differently without it."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import cast

import pytest

from lockstep.actions import applications
from lockstep.actions.context import Elsewhere
from lockstep.actions.person_sign_in.sessions import CODE, PASSWORD, PROVIDER, REENTERED
from lockstep.actions.person_sign_in.setting import change_sign_in_setting
from lockstep.actions.saml_sign_in import answering, asking, contexts, leaving, noting
from lockstep.actions.saml_sign_in.answering import ApplicationStart, NotAssigned, SignInFirst
from lockstep.actions.single_sign_on import settings
from lockstep.errors import LockstepError
from lockstep.saml.bindings import post_fields
from lockstep.saml.faults import SamlFault
from lockstep.saml.identifiers import new_id
from lockstep.saml.requests import AuthnRequest, write_authn_request
from tests.portal.saml_world import HERE, KEY, MFA, NOW, REPLY, SECOND, World, saml_world
from tests.support.admin_centre import Centre
from tests.support.left_out_checks import Check, checks_of, unheld_checks

pytestmark = pytest.mark.full

Case = Callable[[World], Awaitable[object]]
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


async def form(world: World) -> object:
    request = AuthnRequest(**world.usual("documo") | {"issuer": "https://evil.test"})
    fields = post_fields(write_authn_request(request), field="SAMLRequest")
    return await asking.receive_form(world.context, "documo", fields, visitor=HERE, origin=world.centre.origin)


async def reply_url_that_is_gone(world: World) -> object:
    sealed = await world.sealed(reply_url=f"{REPLY}/2")
    await settings.change_sign_on(world.context, "documo", {"replyUrls": [REPLY]})
    try:
        return await world.open(sealed)
    finally:
        await settings.change_sign_on(world.context, "documo", {"replyUrls": [REPLY, f"{REPLY}/2"]})


async def without_second_factor(world: World) -> object:
    await change_sign_in_setting(world.context, needs_second_factor=True)
    try:
        return await world.answer(await world.session("anna", PASSWORD))
    finally:
        await change_sign_in_setting(world.context, needs_second_factor=False)


async def without_certificate(world: World) -> object:
    unreadable = replace(world.context, vault=world.other_vault)
    return await answering._key(
        unreadable, HERE, await noting.saml_application(unreadable, "documo", origin=world.centre.origin), None
    )


ASKING: dict[str, Case] = {
    "a response": lambda w: w.ask(w.query(name="SAMLResponse")),
    "a form": form,
    "wrong issuer": lambda w: w.ask(w.query(issuer="https://evil.test")),
    "not signed": lambda w: w.ask(w.query("strict"), "strict"),
    "signed for another provider": lambda w: w.ask(w.query(key=KEY, destination="https://other.test")),
    "for another provider": lambda w: w.ask(w.query(destination="https://other.test")),
    "signed for none": lambda w: w.ask(w.query(key=KEY, destination="")),
    "too old": lambda w: w.ask(w.query(issued_at=NOW - 16 * MINUTE)),
    "of the future": lambda w: w.ask(w.query(issued_at=NOW + 4 * MINUTE)),
    "long id": lambda w: w.ask(w.query(id="_" * 257)),
    "many contexts": lambda w: w.ask(w.query(contexts=tuple(f"urn:{n}" for n in range(21)))),
    "long context": lambda w: w.ask(w.query(contexts=("u" * 301,))),
    "stranger's reply URL": lambda w: w.ask(w.query(reply_url="https://evil.test")),
    "number of a reply URL": lambda w: w.ask(w.query_with_number("documo")),
    "no envelope": lambda w: w.open("00"),
    "envelope of another application": lambda w: _opened_elsewhere(w),
    "envelope that is too old": lambda w: _opened_late(w),
    "reply URL that is gone": reply_url_that_is_gone,
    "another browser": lambda w: _opened_in_another_browser(w),
    "unknown application": lambda w: w.ask(w.query(), "nothing"),
    "application without single sign-on": lambda w: w.ask(w.query("plain"), "plain"),
    "database that is elsewhere": lambda w: noting.saml_application(
        replace(w.context, elsewhere=cast(Elsewhere, object())), "documo", origin=w.centre.origin
    ),
    "application by its id": lambda w: w.ask(w.query(), w.ids["documo"]),
    "application by its name, where ids are": lambda w: noting.saml_application(
        w.context, "documo", origin=w.centre.origin, is_id=True
    ),
}


async def _opened_elsewhere(world: World) -> object:
    return await world.open(await world.sealed("quiet"), "documo")


async def _opened_late(world: World) -> object:
    return await world.open(await world.sealed(), after=30 * MINUTE)


async def _opened_in_another_browser(world: World) -> object:
    return await world.open(await world.sealed(), browser="another")


async def _left_behind(world: World) -> object:
    way = await world.way("quiet", "documo")
    return await world.stop(way)


async def _too_late(world: World) -> object:
    return await world.stop(await world.way("documo"), after=10 * MINUTE)


async def _removed(world: World) -> object:
    await applications.add_application(world.context, "documo", name="going")
    world.ids["going"] = (await applications.show_application(world.context, "going")).application.id
    way = await world.way("going", "documo")
    await applications.remove_application(world.context, "going")
    return await world.stop(way)


async def _named(world: World, *apps: str, others: bool = False) -> object:
    secret = await world.used(*apps)
    if others:  # a second session of the same name, which used nothing else
        await world.used(apps[0])
    found = await world.leave(apps[0], name_id=f"anna at {apps[0]}", session_indexes=() if others else (f"_{secret}",))
    await world.end_all()
    return found


async def _twice(world: World) -> object:
    same = new_id()
    await world.leave(id=same)
    return await world.leave(id=same)


LEAVING: dict[str, Case] = {
    "twice": _twice,
    "without signature": lambda w: w.leave(key=None),
    "an answer": lambda w: w.leave(name="SAMLResponse", key=None),
    "wrong issuer": lambda w: w.leave(issuer="https://evil.test"),
    "second identifier": lambda w: w.leave(issuer=SECOND),
    "for another provider": lambda w: w.leave(destination="https://other.test"),
    "no Logout URL": lambda w: w.leave("quiet"),
    "all sessions": lambda w: _named(w, "documo"),
    "one that used more": lambda w: _named(w, "documo", "quiet"),
    "two, of which the first used more": lambda w: _named(w, "documo", "quiet", others=True),
    "no way": lambda w: w.stop("00"),
    "an old way": _too_late,
    "a way past an application without Logout URL": _left_behind,
    "a way past an application that was removed": _removed,
    "the end of a way": lambda w: _ended(w),
    "the end of a way that leads nowhere": lambda w: _ended(w, then=""),
    "a session that used no application": lambda w: w.way(),
    "no session": lambda w: leaving.sign_out_here(w.context, "nobody's"),
}


async def _ended(world: World, then: str = "https://docs.test/out") -> object:
    return await world.stop(await world.way("quiet", then=then))


async def _answered(
    world: World, app: str = "documo", methods: tuple[str, ...] = (PASSWORD,), **more: object
) -> object:
    return await world.answer(await world.session("anna", *methods), app, **more)


async def _before(world: World, *methods: str, force_authn: bool = True) -> object:
    return await world.answer(await world.session("anna", *methods, at=NOW - MINUTE), force_authn=force_authn)


async def _ben(world: World, app: str) -> object:
    return await world.answer(await world.session("ben"), app)


async def _launched(world: World, app: str, name: str = "anna") -> object:
    return await world.launch(await world.session(name), app)


ANSWERING: dict[str, Case] = {
    "nobody": lambda w: w.answer(""),
    "nobody, without a page": lambda w: w.answer("", is_passive=True),
    "nobody, and again": lambda w: w.answer("", force_authn=True),
    "before the request": lambda w: _before(w, PASSWORD, force_authn=False),
    "again, just now": lambda w: _answered(w, force_authn=True),
    "again": lambda w: _before(w, PASSWORD),
    "again, by a provider that asked": lambda w: _before(w, PROVIDER, REENTERED),
    "again, just now, by a provider that did not ask": lambda w: _answered(w, methods=(PROVIDER,), force_authn=True),
    "without second factor": without_second_factor,
    "not assigned": lambda w: _ben(w, "documo"),
    "switched off": lambda w: _answered(w, "off"),
    "switched off in My Apps": lambda w: _launched(w, "off"),
    "not assigned in My Apps": lambda w: _launched(w, "quiet", "ben"),
    "opened at its Sign on URL": lambda w: _launched(w, "quiet"),
    "opened with a response": lambda w: _launched(w, "documo"),
    "signed in at a provider": lambda w: _answered(w, methods=(PROVIDER,)),
    "context that was not reached": lambda w: _answered(w, contexts=(MFA,)),
    "context that was reached": lambda w: _answered(w, methods=(PASSWORD, CODE), contexts=(MFA,)),
    "better than what was reached": lambda w: _answered(w, contexts=(MFA,), contexts_comparison="better"),
    "at least something unknown": lambda w: _answered(w, contexts=("urn:x",), contexts_comparison="minimum"),
    "another format of the Name ID": lambda w: _answered(w, name_id_format=PERSISTENT),
    "claims that cannot be evaluated": lambda w: _answered(w, "broken"),
    "certificate that cannot be read": without_certificate,
}  # fmt: skip
SUITES: dict[str, tuple[dict[str, Case], list[Check]]] = {
    "requests": (ASKING, [*checks_of(asking, parts=True), *checks_of(noting, "saml_application", parts=True)]),
    "logout": (LEAVING, [*checks_of(leaving, parts=True)]),
    "answers": (ANSWERING, [*checks_of(answering, parts=True), *checks_of(contexts, parts=True)]),
}


@pytest.fixture
async def world(centre: Centre) -> World:
    return await saml_world(centre)


async def outcome(case: Case, world: World) -> str:
    try:
        found = await case(world)
    except LockstepError as refused:
        # The person is not told what was wrong; the sign-in log is.
        reason = refused.__context__
        told = f"{reason.code} {reason.expected}" if isinstance(reason, SamlFault) else repr(reason)
        return f"{refused.code} {refused.detail} {told}"
    except Exception as crash:  # only without one of the checks
        return f"crashed with {type(crash).__name__}"
    return f"{type(found).__name__} {_shown(found)}"


def _shown(found: object) -> str:
    """The response that the application or the browser gets, without the parts that differ each time."""
    match found:
        case answering.ResponseForm():
            response = base64.b64decode(found.fields["SAMLResponse"])
            return f"{found.url} {re.findall(rb'(?:status|classes):[A-Za-z]+', response)}"
        case str() | bytes() | tuple() | SignInFirst() | NotAssigned() | ApplicationStart():
            return str(found)
    return ""


@pytest.mark.parametrize("suite", SUITES)
async def test_no_check_of_single_sign_on_can_be_left_out(suite: str, world: World) -> None:
    cases, checks = SUITES[suite]

    assert await unheld_checks({name: partial(outcome, case, world) for name, case in cases.items()}, checks) == ""
