"""People see where they are signed in, and end their own sessions there or everywhere, and nobody else's."""

from __future__ import annotations

import re

from lockstep.actions import audit
from lockstep.actions.audit import AuditFilter
from lockstep.actions.person_sign_in import sessions
from tests.portal.test_signing_in import signed_in, try_to_sign_in
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import upn

PAGE = "/myapps/sessions"


async def twice(centre: Centre) -> tuple[Browser, Browser]:
    """Two browsers in which Anna is signed in."""
    here, there = await signed_in(centre), centre.browser()
    assert (await try_to_sign_in(there, upn("anna"))).status == 303
    return here, there


async def test_person_ends_a_session_of_theirs_from_another_browser(centre: Centre) -> None:
    here, there = await twice(centre)
    shown = (await here.get(PAGE)).html
    assert shown.count("This session") == 1
    found = re.findall(r'name="session" value="([^"]+)"', shown)  # of the link that set the password, too

    ended = [await here.post(f"{PAGE}/end", {"session": session}) for session in found]

    assert [(one.status, one.location) for one in ended] == [(303, PAGE)] * 2
    assert (await there.get("/myapps")).status == 303
    assert (await here.get("/myapps")).status == 200
    assert (await here.post(f"{PAGE}/end", {"session": found[0]})).status == 404
    line = (await audit.list_entries(centre.context, AuditFilter()))[0]
    assert (line.actor, line.activity) == (upn("anna"), "End own sign-in sessions")


async def test_signing_out_everywhere_ends_every_session_of_the_person_and_of_no_one_else(centre: Centre) -> None:
    here, there = await twice(centre)
    ben = await signed_in(centre, "ben")

    await here.get(PAGE)
    done = await here.post(f"{PAGE}/end-all", {})

    assert (done.status, done.location) == (303, "/myapps/signed-out")
    assert [(await one.get("/myapps")).status for one in (here, there, ben)] == [303, 303, 200]
    assert await sessions.list_person_sessions(centre.context, upn("anna")) == []


async def test_person_cannot_end_or_see_the_session_of_another(centre: Centre) -> None:
    anna, ben = await signed_in(centre), await signed_in(centre, "ben")
    theirs, *_ = await sessions.list_person_sessions(centre.context, upn("ben"))

    assert theirs.id not in (await anna.get(PAGE)).html
    assert (await anna.post(f"{PAGE}/end", {"session": theirs.id})).status == 404

    assert (await ben.get("/myapps")).status == 200


async def test_used_link_is_not_called_a_missing_sign_in(centre: Centre) -> None:
    anna = await signed_in(centre)

    page = await anna.get("/myapps/link/used")

    assert "Link not valid" in page.text and "Sign in first" not in page.text
