"""The frame of every page: who gets in, what a form must carry, what an error shows, what a browser is told."""

from __future__ import annotations

import re

import pytest
import structlog

from lockstep.actions import administrators, applications
from lockstep.actions.lockout import admit
from lockstep.credentials.attempts import OF_ADDRESS
from lockstep.web.callers import safe_next
from lockstep.web.frame import SETTINGS_TABS
from lockstep.web.page import all_pages
from tests.support.admin_centre import Browser, Centre, serving_centre
from tests.support.hub import Hub


async def test_every_page_asks_somebody_without_a_session_to_sign_in_and_comes_back(centre: Centre) -> None:
    stranger = centre.browser()

    page = await stranger.get("/apps?show=on")

    assert (page.status, page.location) == (303, "/sign-in?next=/apps%3Fshow%3Don")
    for route in all_pages():
        if not route.is_public:
            path = route.path.replace("{", "").replace("}", "")
            answer = await (stranger.get(path) if route.method == "GET" else stranger.post(path))
            assert answer.status == 303 and answer.location.startswith("/sign-in"), route.path


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.test",
        "/\\evil.test",
        "https://evil.test/",
        "\\\\evil.test",
        "/\t/evil.test",
        "//[",
        "https://[evil.test",
        "javascript:alert(1)",
        "",
        "apps",
    ],
)
def test_after_signing_in_nobody_is_sent_to_another_server(elsewhere: str) -> None:
    assert safe_next(elsewhere) == "/"


async def test_a_page_that_is_given_as_an_invalid_address_is_replaced_by_home(centre: Centre) -> None:
    admin, stranger = await centre.signed_in(), centre.browser()

    look = await admin.post("/look", {"theme": "dark"}, Referer="http://[")
    asked = await stranger.get("/apps", **{"HX-Request": "true", "HX-Current-URL": "http://["})

    assert (look.status, look.location) == (303, "/")
    assert asked.headers.get("HX-Redirect") == "/sign-in"
    assert (await stranger.get("/sign-in?next=//[")).status == 200


async def test_signing_in_by_invitation_ends_at_home_and_signing_out_ends_the_session(centre: Centre) -> None:
    link = await administrators.first_link(centre.hub.context)
    browser = centre.browser()
    form = {"email": "ada@contoso.test", "name": "Ada", "password": "a sentence of five words"}

    page = await browser.get(str(link))
    accepted = await browser.post(str(link), form)
    home = await browser.get("/")
    again = await centre.browser().get(str(link))
    await browser.post("/sign-out")
    after = await browser.get("/")

    assert "first administrator" in page.text
    assert (accepted.status, accepted.location) == (303, "/")
    cookie = accepted.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    assert home.status == 200 and "Welcome to Lockstep" in home.text
    assert again.status == 401 and "This link does not work" in again.text
    assert after.location == "/sign-in"


async def test_a_wrong_password_is_said_on_the_form_without_saying_which_part_is_wrong(centre: Centre) -> None:
    browser = centre.browser()

    page = await browser.post("/sign-in", {"email": "nobody@contoso.test", "password": "x", "next": "/apps"})

    assert page.status == 401 and "The e-mail address, the password or the code is wrong" in page.text
    assert 'value="nobody@contoso.test"' in page.html and 'value="/apps"' in page.html


async def test_a_form_without_the_sessions_token_or_from_another_origin_is_refused(
    centre: Centre, admin: Browser
) -> None:
    other = await centre.signed_in(email="other@contoso.test")
    token_of_other = (await other.get("/")).token
    await admin.get("/")

    missing = await admin.post("/sign-out", {"csrf": ""})
    foreign = await admin.post("/sign-out", {"csrf": token_of_other})
    elsewhere = await admin.post("/sign-out", Origin="https://evil.test")
    cross_site = await admin.post("/sign-out", None, **{"Sec-Fetch-Site": "cross-site"})
    without = await admin.http.post(centre.origin + "/sign-out", data={"csrf": admin.last_token})

    assert [missing.status, foreign.status, elsewhere.status, cross_site.status, without.status] == [403] * 5
    assert "Nothing was changed" in missing.text
    assert (await admin.get("/")).status == 200


