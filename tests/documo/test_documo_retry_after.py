"""Every form of Documo that is shown again with status 429 says in Retry-After when the next attempt is allowed."""

from __future__ import annotations

import re

from documo.access import password_links
from documo.web.sessions import COOKIE
from lockstep.kit.pages import pages_in
from tests.documo.test_documo_own_account import with_factor
from tests.support.delayed_attempts import delay_all_attempts, says_when
from tests.support.documo_client import Client
from tests.support.documo_pages import PASSWORD, signed_in, visiting

FORM = {
    "email": "ada@x.org", "password": PASSWORD, "new_password": "another sentence of words", "code": "123456",
}  # fmt: skip
THROTTLED = {
    "/login",
    "/confirm",
    "/links/{secret}",
    "/own-account/password",
    "/own-account/second-factor",
    "/own-account/second-factor/remove",
}


async def test_every_form_that_refuses_with_429_says_when_to_come_back(api: Client) -> None:
    ben, _, _ = await with_factor(api, "ben@x.org")  # whose link asks for a code
    link = await password_links.password_link(api.store, api.account, ben, created_by="test")
    answers: dict[str, tuple[int, str | None]] = {}
    async with signed_in(api) as ada:
        [session] = [one.value for one in ada.http.cookie_jar if one.key == COOKIE]
        async with api.store.control() as connection:
            await delay_all_attempts(connection)
        for page in pages_in("documo.web.pages"):
            if page.method != "POST" or "sessions" in page.path or "sign-out" in page.path:
                continue
            path = re.sub(r"\{[^}]+\}", link.secret, page.path)
            async with visiting(api) as visitor:
                if not page.is_public:
                    visitor.http.cookie_jar.update_cookies({COOKIE: session})
                form = {"csrf": await visitor.token(path if page.is_public else "/"), **FORM}
                async with visitor.http.post(
                    visitor.origin + path, data=form, headers={"Origin": ada.origin}, allow_redirects=False
                ) as answer:
                    answers[page.path] = (answer.status, answer.headers.get("Retry-After"))

    throttled = {path: after for path, (status, after) in answers.items() if status == 429}
    assert set(throttled) == THROTTLED
    assert [path for path, after in throttled.items() if not says_when(after)] == []
    assert [path for path, (status, after) in answers.items() if status != 429 and after] == []
