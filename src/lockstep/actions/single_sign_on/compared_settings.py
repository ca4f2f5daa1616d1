"""The settings on which an application and Lockstep must agree, with Lockstep's value of each."""

from __future__ import annotations

from enum import Enum, auto

from lockstep.actions.single_sign_on.settings import SignOnView
from lockstep.openid.discovery import DISCOVERY, KEYS, TOKEN
from lockstep.openid.requests import SCOPES
from lockstep.openid.tokens import ALGORITHM, ID_TOKEN_VALID
from lockstep.wording import counted


class ComparedSetting(Enum):
    """The setting that an error concerns."""

    ENCRYPTION = auto()
    IDENTIFIER = auto()
    REPLY_URL = auto()
    ISSUER = auto()
    SIGN_ON_URL = auto()
    VALIDITY = auto()
    CERTIFICATE = auto()
    REQUEST_CERTIFICATE = auto()
    LOGIN_URL = auto()
    NAME_ID_FORMAT = auto()
    NAME_ID = auto()
    REDIRECT_URI = auto()
    AFTER_LOGOUT = auto()
    BACK_CHANNEL = auto()
    CLIENT_ID = auto()
    CLIENT_TYPE = auto()
    PKCE = auto()
    OPENID_ISSUER = auto()
    SCOPE = auto()
    TOKEN_SIGNATURE = auto()
    TOKEN_VALIDITY = auto()
    TOKEN_ADDRESS = auto()
    REFRESH_TOKEN = auto()
    SUBJECT = auto()


def value_in_lockstep(setting: ComparedSetting, view: SignOnView, subject: str) -> str:
    """Return Lockstep's value of *setting*. *subject* is the Name ID or `sub` of the person of the trial."""
    return _saml_value(setting, view, subject) or _openid_value(setting, view, subject)


def _saml_value(setting: ComparedSetting, view: SignOnView, subject: str) -> str:
    settings = view.settings
    active = next((one.thumbprint for one in view.certificates if one.is_active), "none")
    match setting:
        case ComparedSetting.ENCRYPTION:
            return "encrypted" if settings.encryption_certificate else "not encrypted"
        case ComparedSetting.IDENTIFIER:
            return " or ".join(settings.identifiers) or "none"
        case ComparedSetting.REPLY_URL:
            return " or ".join(settings.reply_urls) or "none"
        case ComparedSetting.ISSUER:
            return view.endpoints.identifier
        case ComparedSetting.SIGN_ON_URL:
            return settings.sign_on_url or "none"
        case ComparedSetting.VALIDITY:
            return "an assertion that is valid for 5 minutes"
        case ComparedSetting.CERTIFICATE:
            return f"thumbprint {active}; signed: {settings.signing.value}"
        case ComparedSetting.REQUEST_CERTIFICATE:
            return counted(len(settings.request_certificates), "verification certificate")
        case ComparedSetting.LOGIN_URL:
            return view.endpoints.login_url
        case ComparedSetting.NAME_ID_FORMAT:
            return settings.name_id_format.value
        case ComparedSetting.NAME_ID:
            return subject or "no Name ID"
    return ""


def _openid_value(setting: ComparedSetting, view: SignOnView, subject: str) -> str:
    openid = view.settings.openid
    match setting:
        case ComparedSetting.REDIRECT_URI:
            return " or ".join(openid.redirect_uris) or "none"
        case ComparedSetting.AFTER_LOGOUT:
            return " or ".join(openid.post_logout_uris) or "none"
        case ComparedSetting.BACK_CHANNEL:
            return openid.back_channel_logout_url or "none"
        case ComparedSetting.CLIENT_ID:
            return view.application.id
        case ComparedSetting.CLIENT_TYPE:
            return "public client, without a client secret" if openid.is_public else "confidential client"
        case ComparedSetting.PKCE:
            return "PKCE required, S256" if openid.is_public or openid.needs_pkce else "PKCE optional, S256"
        case ComparedSetting.OPENID_ISSUER:
            return f"{view.issuer} (discovery: {view.issuer}{DISCOVERY})"
        case ComparedSetting.SCOPE:
            return " ".join(SCOPES)
        case ComparedSetting.TOKEN_SIGNATURE:
            return f"{ALGORITHM}, keys at {view.issuer}{KEYS}"
        case ComparedSetting.TOKEN_VALIDITY:
            return f"an ID token that is valid for {counted(int(ID_TOKEN_VALID.total_seconds()) // 60, 'minute')}"
        case ComparedSetting.TOKEN_ADDRESS:
            return view.issuer + TOKEN
        case ComparedSetting.REFRESH_TOKEN:
            return f"refresh tokens that end after {counted(openid.refresh_days, 'day')}, each for one use"
        case ComparedSetting.SUBJECT:
            return subject or "no sub"
    return ""