async def test_a_sign_in_form_of_another_site_is_refused(centre: Centre) -> None:
    page = await centre.browser().post("/sign-in", {"email": "a", "password": "b"}, Origin="https://evil.test")

    assert page.status == 403


async def test_the_token_in_a_page_differs_each_time_and_every_one_of_them_works(admin: Browser) -> None:
    first, second = (await admin.get("/")).token, (await admin.get("/")).token

    assert first != second
    assert (await admin.post("/look", {"csrf": first, "theme": "dark"})).status == 303


async def test_every_answer_has_the_security_headers_and_private_pages_are_not_stored(
    centre: Centre, admin: Browser
) -> None:
    for page in (await admin.get("/"), await admin.get("/no-such-page"), await centre.browser().get("/sign-in")):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert page.headers["Cache-Control"] == "no-store"


async def test_assets_have_hashed_names_are_kept_for_ever_and_come_compressed(admin: Browser) -> None:
    home = await admin.get("/")
    script = home.html.partition('<script type="module" src="')[2].partition('"')[0]
    style = home.html.partition('<link rel="stylesheet" href="')[2].partition('"')[0]

    for path, most in ((script, 100_000), (style, 40_000)):
        async with admin.http.get(
            admin.origin + path, headers={"Accept-Encoding": "gzip"}, auto_decompress=False
        ) as answer:
            body = await answer.read()
            assert answer.headers["Content-Encoding"] == "gzip"
            assert "immutable" in answer.headers["Cache-Control"]
            assert len(body) < most
    missing = await admin.get("/assets/..%2Fapp.py")
    assert missing.status == 404


async def test_an_unknown_address_and_an_unforeseen_error_have_pages_with_a_request_id_and_no_trace(
    centre: Centre, admin: Browser
) -> None:
    missing = await admin.get("/no-such-page")
    await centre.hub.fetch("alter table job rename to lost_table")
    broken = await admin.get("/apps")
    part = await admin.htmx("/apps")

    assert missing.status == 404 and "Page not found" in missing.text and "Home" in missing.text
    assert broken.status == 500 and broken.headers["X-Request-Id"] in broken.text
    assert part.status == 500 and "<html" not in part.html and part.headers["X-Request-Id"] in part.text
    for page in (broken, part):
        assert "Traceback" not in page.html and "UndefinedTable" not in page.text


async def test_what_people_named_is_text_in_a_page(centre: Centre, admin: Browser) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x>"
    await applications.add_application(centre.hub.context, "documo", display_name=hostile)

    page = await admin.get("/apps")

    assert "<script>alert" not in page.html and "<img src=x" not in page.html
    assert hostile in page.text


async def test_theme_and_rail_are_in_the_first_byte_of_the_next_page(admin: Browser) -> None:
    await admin.post("/look", {"theme": "dark"})
    await admin.post("/look", {"rail": "narrow"})
    await admin.post("/look", {"theme": '"><script>'})

    page = await admin.get("/")

    assert '<html lang="en" data-theme="dark" data-rail="narrow">' in page.html


async def test_no_link_of_a_page_leads_nowhere(centre: Centre, admin: Browser) -> None:
    await applications.add_application(centre.hub.context, "documo")
    seen, waiting = set[str](), ["/"]

    while waiting:
        path = waiting.pop().partition("#")[0]
        if not path.startswith("/") or path in seen or len(seen) > 200:
            continue
        seen.add(path)
        page = await admin.get(path)
        assert page.status in (200, 303), path
        waiting += page.links
    assert {"/", "/apps", "/apps?show=attention"} <= seen


async def test_a_page_says_where_it_is(admin: Browser) -> None:
    page = await admin.get("/apps")

    assert page.title == "Enterprise applications - Lockstep"
    assert page.html.count("<h1") == 1
    assert '<a class="skip" href="#main">' in page.html


