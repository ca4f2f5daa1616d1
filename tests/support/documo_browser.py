"""Pages of Documo that only a form leads to, in Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tests.support.browser import PASSWORD, Visitor


async def documo_states(visitor: Visitor) -> AsyncIterator[str]:
    """Go through the forms of a signed-in Admin; yields a name for each page that is not reached by a link, while it is shown."""
    page = visitor.page
    for name in ("Quarterly figures.xlsx", "Onboarding.pdf"):
        await visitor.go("/")
        await page.get_by_label("File").set_input_files({"name": name, "mimeType": "", "buffer": b"figures" * 20_000})
        await page.get_by_role("button", name="Upload").click()
        await page.get_by_text(f"Uploaded {name}").wait_for()
    yield "documents-uploaded"

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
    await page.get_by_role("heading", name="New API key", level=1).wait_for()
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
