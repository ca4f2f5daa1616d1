"""Settings: the stored secrets, without their values."""

from __future__ import annotations

from datetime import datetime, timedelta

from starlette.requests import Request

from lockstep.actions import stored_secrets
from lockstep.actions.context import Context
from lockstep.actions.stored_secrets import StoredSecret
from lockstep.web.page import CopyAs, Pages, View

pages = Pages()
HERE = "/settings/secrets"
SOON = timedelta(days=60)
# The page where a secret is replaced, after the address of its application.
_OF_APPLICATION = {
    "secretToken": "/provisioning/settings#credentials",
    "clientSecret": "/provisioning/settings#credentials",
    "password": "/provisioning/settings#credentials",
    "samlSigningKey": "/sso/certificates",
    "openidClientSecret": "/sso/secrets",
}
_OF_INSTALLATION = {
    "openidSigningKey": "/settings/signing-keys",
    "administratorsClientSecret": "/settings/sso",
    "ldapPassword": "/settings/people-sign-in",
    "mailPassword": "/settings/mail",
    "webhookAddress": "/settings/webhook",
    "webhookSecret": "/settings/webhook",
}


@pages.get(HERE)
async def show_secrets(context: Context, request: Request) -> View:
    found = await stored_secrets.list_secrets(context)
    now = context.now()
    return View(
        "settings/secrets.html",
        "Secrets",
        {"found": found, "lines": [(one, _place(one), _ends_soon(one, now)) for one in found.secrets]},
        section="Settings",
        lead="Which secrets are stored, for what, and since when. Nobody can read their values.",
        copy_as=CopyAs(command="lockstep secrets", api="/api/v1/secrets"),
    )


def _place(one: StoredSecret) -> str:
    return f"/apps/{one.app}{_OF_APPLICATION[one.kind]}" if one.app else _OF_INSTALLATION[one.kind]


def _ends_soon(one: StoredSecret, now: datetime) -> bool:
    return one.expires_at is not None and one.expires_at - now <= SOON
