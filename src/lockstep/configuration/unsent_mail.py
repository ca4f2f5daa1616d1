"""Warn, if settings ask for mail, that no mail is sent yet. Pure.

The settings are kept because configurations from Entra and from files contain them, but nobody should rely on receiving mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAIL_IS_NOT_SENT = "This version sends no mail"
_INSTEAD = "the setting is stored only. To notice failures, watch /metrics or the exit code of: lockstep status"


def mail_note(*, email: str | None, on_failure: bool | None) -> str:
    """The note for an application's settings; "" if they do not ask for mail."""
    asked = [f"the address {email}"] if email else []
    asked += ["mail on failure"] if on_failure else []
    return f"{MAIL_IS_NOT_SENT} (requested: {' and '.join(asked)}); {_INSTEAD}" if asked else ""


def file_notes(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """The notes for the spec of a document, for an application or for the organisation."""
    provisioning, wanted = spec.get("provisioning") or {}, spec.get("notifications") or {}
    sign_on = spec.get("singleSignOn") or {}
    email = provisioning.get("notificationEmail") or sign_on.get("notificationEmail")
    note = mail_note(email=email, on_failure=provisioning.get("emailOnFailure"))
    if wanted.get("email") or wanted.get("webhook"):
        note = f"This version sends no mail and no webhooks; {_INSTEAD}"
    return (note,) if note else ()
