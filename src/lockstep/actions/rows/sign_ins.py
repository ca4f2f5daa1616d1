"""Sign-ins of people, as JSON: the log, sessions, links, and how people may sign in."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from lockstep.actions.person_sign_in.outcomes import meaning_of
from lockstep.actions.person_sign_in.passwords import SignInLink
from lockstep.actions.person_sign_in.person_passkeys import PersonFactors, PersonPasskey
from lockstep.actions.person_sign_in.sessions import PersonSessionRow
from lockstep.actions.person_sign_in.setting import SignInSetting
from lockstep.actions.rows.times import iso_time
from lockstep.actions.sign_in_logs import SignInRow


class SignInJson(TypedDict):
    number: int
    id: str
    at: str
    result: str
    user: str
    userId: str | None
    application: str
    applicationId: str | None
    methods: Sequence[str]
    protocol: str
    address: str
    device: str
    code: str
    reason: str
    detail: str
    more: int


class PersonSessionJson(TypedDict):
    id: str
    device: str
    address: str
    methods: Sequence[str]
    signedInAt: str
    seenAt: str
    expiresAt: str


class PasskeyJson(TypedDict):
    id: str
    name: str
    host: str
    createdAt: str
    lastUsedAt: str | None


class PersonFactorsJson(TypedDict):
    user: str
    authenticatorApp: bool
    passkeys: Sequence[PasskeyJson]


class SignInLinkJson(TypedDict):
    user: str
    path: str
    url: str
    expiresAt: str


class SignInSettingJson(TypedDict):
    password: bool
    provider: bool
    secondFactor: bool
    contact: str
    ldap: bool


def sign_in_json(row: SignInRow) -> SignInJson:
    return {
        "number": row.seq,
        "id": row.id,
        "at": iso_time(row.at),
        "result": row.result,
        "user": row.person_display,
        "userId": row.person,
        "application": row.app_display or "My Apps",
        "applicationId": row.app,
        "methods": list(row.methods),
        "protocol": row.protocol,
        "address": row.address,
        "device": row.device,
        "code": row.code,
        "reason": meaning_of(row.code),
        "detail": row.detail,
        "more": row.more,
    }


def person_session_json(row: PersonSessionRow) -> PersonSessionJson:
    return {
        "id": row.id,
        "device": row.device,
        "address": row.address,
        "methods": list(row.methods),
        "signedInAt": iso_time(row.signed_in_at),
        "seenAt": iso_time(row.seen_at),
        "expiresAt": iso_time(row.expires_at),
    }


def person_factors_json(factors: PersonFactors) -> PersonFactorsJson:
    return {
        "user": factors.user_principal_name,
        "authenticatorApp": factors.has_app,
        "passkeys": [_passkey_json(one) for one in factors.passkeys],
    }


def _passkey_json(row: PersonPasskey) -> PasskeyJson:
    return {
        "id": row.id,
        "name": row.name,
        "host": row.host,
        "createdAt": iso_time(row.created_at),
        "lastUsedAt": iso_time(row.last_used_at) if row.last_used_at else None,
    }


def sign_in_link_json(link: SignInLink) -> SignInLinkJson:
    """Return a sign-in link with its secret as JSON. No other function returns the secret."""
    return {
        "user": link.user_principal_name,
        "path": link.path,
        "url": link.url,
        "expiresAt": iso_time(link.expires_at),
    }


def sign_in_setting_json(setting: SignInSetting) -> SignInSettingJson:
    return {
        "password": setting.has_password,
        "provider": setting.has_provider,
        "secondFactor": setting.needs_second_factor,
        "contact": setting.contact,
        "ldap": setting.has_ldap,
    }