async def test_tabs_stand_beside_the_breadcrumbs_of_no_page(centre: Centre, admin: Browser) -> None:
    await applications.add_application(centre.hub.context, "documo")
    tab, below = await admin.get("/logs/audit"), await admin.get("/logs/audit/1")

    assert '<nav class="tabs" aria-label="Logs">' in tab.html and 'class="crumbs"' not in tab.html
    assert 'class="tabs"' not in below.html and 'class="crumbs"' in below.html


async def test_pages_of_settings_stand_beside_every_one_of_them(admin: Browser) -> None:
    for path in ("/settings/admins", "/settings/admins/invite"):
        page = await admin.get(path)
        found = re.search(r'<nav class="side-nav" aria-label="Settings">.*?</nav>', page.html, re.DOTALL)

        assert found is not None and 'class="tabs"' not in page.html
        assert re.findall(r'href="(/settings/admins)" aria-current="page"', found[0]) == ["/settings/admins"]
        assert len(re.findall("<a ", found[0])) == len(SETTINGS_TABS)


@pytest.mark.parametrize(
    ("path", "crumbs"),
    [
        ("/settings/tokens/new", ["Settings", "Access tokens", "Create an access token"]),
        ("/apps/documo/provisioning/restart", ["Enterprise applications", "Documo", "Provisioning", "Restart"]),
    ],
)
async def test_breadcrumbs_name_every_level_above_the_page(
    centre: Centre, admin: Browser, path: str, crumbs: list[str]
) -> None:
    await applications.add_application(centre.hub.context, "documo")
    page = await admin.get(path)

    found = re.search(r'<nav class="crumbs".*?</nav>', page.html, re.DOTALL)
    assert found is not None
    assert re.findall(r">([^<>]*\w[^<>]*)<", found[0]) == crumbs


async def spray(hub: Hub, address: str) -> None:
    """As many failed attempts of one client as need no delay yet."""
    for number in range(OF_ADDRESS.free):
        await admit(hub.context, f"guess{number}@contoso.test", address=address)


@pytest.mark.parametrize(
    ("proxies", "sprayed", "status"),
    [
        (("127.0.0.1",), "203.0.113.7", 429),
        # What a client writes into the header itself stands left of what the proxy adds, and counts for nothing.
        (("127.0.0.1",), "192.0.2.1", 401),
        ((), "127.0.0.1", 429),
        ((), "203.0.113.7", 401),
    ],
)
async def test_failed_sign_ins_count_for_the_client_that_a_trusted_proxy_names(
    hub: Hub, proxies: tuple[str, ...], sprayed: str, status: int
) -> None:
    await spray(hub, sprayed)
    form = {"email": "anna@contoso.test", "password": "x"}
    async with serving_centre(hub, trusted_proxies=proxies) as centre:
        page = await centre.browser().post("/sign-in", form, **{"X-Forwarded-For": "192.0.2.1, 203.0.113.7"})

    assert page.status == status


async def test_log_lines_of_a_page_have_the_request_id_of_the_proxy_and_its_trace(
    centre: Centre, admin: Browser
) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    await centre.hub.fetch("alter table job rename to lost_table")

    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        page = await admin.get("/apps", **{"X-Request-Id": "edge-7", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"})

    [line] = [one for one in lines if one["event"] == "page_failed"]
    assert (page.status, page.headers["X-Request-Id"]) == (500, "edge-7")
    assert (line["request"], line["trace"]) == ("edge-7", trace)


async def test_no_page_fails_because_of_a_character_that_cannot_be_stored(centre: Centre, admin: Browser) -> None:
    await applications.add_application(centre.hub.context, "documo")
    query = "&".join(f"{name}=%00" for name in ("search", "after", "text", "person", "state", "principal", "id"))

    for route in all_pages():
        path = re.sub(r"\{\w+\}", "x", route.path.replace("{app}", "documo").replace("{object}", "user"))
        if route.method == "GET":
            answers = [await admin.get(f"{path}?{query}"), await admin.get(re.sub(r"\{\w+\}", "%00", route.path))]
        else:
            answers = [await admin.post(path, {"name": "a\0b", "search": "\0"})]
        assert all(one.status < 500 for one in answers), route.path
        assert answers[0].status == 400 and "contains a NUL character" in answers[0].text, route.path
