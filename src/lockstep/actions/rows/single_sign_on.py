"""Single sign-on of an application as JSON, without private keys."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from lockstep.actions.rows.sign_ins import SignInJson, sign_in_json
from lockstep.actions.rows.times import iso, iso_time
from lockstep.actions.single_sign_on.application_errors import ApplicationError
from lockstep.actions.single_sign_on.client_secrets import ClientSecretRow, NewClientSecret
from lockstep.actions.single_sign_on.openid_keys import OpenIdKey
from lockstep.actions.single_sign_on.settings import SignOnView
from lockstep.actions.single_sign_on.trying import SignOnTrial
from lockstep.configuration.single_sign_on import sign_on_to_json
from lockstep.storage.signing_certificates import CertificateRow


class CertificateJson(TypedDict):
    """A signing certificate. The field *certificate* has it in PEM form."""

    thumbprint: str
    isActive: bool
    notBefore: str
    notAfter: str
    certificate: str


class SignOnJson(TypedDict):
    """Single sign-on of an application. *singleSignOn* has the form of that section in a configuration file. *clientId* identifies the
    application in OpenID Connect. An administrator must enter the addresses and certificates in the application.
    """

    app: str
    clientId: str
    singleSignOn: dict[str, Any]
    identifier: str
    loginUrl: str
    logoutUrl: str
    metadataUrl: str
    certificates: list[CertificateJson]
    changedAt: str | None
    changedBy: str


class ConditionJson(TypedDict):
    condition: str
    holds: bool
    nextStep: str


class ClaimJson(TypedDict):
    """A claim with the *source* of its values. The Name ID has the name ""."""

    name: str
    values: list[str]
    source: str
    problem: str


class RefusalJson(TypedDict):
    """A kind of request that is refused, and the code of its entry in the sign-in log."""

    what: str
    code: str


class AttemptJson(TypedDict):
    """A real sign-in attempt, with Lockstep's response to the application."""

    signIn: SignInJson
    answer: str


class ApplicationErrorJson(TypedDict):
    """The cause of an application's error. *value* is Lockstep's value for the setting concerned, or "" if the error does not concern a
    setting.
    """

    cause: str
    value: str
    nextStep: str


class SignOnTrialJson(TypedDict):
    """The result of trying a sign-in of *user*. *request* and *response* are the messages in XML; the response has no signature value.
    *refusals* lists what Lockstep refuses, *attempts* the newest real attempts.

    With *method* oidc, *audience* is the client id, *recipient* the first redirect URI, *nameId* the claim `sub`, *request* an address,
    and *response* the payload of the ID token.
    """

    method: str
    user: str
    wouldSignIn: bool
    conditions: list[ConditionJson]
    issuer: str
    audience: str
    recipient: str
    nameId: str
    nameIdFormat: str
    attributes: dict[str, list[str]]
    claims: list[ClaimJson]
    request: str
    response: str
    refusals: list[RefusalJson]
    attempts: list[AttemptJson]
    applicationError: ApplicationErrorJson | None


class ClientSecretJson(TypedDict):
    """A client secret without its value. *hint* is the beginning of the value; *lastUsedAt* is accurate to an hour."""

    id: str
    hint: str
    description: str
    createdAt: str
    createdBy: str
    expiresAt: str
    lastUsedAt: str | None


class NewClientSecretJson(ClientSecretJson):
    """A new client secret. *secret* is shown only here. *clientId* is the id that the application sends with the secret."""

    clientId: str
    secret: str


class SigningKeyJson(TypedDict):
    """A key that signs tokens. *state* is active, next or retired."""

    kid: str
    state: str
    publishedAt: str
    retiredAt: str | None


def client_secret_json(row: ClientSecretRow) -> ClientSecretJson:
    return {
        "id": row.id,
        "hint": row.hint,
        "description": row.description,
        "createdAt": iso_time(row.created_at),
        "createdBy": row.created_by,
        "expiresAt": iso_time(row.expires_at),
        "lastUsedAt": iso(row.last_used_at),
    }


def new_client_secret_json(made: NewClientSecret) -> NewClientSecretJson:
    return {**client_secret_json(made.row), "clientId": made.row.app, "secret": made.secret}


def signing_key_json(key: OpenIdKey) -> SigningKeyJson:
    return {
        "kid": key.kid,
        "state": key.state,
        "publishedAt": iso_time(key.published_at),
        "retiredAt": iso(key.retired_at),
    }


def certificate_json(row: CertificateRow) -> CertificateJson:
    return {
        "thumbprint": row.thumbprint,
        "isActive": row.is_active,
        "notBefore": iso_time(row.not_before),
        "notAfter": iso_time(row.not_after),
        "certificate": row.certificate,
    }


def sign_on_json(view: SignOnView) -> SignOnJson:
    return {
        "app": view.application.name,
        "clientId": view.application.id,
        "singleSignOn": sign_on_to_json(view.settings),
        "identifier": view.endpoints.identifier,
        "loginUrl": view.endpoints.login_url,
        "logoutUrl": view.endpoints.logout_url,
        "metadataUrl": view.endpoints.metadata_url,
        "certificates": [certificate_json(row) for row in view.certificates],
        "changedAt": iso(view.changed_at),
        "changedBy": view.changed_by,
    }


def trial_json(trial: SignOnTrial) -> SignOnTrialJson:
    return {
        "method": trial.view.settings.mode.value,
        "user": trial.person,
        "wouldSignIn": trial.would_sign_in,
        "conditions": [
            {"condition": one.sentence, "holds": one.holds, "nextStep": "" if one.holds else one.next_step}
            for one in trial.conditions
        ],
        "issuer": trial.issuer,
        "audience": trial.audience,
        "recipient": trial.recipient,
        "nameId": trial.claims.name_id,
        "nameIdFormat": trial.claims.name_id_format.urn,
        "attributes": {name: list(values) for name, values in trial.claims.attributes.items()},
        "claims": [
            {"name": one.name, "values": list(one.values), "source": one.source, "problem": one.problem}
            for one in trial.claim_lines
        ],
        "request": trial.request,
        "response": "".join(part.text for part in trial.response),
        "refusals": [{"what": one.what, "code": one.code.value} for one in trial.refusals],
        "attempts": [{"signIn": sign_in_json(one.row), "answer": one.answer} for one in trial.attempts],
        "applicationError": _error_json(trial.error),
    }


def _error_json(error: ApplicationError | None) -> ApplicationErrorJson | None:
    return {"cause": error.cause, "value": error.value, "nextStep": error.next_step} if error else None
