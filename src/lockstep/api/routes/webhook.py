"""The webhook that notifications are sent to: its settings, and a test notification."""

from __future__ import annotations

from fastapi import Request
from pydantic import Field

from lockstep.actions import webhook
from lockstep.actions.context import Context
from lockstep.actions.rows.applications import ProbeJson, probe_json
from lockstep.actions.rows.mail import WebhookJson, webhook_json
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.shapes import Body, Text
from lockstep.errors import not_found
from lockstep.vault import Secret

router = router_of("Mail")


class WebhookBody(Body):
    """The webhook. Without *url*, the stored address is kept. Without *secret*, the stored one is kept if the origin stays the same; an
    empty *secret* switches signing off.
    """

    url: Text | None = Field(default=None, examples=["https://hooks.contoso.com/lockstep"])
    secret: Text | None = None


@router.get("/webhook")
async def show_webhook(context: Asked, request: Request) -> WebhookJson:
    """Show the origin of the webhook, and whether its requests are signed. The status is 404 if no webhook is set up."""
    found = await _webhook(context)
    if found is None:
        raise not_found("No webhook is set up")
    return tagged(request, found)


@router.put("/webhook")
async def set_webhook(context: Asked, unchanged: Unchanged, body: WebhookBody) -> WebhookJson:
    """Set up the webhook. Nothing is sent."""
    url = Secret(body.url) if body.url is not None else None
    secret = Secret(body.secret) if body.secret is not None else None

    async def work(inner: Context) -> WebhookJson:
        return webhook_json(await webhook.set_webhook(inner, url=url, secret=secret))

    return await unchanged.matched(_webhook, work)(context)


@router.delete("/webhook", status_code=204)
async def remove_webhook(context: Asked, unchanged: Unchanged) -> None:
    """Remove the webhook with its secrets. Notifications that wait for it are given up."""
    await unchanged.matched(_webhook, webhook.remove_webhook)(context)


@router.post("/webhook/test")
async def send_test_webhook(context: Asked) -> list[ProbeJson]:
    """Send a test notification now. Returns one probe for each step."""
    return [probe_json(one) for one in await webhook.send_test_webhook(context)]


async def _webhook(context: Context) -> WebhookJson | None:
    found = await webhook.show_webhook(context)
    return webhook_json(found) if found is not None else None
