"""*Real attempts* of an application that uses OpenID Connect: whether it exchanged the code for tokens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from lockstep.actions.single_sign_on import trying
from tests.portal.test_openid_sign_in import App, documo_as_client
from tests.portal.test_saml_sign_in import signed_in
from tests.support.admin_centre import Centre
from tests.support.hub import upn


async def answers(app: App, *, later: timedelta = timedelta()) -> list[str]:
    """The newest first."""
    at = app.centre.context.now() + later
    context = replace(app.centre.context, now=lambda: at)
    found = await trying.try_sign_on(context, "documo", upn("anna"), origin=app.centre.origin)
    assert found is not None
    return [one.answer for one in found.attempts]


async def test_attempt_says_whether_the_application_exchanged_its_code(centre: Centre) -> None:
    app = await documo_as_client(centre)
    browser = await signed_in(app.centre)
    await app.tokens(browser)
    await app.code(browser)

    soon, after = await answers(app), await answers(app, later=timedelta(seconds=61))

    exchanged = "A code, which Documo exchanged for tokens"
    assert soon == ["A code, which Documo has not exchanged for tokens yet", exchanged]
    assert after[1] == exchanged
    assert after[0].startswith("A code, which Documo did not exchange for tokens: it rejected the response")


async def test_attempt_whose_code_was_deleted_says_only_that_there_was_a_code(centre: Centre) -> None:
    app = await documo_as_client(centre)
    await app.tokens(await signed_in(app.centre))
    async with app.centre.context.recording() as connection:
        await connection.execute("delete from openid_code")

    assert await answers(app) == ["A code"], "codes are kept for a day"
