"""Every form of the portal and the admin centre that is shown again with status 429 says in Retry-After when the next attempt
is allowed.
"""

from __future__ import annotations

import re

from lockstep.kit.pages import pages_in
from tests.portal.conftest import PASSWORD, secret_of_link, with_password
from tests.portal.test_saml_sign_in import signed_in
from tests.support.admin_centre import Centre, Page
from tests.support.delayed_attempts import delay_all_attempts, says_when
from tests.support.hub import upn

FORM = {
    "name": upn("anna"), "email": "admin@contoso.test", "password": PASSWORD, "new_password": "another sentence", "code": "123456",
}  # fmt: skip
THROTTLED = {
    "/myapps/sign-in", "/myapps/second-factor", "/myapps/second-factor/confirm", "/sign-in", "/step-up",
    "/settings/sessions/second-factor/confirm",
    "/settings/sessions/password", "/myapps/second-factor/passkeys", "/myapps/second-factor/passkeys/remove",
}  # fmt: skip


async def test_every_form_that_refuses_with_429_says_when_to_come_back(centre: Centre) -> None:
    await with_password(centre, "anna")
    person, link = await signed_in(centre), await secret_of_link(centre, "ben")
    await person.post("/myapps/second-factor", {"password": PASSWORD})
    async with centre.hub.pool.connection() as connection:
        await delay_all_attempts(connection)

    answers: dict[str, Page] = {}
    for page in [*pages_in("lockstep.portal.pages"), *pages_in("lockstep.web.pages")]:
        if page.method == "POST":
            of_people = page.path.startswith("/myapps")
            browser = person if of_people else await centre.signed_in(email=f"{len(answers)}@contoso.test")
            path = re.sub(r"\{[^}]+\}", link if of_people else "1", page.path)
            if of_people:
                await browser.get("/myapps/second-factor")  # the link began another session, with another form token
            answers[page.path] = await browser.post(path, FORM)

    throttled = {path: one for path, one in answers.items() if one.status == 429}
    assert set(throttled) == THROTTLED
    assert [path for path, one in throttled.items() if not says_when(one.headers.get("Retry-After"))] == []
    assert [path for path, one in answers.items() if one.status != 429 and "Retry-After" in one.headers] == []
