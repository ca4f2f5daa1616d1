"""The OpenID Connect settings of an application, as a value and as JSON. Pure.

The settings contain no client secrets: Lockstep generates the secrets, shows each one once, and stores only its hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lockstep.configuration.document.strict_json import Part
from lockstep.configuration.sign_on_parts import (
    ClaimRule,
    check_url,
    claims_from_json,
    claims_to_json,
    optional_url,
    texts,
)
from lockstep.engine.expressions import compile_expression
from lockstep.engine.rules.mappings import Direct, Expression

ACCESS_MINUTES, REFRESH_DAYS = 60, 90
MOST_ACCESS_MINUTES, MOST_REFRESH_DAYS = 24 * 60, 365
_ADDRESSES, _YES = {"type": "array", "items": {"type": "string"}}, {"type": "boolean"}
# The section's keys except `claims`, for editors that check files against a schema.
KEY_SCHEMAS: dict[str, dict[str, Any]] = {
    "redirectUris": _ADDRESSES,
    "postLogoutRedirectUris": _ADDRESSES,
    "backChannelLogoutUrl": {"type": "string"},
    "publicClient": _YES,
    "requirePkce": _YES,
    "accessTokenMinutes": {"type": "integer", "minimum": 1, "maximum": MOST_ACCESS_MINUTES},
    "refreshTokenDays": {"type": "integer", "minimum": 1, "maximum": MOST_REFRESH_DAYS},
}
# Claims of a new application, by the scope that releases them; `roles` has the role that provisioning sends.
USUAL_TOKEN_CLAIMS = (
    ClaimRule("name", Direct("displayName")),
    ClaimRule("given_name", Direct("givenName")),
    ClaimRule("family_name", Direct("surname")),
    ClaimRule("preferred_username", Direct("userPrincipalName")),
    ClaimRule("email", Direct("mail")),
    ClaimRule("roles", Expression(compile_expression("SingleAppRoleAssignment([appRoleAssignments])"))),
)


@dataclass(frozen=True, slots=True)
class OpenIdSettings:
    """The settings of one application. *refresh_days* is the number of days after which all refresh tokens of a sign-in have expired, even
    if they are used.
    """

    redirect_uris: tuple[str, ...] = ()
    post_logout_uris: tuple[str, ...] = ()
    back_channel_logout_url: str = ""
    is_public: bool = False
    needs_pkce: bool = False
    access_minutes: int = ACCESS_MINUTES
    refresh_days: int = REFRESH_DAYS
    claims: tuple[ClaimRule, ...] = USUAL_TOKEN_CLAIMS


def openid_from_json(part: Part) -> OpenIdSettings:
    """Read the section `openIdConnect`. Raises ConfigurationError with the place of the mistake."""
    settings = OpenIdSettings(
        redirect_uris=texts(part, "redirectUris", check_url),
        post_logout_uris=texts(part, "postLogoutRedirectUris", check_url),
        back_channel_logout_url=optional_url(part, "backChannelLogoutUrl"),
        is_public=part.boolean("publicClient", default=False),
        needs_pkce=part.boolean("requirePkce", default=False),
        access_minutes=part.number("accessTokenMinutes", ACCESS_MINUTES, least=1, most=MOST_ACCESS_MINUTES),
        refresh_days=part.number("refreshTokenDays", REFRESH_DAYS, least=1, most=MOST_REFRESH_DAYS),
        claims=claims_from_json(part) if part.raw("claims") is not None else USUAL_TOKEN_CLAIMS,
    )
    part.done()
    return settings


def openid_to_json(settings: OpenIdSettings, *, is_used: bool) -> dict[str, Any]:
    """Write the canonical form. Default values are left out; if *is_used* is true, the claims are written even if they have their default
    value.
    """
    found: dict[str, Any] = {
        "redirectUris": list(settings.redirect_uris),
        "postLogoutRedirectUris": list(settings.post_logout_uris),
        "backChannelLogoutUrl": settings.back_channel_logout_url,
        "publicClient": settings.is_public,
        "requirePkce": settings.needs_pkce,
        "accessTokenMinutes": settings.access_minutes if settings.access_minutes != ACCESS_MINUTES else 0,
        "refreshTokenDays": settings.refresh_days if settings.refresh_days != REFRESH_DAYS else 0,
    }
    kept = {key: value for key, value in found.items() if value}
    if is_used or settings.claims != USUAL_TOKEN_CLAIMS:
        kept["claims"] = claims_to_json(settings.claims)
    return kept


USUAL_OPENID = OpenIdSettings()
