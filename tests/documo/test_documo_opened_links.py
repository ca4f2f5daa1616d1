"""If a one-time link is opened in a browser where another member is signed in, the page says so, and replaces that session only if the
person agrees.
"""

from __future__ import annotations

import re

import pytest
from yarl import URL

from documo import members
from documo.access import password_links
from documo.access.member_sign_in import caller_of_session
from documo.web.sessions import COOKIE
from tests.support.documo_client import Client, Documo
from tests.support.documo_pages import Visitor, signed_in, visiting

NEW = "another sentence of words"


async def link_for(api: Client, email: str) -> str:
    if not (await api.find(f'userName eq "{email}"')).ids:
        await members.add_member(api.store, api.account.id, email, role="Member")
    made = await password_links.password_link(api.store, api.account, email, created_by="test")
    return f"/links/{made.secret}"


async def who(api: Client, visitor: Visitor) -> str:
    cookies = visitor.http.cookie_jar.filter_cookies(URL(visitor.origin))
    caller = await caller_of_session(api.store, cookies[COOKIE].value) if COOKIE in cookies else None
    return caller.user_name if caller is not None else ""


async def send_shown_form(visitor: Visitor, path: str, page: str) -> str:
    """Send the form to set a password with the hidden fields that *page* has."""
    hidden = dict(re.findall(r'name="(csrf|instead_of)" value="([^"]*)"', page))
    form = {**hidden, "password": NEW}
    async with visitor.http.post(visitor.origin + path, data=form, headers={"Origin": visitor.origin}) as answer:
        return await answer.text()


async def test_link_for_another_member_asks_first_and_then_replaces_the_session(api: Client) -> None:
    link = await link_for(api, "anna@x.org")
    async with signed_in(api, email="ada@x.org") as browser:
        _, asked = await browser.get(link)
        assert "The link is for anna@x.org, but ada@x.org is signed in" in asked and 'type="password"' not in asked
        stay = re.search(r'href="([^"]*)">Stay signed in as ada@x.org', asked)
        go_on = re.search(r'href="([^"]*)">Continue as anna@x.org', asked)
        assert stay and go_on and await who(api, browser) == "ada@x.org"

        _, form = await browser.get(go_on[1])
        page = await send_shown_form(browser, link, form)

        assert "The link is for" not in page
        assert await who(api, browser) == "anna@x.org"


@pytest.mark.parametrize("answer", ["", "yes", "00000000-0000-0000-0000-000000000000"])
async def test_link_for_another_member_is_not_accepted_without_the_answer_of_this_session(
    api: Client, answer: str
) -> None:
    link = await link_for(api, "anna@x.org")
    async with signed_in(api, email="ada@x.org") as browser:
        assert "Continue as anna@x.org" in (await browser.get(f"{link}?instead_of={answer}"))[1]
        _, page = await browser.post(link, password=NEW, instead_of=answer)

        assert "Continue as anna@x.org" in page
        assert await who(api, browser) == "ada@x.org"


async def test_refused_password_does_not_ask_again(api: Client) -> None:
    link = await link_for(api, "anna@x.org")
    async with signed_in(api, email="ada@x.org") as browser:
        _, asked = await browser.get(link)
        go_on = re.search(r'href="([^"]*)">Continue as', asked)
        assert go_on
        token, answer = await browser.token(go_on[1]), go_on[1].partition("=")[2]
        data = {"csrf": token, "instead_of": answer, "password": "short"}
        async with browser.http.post(browser.origin + link, data=data, headers={"Origin": browser.origin}) as refused:
            page = await refused.text()
        assert "shorter than 12" in page

        await send_shown_form(browser, link, page)

        assert await who(api, browser) == "anna@x.org"


async def test_own_link_and_a_browser_without_session_are_not_asked(api: Client) -> None:
    async with signed_in(api, email="ada@x.org") as browser, visiting(api) as stranger:
        for visitor, email in ((browser, "ada@x.org"), (stranger, "anna@x.org")):
            link = await link_for(api, email)
            _, form = await visitor.get(link)
            await send_shown_form(visitor, link, form)
            assert await who(api, visitor) == email


async def test_two_members_with_one_name_are_told_apart_by_their_accounts(documo: Documo) -> None:
    one, other = await documo.client("Zebra"), await documo.client("Yak")
    link = await link_for(other, "ada@x.org")
    async with signed_in(one, email="ada@x.org") as browser:
        assert "The link is for ada@x.org, but ada@x.org of Zebra is signed in" in (await browser.get(link))[1]
