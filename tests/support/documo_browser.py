"""Pages of Documo that only a form leads to, in Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tests.support.browser import DOCUMO_EMAIL, PASSWORD, Visitor, confirm_in_documo
from tests.support.saml_provider import SIGN_IN_URL, Provider


async def documo_states(visitor: Visitor) -> AsyncIterator[str]:
    """Go through the forms of a signed-in Admin; yields a name for each page that no link leads to, while that page is shown."""
    page = visitor.page
    for name in ("Quarterly figures.xlsx", "Onboarding.pdf"):
        await visitor.go("/")
        await page.get_by_role("link", name="Upload").click()
        await page.get_by_label("File").set_input_files({"name": name, "mimeType": "", "buffer": b"figures" * 20_000})
        await page.get_by_role("button", name="Upload").click()
        await page.get_by_text(f"Uploaded {name}").wait_for()
    yield "documents-uploaded"

    await confirm_in_documo(visitor)
    await visitor.go("/users/new")
    for label, text in (("First name", "Grace"), ("Last name", "Hopper"), ("Email", "grace@contoso.test")):
        await page.get_by_label(label).fill(text)
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("heading", name="Link to set a password", level=1).wait_for()
    yield "link-to-set-a-password"

    await visitor.go("/settings/api-keys")
    await page.get_by_label("Name").fill("Entra")
    await page.get_by_label("Expires").select_option("90")
    await page.get_by_role("button", name="Create key").click()
    await page.get_by_role("dialog", name="New API key").wait_for()
    secret = await page.get_by_label("API key", exact=True).inner_text()
    yield "new-api-key"

    await visitor.go("/settings/api-keys")
    await page.get_by_role("link", name="Revoke Entra").last.click()
    await page.get_by_role("dialog", name="Revoke Entra").wait_for()
    yield "revoke-key"

    await visitor.go("/own-account")
    await page.locator("#password-to-add").fill(PASSWORD)
    await page.get_by_role("button", name="Set up an authenticator app").click()
    await page.get_by_role("heading", name="Second factor", level=1).wait_for()
    yield "second-factor"

    await visitor.go("/users?search=grace")
    await page.get_by_role("link", name="Grace Hopper").click()
    await page.get_by_role("link", name="Delete", exact=True).click()
    await page.get_by_role("dialog").wait_for()
    yield "delete-user"
    await page.get_by_label("Type grace@contoso.test to confirm").fill("grace@contoso.test")
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="Undelete grace@contoso.test").first.wait_for()
    yield "deleted-users"

    await visitor.go("/users?source=scim")
    await page.locator("#users").get_by_role("row").nth(1).get_by_role("link").first.click()
    await page.get_by_text("Managed by provisioning").wait_for()
    yield "provisioned-user"

    await visitor.go("/settings/branding/domain")
    if not await page.get_by_text("docs.contoso.example").count():
        await page.get_by_role("textbox", name="App domain").fill("docs.contoso.example")
        await page.get_by_role("button", name="Add the App domain").click()
    await page.get_by_role("button", name="Verify docs.contoso.example").wait_for()
    yield "domain"

    async for name in _scim_states(visitor, secret.strip()):
        yield name
    async for name in _single_sign_on_states(visitor):
        yield name


async def _scim_states(visitor: Visitor, key: str) -> AsyncIterator[str]:
    page = visitor.page
    await visitor.go("/settings/scim")
    await page.get_by_role("button", name="Run self-test").click()
    await page.get_by_role("button", name="Run again").wait_for()
    yield "scim-self-test"

    log = "/settings/scim/logs"
    await visitor.go(log)
    for _ in range(3):  # reads that are alike share a row
        address = f"{visitor.origin}/scim/v2/Users?count=1"
        await page.context.request.get(address, headers={"Authorization": f"Bearer {key}"})
    await page.locator("#requests a[aria-expanded=false]").first.click()
    await page.locator("#requests a[aria-expanded=true]").wait_for()
    yield "scim-run-opened"

    await visitor.go(f"{log}?method=POST")
    await page.locator(f"#requests a[href*='{log}/req_']").first.click()
    await page.get_by_role("button", name="Replay").click()
    await page.get_by_role("heading", name="Replayed now").wait_for()
    yield "scim-request-replayed"

    await visitor.go(log)
    await page.get_by_role("link", name="Pause live tail").click()
    await page.get_by_role("link", name="Resume live tail").wait_for()
    yield "scim-tail-paused"


async def _single_sign_on_states(visitor: Visitor) -> AsyncIterator[str]:
    """A provider is set up, vouches for somebody whom this browser does not know, and is removed again."""
    page, provider = visitor.page, Provider(visitor.origin)
    await confirm_in_documo(visitor)
    await visitor.go("/settings/security/sso")
    for label, text in (
        ("Entity Id", provider.entity_id), ("SSO URL (Redirect URL)", SIGN_IN_URL), ("Signer Certificate", provider.certificate.pem),
    ):  # fmt: skip
        await page.get_by_label(label, exact=True).fill(text)
    await page.get_by_role("button", name="Submit").click()
    await page.get_by_role("link", name="Configure SSO").wait_for()
    yield "single-sign-on"

    form: dict[str, str | float | bool] = {**provider.response(DOCUMO_EMAIL)}
    answer = await page.context.request.post(f"{visitor.origin}/assert", form=form, max_redirects=0)
    await page.goto(answer.headers["location"])
    await page.get_by_role("heading", name=f"Sign in as {DOCUMO_EMAIL}?").wait_for()
    yield "sso-confirm"

    await confirm_in_documo(visitor)
    await visitor.go("/settings/security")
    await page.get_by_role("link", name="Remove").click()
    confirmation = page.get_by_role("dialog").get_by_role("textbox")
    await confirmation.fill(await confirmation.get_attribute("data-confirms") or "")
    yield "remove-single-sign-on"
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await page.get_by_text("Members of your account sign in through").wait_for()
