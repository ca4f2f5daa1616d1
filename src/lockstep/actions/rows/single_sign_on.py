"""Single sign-on of an application as JSON, without private keys."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from lockstep.actions.rows.times import iso, iso_time
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
    """Single sign-on of an application. *singleSignOn* is the section of a configuration file. The addresses and certificates are what an
    administrator must enter in the application.
    """

    app: str
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


class SignOnTrialJson(TypedDict):
    """What an assertion about *user* would say. The assertion itself is not created."""

    user: str
    wouldSignIn: bool
    conditions: list[ConditionJson]
    issuer: str
    audience: str
    recipient: str
    nameId: str
    nameIdFormat: str
    attributes: dict[str, list[str]]


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
        "user": trial.person,
        "wouldSignIn": trial.would_sign_in,
        "conditions": [
            {"condition": one.sentence, "holds": one.holds, "nextStep": "" if one.holds else one.next_step}
            for one in trial.conditions
        ],
        "issuer": trial.view.endpoints.identifier,
        "audience": trial.audience,
        "recipient": trial.recipient,
        "nameId": trial.claims.name_id,
        "nameIdFormat": trial.claims.name_id_format.urn,
        "attributes": {name: list(values) for name, values in trial.claims.attributes.items()},
    }
