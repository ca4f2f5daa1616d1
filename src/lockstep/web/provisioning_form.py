"""The fields of the provisioning settings page as an administrator typed them, and the changes of settings that they request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from starlette.datastructures import FormData

from lockstep.actions.credentials import Authentication, AuthenticationMethod
from lockstep.actions.provisioning_pages import SetupProgress
from lockstep.actions.settings_view import SettingsView
from lockstep.engine.rules.configuration import NotificationDelivery
from lockstep.vault import Secret

MANUAL, AUTOMATIC = "manual", "automatic"
BEARER = AuthenticationMethod.BEARER.value
METHODS = (
    (BEARER, "Bearer token"),
    (AuthenticationMethod.CLIENT_CREDENTIALS.value, "OAuth 2.0 client credentials"),
    (AuthenticationMethod.BASIC.value, "Basic"),
)
DELIVERIES = (
    (NotificationDelivery.IMMEDIATE.value, "Immediately"),
    (NotificationDelivery.DIGEST.value, "Daily digest"),
)
USUAL_INTERVAL = timedelta(minutes=40)
USUAL_THRESHOLD = 500
USUAL_PERCENT = 20
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SettingsForm:
    """The fields of the form. *errors* maps the names of fields to what is wrong with them. Pages never contain the token."""

    mode: str
    tenant_url: str
    email: str
    email_on_failure: bool
    delivery: str
    prevents_deletions: bool
    threshold: str
    scope: str
    status: str
    interval: str
    nested_groups: bool = False
    method: str = BEARER
    client_id: str = ""
    token_url: str = ""
    oauth_scope: str = ""
    user_name: str = ""
    token: Secret = field(default_factory=lambda: Secret(""))
    confirmation: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def stored(
        cls, view: SettingsView, setup: SetupProgress, tenant_url: str, authentication: Authentication
    ) -> SettingsForm:
        """Return the form with the stored values."""
        is_new = not (setup.is_connected or setup.is_started or setup.is_on)
        return cls(
            mode=MANUAL if is_new else AUTOMATIC,
            tenant_url=tenant_url,
            email=view.notification_email,
            email_on_failure=view.email_on_failure,
            delivery=view.notification_delivery.value,
            prevents_deletions=bool(view.deletion_threshold or view.deletion_percent),
            threshold=str(view.deletion_threshold or USUAL_THRESHOLD),
            scope=view.scope,
            status=view.status,
            interval=f"{(view.interval or USUAL_INTERVAL) / _MINUTE:g}",
            nested_groups=view.nested_groups,
            method=authentication.method.value,
            client_id=authentication.client_id if authentication.method is not AuthenticationMethod.BASIC else "",
            user_name=authentication.client_id if authentication.method is AuthenticationMethod.BASIC else "",
            token_url=authentication.token_url,
            oauth_scope=authentication.scope,
        )

    @classmethod
    def of(cls, form: FormData) -> SettingsForm:
        def text(name: str) -> str:
            return str(form.get(name, "")).strip()

        return cls(
            mode=text("mode") or AUTOMATIC,
            tenant_url=text("tenantUrl"),
            email=text("notificationEmail"),
            email_on_failure=text("emailOnFailure") == "on",
            delivery=text("notificationDelivery"),
            prevents_deletions=text("preventDeletions") == "on",
            threshold=text("deletionThreshold"),
            scope=text("scope"),
            status=text("status"),
            interval=text("interval"),
            nested_groups=text("nestedGroups") == "on",
            method=text("authentication") or BEARER,
            client_id=text("clientId"),
            token_url=text("tokenUrl"),
            oauth_scope=text("oauthScope"),
            user_name=text("userName"),
            token=Secret(text("secretToken")),
            confirmation=text("confirmation").replace(",", ""),
        )

    @property
    def authentication(self) -> Authentication:
        """The chosen authentication method and its values. Fields of other methods are ignored."""
        match self.method:
            case AuthenticationMethod.CLIENT_CREDENTIALS:
                return Authentication(
                    AuthenticationMethod.CLIENT_CREDENTIALS,
                    self.client_id,
                    self.token_url.rstrip("/"),
                    self.oauth_scope,
                )
            case AuthenticationMethod.BASIC:
                return Authentication(AuthenticationMethod.BASIC, self.user_name)
            case _:
                return Authentication()

    def check(self) -> bool:
        """Fill *errors* for invalid numbers. Returns True if there are none."""
        if self.prevents_deletions and not (self.threshold.isdecimal() and 0 < int(self.threshold[:9]) < 10_000_000):
            self.errors["deletionThreshold"] = "Enter a whole number, at least 1"
        if self._minutes() is None:
            self.errors["interval"] = "Enter the minutes between two cycles, at least 1"
        return not self.errors

    def changes(self, view: SettingsView) -> dict[str, Any]:
        """Return the differences from the stored settings, as arguments of `change_settings`."""
        if self.mode == MANUAL:
            return {"status": "off"} if view.status == "on" else {}
        wanted: dict[str, tuple[Any, Any]] = {
            "scope": (self.scope, view.scope),
            "nested_groups": (self.nested_groups, view.nested_groups),
            "status": (self.status, view.status),
            "notification_email": (self.email, view.notification_email),
            "email_on_failure": (self.email_on_failure, view.email_on_failure),
            "notification_delivery": (self.delivery or None, view.notification_delivery),
            "interval": (self._minutes(), view.interval or USUAL_INTERVAL),
            **self._deletions(view),
        }
        return {name: new for name, (new, old) in wanted.items() if new != old and new is not None}

    def _deletions(self, view: SettingsView) -> dict[str, tuple[Any, Any]]:
        old = {"deletion_threshold": view.deletion_threshold or 0, "deletion_percent": view.deletion_percent or 0}
        if not self.prevents_deletions:
            return {name: (0, number) for name, number in old.items()}
        threshold = int(self.threshold[:9]) if self.threshold.isdecimal() else None
        was_on = any(old.values())
        percent = old["deletion_percent"] if was_on else USUAL_PERCENT
        return {
            "deletion_threshold": (threshold, old["deletion_threshold"]),
            "deletion_percent": (percent, old["deletion_percent"]),
        }

    def _minutes(self) -> timedelta | None:
        try:
            minutes = float(self.interval)
        except ValueError:
            return None
        return timedelta(minutes=minutes) if 1 <= minutes <= 10_080 else None
