"""Texts with which applications report that they reject a SAML response. The most specific texts come first. Each entry has the cause, the
setting that the error concerns, and the next step.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.actions.single_sign_on.compared_settings import ComparedSetting

SAML_ERRORS: Sequence[tuple[Sequence[str], str, ComparedSetting | None, str]] = (
    (
        ("decrypt", "encrypt"),
        "The application cannot decrypt the assertion, or requires encryption",
        ComparedSetting.ENCRYPTION,
        "Compare the encryption certificate with that of {name}",
    ),
    (
        ("audience", "entity id", "entityid"),
        "The application uses a different Identifier (Entity ID)",
        ComparedSetting.IDENTIFIER,
        "Enter the Identifier (Entity ID) of {name}",
    ),
    (
        ("recipient", "destination", "acs", "assertion consumer", "reply url"),
        "The application expects the response at another address",
        ComparedSetting.REPLY_URL,
        "Enter the address of {name} as Reply URL",
    ),
    (
        ("issuer", "identity provider", "idp "),
        "The application knows Lockstep under another identifier",
        ComparedSetting.ISSUER,
        "Enter the Lockstep Identifier in {name}",
    ),
    (
        ("inresponseto", "in response to", "unsolicited", "idp-initiated", "relaystate"),
        "The application did not ask for this response, or asked for it in another browser",
        ComparedSetting.SIGN_ON_URL,
        "Enter the Sign on URL of {name}, so that sign-in begins there",
    ),
    (
        ("expired", "notbefore", "not yet valid", "notonorafter", "clock", "timestamp"),
        "The clocks of the two servers differ, or the person waited too long",
        ComparedSetting.VALIDITY,
        "Compare the clocks of both servers",
    ),
    (
        ("signature", "certificate", "fingerprint", "thumbprint", "signed", "digest"),
        "The application does not know the certificate, or requires a signature on another part of the response",
        ComparedSetting.CERTIFICATE,
        "Enter the certificate in {name}, and select the signing option that {name} requires",
    ),
    (
        ("user", "account", "member", "nameid", "name id", "email", "e-mail", "not found", "unknown"),
        "The application has no account with this name",
        ComparedSetting.NAME_ID,
        "Compare the Name ID with the account in {name}. Is the person provisioned? lockstep explain {app}",
    ),
)
