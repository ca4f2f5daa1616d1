"""Warn that no mail is sent, if settings ask for mail but no mail server is set up. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAIL_IS_NOT_SENT = "No mail server is set up, so no mail is sent"
_INSTEAD = "the setting is only stored. Set up a server: lockstep mail set --help"


def mail_note(*, email: str | None, on_failure: bool | None) -> str:
    """Return the note for an application whose settings ask for mail although no mail server is set up. Returns "" if the settings do
    not ask for mail.
    """
    asked = [f"the address {email}"] if email else []
    asked += ["mail on failure"] if on_failure else []
    return f"{MAIL_IS_NOT_SENT} (requested: {' and '.join(asked)}); {_INSTEAD}" if asked else ""


def file_notes(spec: Mapping[str, Any], *, sends_mail: bool) -> tuple[str, ...]:
    """Return the notes for one document's `spec`. The document describes an application or the organisation."""
    provisioning, wanted = spec.get("provisioning") or {}, spec.get("notifications") or {}
    if sends_mail:
        return ()
    sign_on = spec.get("singleSignOn") or {}
    email = (
        provisioning.get("notificationEmail")
        or sign_on.get("notificationEmail")
        or ", ".join(wanted.get("email") or ())
    )
    note = mail_note(email=email, on_failure=provisioning.get("emailOnFailure"))
    return (note,) if note else ()
